"""Say which object of a bucket a path in a list or table means, whichever system wrote it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from ..sources import Pairs

MOUNT = "/home/ubuntu/bucket"  # where upstream's containers see the bucket's root
_ELSEWHERE = ("http://", "https://", "ftp://", "gs://", "omero:")  # the tool's own to fetch
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_DRIVE = re.compile(r"[A-Za-z]:(?=[/\\]|$)")
# \\?\D:\... and \\?\UNC\server\..., which Windows writes for long paths.
_LONG = re.compile(r"\\\\[?.]\\(UNC\\)?", re.IGNORECASE)


class TableFault(ValueError):
    """A list or table that cannot be used as it is, in a sentence."""


def is_elsewhere(path: str) -> bool:
    """Whether a path is an address that the tool fetches itself."""
    return path.lower().startswith(_ELSEWHERE)


def place_of_path(path: str, paths: Pairs, name: str) -> str:
    """The key or s3:// address that a path in the list or table `name` means; raises TableFault.

    The longest beginning among `paths` is replaced; upstream's mount is the bucket's root.
    """
    bare = with_slashes(path)
    place = _replaced(bare, {MOUNT: "", **dict(paths)})
    if place is None:
        if _is_of_a_computer(bare):
            raise TableFault(
                f"{name} names {path!r}, which is in no bucket: say what the beginnings of its "
                'paths stand for, such as "paths": {"/data": "s3://a-bucket/images"}.'
            )
        place = bare
    steps = place.removeprefix("s3://").split("/")
    if ".." in steps or not steps[0] or not steps[-1] or "\0" in place:
        raise TableFault(f"{name} names {path!r}, which is no object's name.")
    return place


def with_slashes(path: str) -> str:
    r"""A path as it is written with slashes: `D:/plates` for `D:\plates` and `file:///D:/plates`.

    A folder that Windows shares is `//server/folder`. A path that has slashes already may have
    backslashes in its names.
    """
    if path[:5].lower() == "file:":
        path = _of_file_url(path)
    path = _LONG.sub(lambda found: "\\\\" if found[1] else "", path, count=1)
    if "/" not in path or _is_of_windows(path):
        path = path.replace("\\", "/")
    return path[1:] if path.startswith("/") and _DRIVE.match(path, 1) else path


def join(folder: str, name: str) -> str:
    r"""A file's name below a folder, which `P1\raw` and `P1/raw` both are."""
    if not folder:
        return name
    if "\\" in folder and "/" not in folder:
        return f"{folder.rstrip(chr(92))}\\{name}"
    return f"{folder.rstrip('/')}/{name}"


def _of_file_url(url: str) -> str:
    rest = unquote(url[5:].replace("\\", "/"))
    if not rest.startswith("//"):
        return rest
    host, _, path = rest[2:].partition("/")
    if _DRIVE.match(host):  # two slashes where three are meant
        return f"{host}/{path}"
    return f"/{path}" if host in ("", "localhost") else f"//{host}/{path}"


def _is_of_windows(path: str) -> bool:
    return path.startswith(("\\\\", "//")) or bool(_DRIVE.match(path.lstrip("/")))


def _is_of_a_computer(path: str) -> bool:
    """Whether a path is surely no key: it begins at a root, a drive, a home or another service."""
    if path.startswith(("/", "~/")) or _DRIVE.match(path):
        return True
    return bool(_SCHEME.match(path)) and not path.startswith("s3://")


def _replaced(path: str, beginnings: Mapping[str, str]) -> str | None:
    for start in sorted(beginnings, key=len, reverse=True):
        bare, to = with_slashes(start).rstrip("/"), beginnings[start].rstrip("/")
        if _begins(path, f"{bare}/"):
            rest = path[len(bare) :].lstrip("/")
            return f"{to}/{rest}" if to else rest
    return None


def _begins(path: str, start: str) -> bool:
    if _is_of_windows(start):  # where capitals make no difference
        return path[: len(start)].casefold() == start.casefold()
    return path.startswith(start)
