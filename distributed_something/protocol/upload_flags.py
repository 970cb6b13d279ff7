"""What UPLOAD_FLAGS asks for: the flags of `aws s3 mv` that have a meaning for an upload."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

# Each flag's name in S3's own requests.
_WITH_VALUE = {
    "--acl": "ACL",
    "--storage-class": "StorageClass",
    "--sse": "ServerSideEncryption",
    "--sse-kms-key-id": "SSEKMSKeyId",
    "--content-type": "ContentType",
    "--cache-control": "CacheControl",
    "--content-encoding": "ContentEncoding",
    "--content-disposition": "ContentDisposition",
    "--content-language": "ContentLanguage",
    "--expires": "Expires",
}
# True of every upload here, or about what the command line prints.
_IDLE = {"--recursive", "--quiet", "--only-show-errors", "--no-progress", "--no-follow-symlinks"}


@dataclass(frozen=True)
class UploadFlags:
    """Extra arguments for each upload, and which files are sent at all."""

    arguments: Mapping[str, str] = field(default_factory=dict)
    filters: tuple[tuple[bool, str], ...] = ()  # whether to send what the pattern fits

    @classmethod
    def read(cls, text: str) -> UploadFlags:
        """Read the flags; raises ValueError that lists those which have no meaning here."""
        words = _words(text)
        arguments: dict[str, str] = {}
        filters: list[tuple[bool, str]] = []
        unknown: list[str] = []
        while words:
            name, equals, value = words.pop(0).partition("=")
            if name in _IDLE:
                continue
            if name not in _WITH_VALUE and name not in ("--include", "--exclude"):
                unknown.append(name)
                continue
            if not equals:
                if not words:
                    raise ValueError(f"{name} needs a value")
                value = words.pop(0)
            if name in _WITH_VALUE:
                arguments[_WITH_VALUE[name]] = value
            else:
                filters.append((name == "--include", value))
        if unknown:
            known = ", ".join(sorted([*_WITH_VALUE, "--include", "--exclude", *_IDLE]))
            raise ValueError(f"{', '.join(unknown)}: of no use here; these are: {known}")
        return cls(arguments, tuple(filters))

    def then(self, others: UploadFlags) -> UploadFlags:
        """These and others, which have the last word."""
        return UploadFlags({**self.arguments, **others.arguments}, self.filters + others.filters)

    def wants(self, name: str) -> bool:
        """Whether to send a file, by its name below the output folder; the last fit counts."""
        wanted = True
        for include, pattern in self.filters:
            if fnmatchcase(name, pattern):
                wanted = include
        return wanted


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be split into words: {error}") from None
