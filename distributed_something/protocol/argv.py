"""Read a job file's command: its words, and what in it only a shell would understand."""

from __future__ import annotations

import re
import shlex

_FIELD = re.compile(r"(?<!\$)\{[^{}\s]*\}")
_VARIABLE = r"`|\$\{[^}]*\}?|\$\(|\$\w+|\$[@*#?$!]"
# A single-quoted part, an escaped character, an address, or what only a shell understands: signs
# between commands, variables, patterns of names, a home, a comment, a second line.
_SHELL_PART = re.compile(
    r"""'[^']*'|\\.|"(?P<quoted>(?:\\.|[^"\\])*)"|[A-Za-z][\w+.-]*://[^\s'"`$*;|<>()&]*"""
    rf"|(?P<operator>[();<>|&]+|{_VARIABLE}|[*?\n]|\[[^\]\s,]*\w-\w[^\]\s]*\]|(?<!\S)[~#])",
    re.DOTALL,
)
_SHELL_IN_QUOTES = re.compile(rf"\\.|(?P<operator>{_VARIABLE})", re.DOTALL)
# A line that goes on in the next, and what may hold its sign for another reason.
_CONTINUED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.""", re.DOTALL)
_ASSIGNMENT = re.compile(r"\s*(?P<operator>[A-Za-z_]\w*=)")


def read_command(value: object, shell: bool, problems: list[str]) -> tuple[str, ...]:
    """Read the key `command`; what is wrong is added to `problems`, one sentence each."""
    if value is None:  # a row of a table may have the command
        return ()
    if isinstance(value, str) and value.strip():
        return (value,) if shell else _split(value, problems)
    if (
        isinstance(value, list)
        and value
        and all(isinstance(part, str) for part in value)
        and not shell
    ):
        return tuple(value)
    wanted = "text" if shell else "text or a list of texts"
    problems.append(f"command is {value!r}; it must be {wanted}.")
    return ()


def _split(command: str, problems: list[str]) -> tuple[str, ...]:
    """Split a command as a shell would, refusing what only a shell could do."""
    line = _CONTINUED.sub(lambda part: " " if part[0] == "\\\n" else part[0], command).strip()
    try:
        words = shlex.split(line)
    except ValueError as error:
        problems.append(f"command {command!r} cannot be split into words: {error}.")
        return ()
    if operator := _shell_operator(_FIELD.sub("x", line)):
        problems.append(
            f"command {command!r} has {operator!r}, which only a shell understands, "
            'and no shell runs it: put "shell": true in the job file and write '
            '"$input_dir/$sample.txt", not {input_dir}/{sample}.txt. If the program itself is to '
            "get it, put it in single quotes, or give the command as a list of words."
        )
    return tuple(words)


def _shell_operator(command: str) -> str:
    """The first thing in a command that means something to a shell alone; '' if there is none."""
    if assignment := _ASSIGNMENT.match(command):
        return assignment["operator"]
    for part in _SHELL_PART.finditer(command):
        if part["operator"]:
            return part["operator"]
        for inner in _SHELL_IN_QUOTES.finditer(part["quoted"] or ""):
            if inner["operator"]:
                return inner["operator"]
    return ""
