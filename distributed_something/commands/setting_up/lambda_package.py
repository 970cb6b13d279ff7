"""Pack a module of ours, with all modules of ours that it imports, into a Lambda's zip file."""

from __future__ import annotations

import ast
import importlib.util
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

_PACKAGE = __package__.split(".")[0]
# The same files make the same bytes, so that an unchanged Lambda is seen to be unchanged.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def lambda_package(module: str) -> bytes:
    """The zip file that holds a module and what it imports of this package."""
    files = {path: name for name, path in sorted(imported_modules(module).items())}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, name in files.items():
            folder = name.replace(".", "/")
            target = f"{folder}/__init__.py" if path.name == "__init__.py" else f"{folder}.py"
            entry = zipfile.ZipInfo(target, _EPOCH)
            entry.external_attr = 0o644 << 16  # Lambda's user must be able to read it
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return content.getvalue()


def imported_modules(module: str) -> dict[str, Path]:
    """The files of a module and of all of this package that it imports as it runs, by name."""
    found: dict[str, Path] = {}
    left = [module]
    while left:
        name = left.pop()
        if name in found or not (path := _find(name)):
            continue
        found[name] = path
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        left += [name.rpartition(".")[0], *_imports(ast.parse(path.read_bytes()), package)]
    return found


def _find(name: str) -> Path | None:
    """The file of one of our modules; None for what is none, such as a function's name."""
    if name.split(".")[0] != _PACKAGE:
        return None
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin else None


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """The absolute names of what a module may import, without what only its types need."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(relative, package)
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))
        else:
            yield from _imports(node, package)
