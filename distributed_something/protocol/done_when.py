"""When a job counts as done: the `done_when` key of a job file, read once for both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class DoneWhen:
    """Every condition that is set must hold; files are named from the job's output directory.

    Names, patterns and the first line are templates.
    """

    exit_code: tuple[int, ...] | None = (0,)  # None: any exit code will do
    min_files: int = 0
    min_file_bytes: int = 0  # files smaller than this are not counted by min_files and glob
    file: str | None = None
    first_line: str | None = None  # of `file`
    glob: tuple[tuple[str, int], ...] = ()  # pattern, least number of matches
    json_file: str | None = None
    json_path: str | None = None  # dotted, such as "plate.wells"

    @classmethod
    def from_json(cls, value: object, problems: list[str]) -> DoneWhen:
        """Read the key's value; what is wrong is added to `problems`, one sentence each."""
        if value is None:
            return cls()
        if not isinstance(value, Mapping):
            problems.append(
                f'done_when is {value!r}; it must be an object, such as {{"min_files": 2}}.'
            )
            return cls()
        known = {field.name for field in fields(cls)}
        for key in sorted(set(value) - known):
            problems.append(f"done_when has the key {key!r}; it knows {', '.join(sorted(known))}.")
        checked = cls(
            exit_code=_exit_codes(value.get("exit_code", 0), problems),
            min_files=_count(value, "min_files", problems),
            min_file_bytes=_count(value, "min_file_bytes", problems),
            file=_text(value, "file", problems),
            first_line=_text(value, "first_line", problems),
            glob=_globs(value.get("glob", {}), problems),
            json_file=_text(value, "json_file", problems),
            json_path=_text(value, "json_path", problems),
        )
        if checked.first_line is not None and checked.file is None:
            problems.append(
                "done_when has first_line but not file: name the file whose first line it is."
            )
        if (checked.json_file is None) != (checked.json_path is None):
            problems.append("done_when needs json_file and json_path together.")
        problems += checked.problems()
        for key in ("file", "json_file"):
            if {"*", "?"} & set(getattr(checked, key) or ""):
                problems.append(
                    f"done_when.{key} is {getattr(checked, key)!r}, and names one file: patterns "
                    'are for done_when.glob, such as {"*.csv": 1}.'
                )
        return checked

    def problems(self) -> list[str]:
        """A sentence for each name that leads out of the output directory."""
        return [
            f"done_when names {place!r}, which is outside the job's output."
            for place in filter(None, (self.file, self.json_file, *dict(self.glob)))
            if place.startswith("/") or ".." in place.split("/")
        ]

    def templates(self) -> tuple[str, ...]:
        """Everything in it that may name a job's fields."""
        texts = (self.file, self.first_line, self.json_file)
        return (*(text for text in texts if text is not None), *(name for name, _ in self.glob))

    def filled(self, fill: Callable[[str], str]) -> DoneWhen:
        """The same conditions for one job, each template filled in by `fill`."""
        if not any("{" in text or "}" in text for text in self.templates()):
            return self
        return replace(
            self,
            file=None if self.file is None else fill(self.file),
            first_line=None if self.first_line is None else fill(self.first_line),
            json_file=None if self.json_file is None else fill(self.json_file),
            glob=tuple((fill(pattern), count) for pattern, count in self.glob),
        )


def _exit_codes(value: object, problems: list[str]) -> tuple[int, ...] | None:
    if value == "any":
        return None
    codes = value if isinstance(value, list) else [value]
    if codes and all(isinstance(code, int) and not isinstance(code, bool) for code in codes):
        return tuple(codes)
    problems.append(
        f'done_when.exit_code is {value!r}; it must be a number, a list of numbers or "any".'
    )
    return (0,)


def _count(mapping: Mapping[str, object], key: str, problems: list[str]) -> int:
    value = mapping.get(key, 0)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    problems.append(f"done_when.{key} is {value!r}; it must be a whole number, 0 or more.")
    return 0


def _text(mapping: Mapping[str, object], key: str, problems: list[str]) -> str | None:
    value = mapping.get(key)
    if value is None or (isinstance(value, str) and value):
        return value
    problems.append(f"done_when.{key} is {value!r}; it must be text.")
    return None


def _globs(value: object, problems: list[str]) -> tuple[tuple[str, int], ...]:
    if isinstance(value, Mapping):
        counts = list(value.items())
        if all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for _, n in counts):
            return tuple((str(pattern), n) for pattern, n in counts)
    problems.append(f'done_when.glob is {value!r}; it must be an object such as {{"*.csv": 2}}.')
    return ()
