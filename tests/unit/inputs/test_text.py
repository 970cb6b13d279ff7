"""Texts of users: encodings, pipes, and JSON's faults in a person's words."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from distributed_something.errors import UsageError
from distributed_something.inputs.job_files import open_job_file
from distributed_something.inputs.json_faults import parse_json
from distributed_something.inputs.text import decode, read_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_is_read_as_editors_and_powershell_write_it(encoding: str) -> None:
    assert decode("Ä1".encode(encoding), "a.json") == "Ä1"


def test_a_text_in_another_encoding_is_refused_with_its_line() -> None:
    with pytest.raises(UsageError, match=r"a.json, line 2: the text is not UTF-8"):
        decode("a\nÄ".encode("latin-1"), "a.json")


@pytest.mark.parametrize("path", ["nowhere.json", "/", "a\0b", "n" * 400])
def test_a_file_that_cannot_be_read_is_named(path: str) -> None:
    for read in (lambda p: read_text(p, "fleet file"), lambda p: open_job_file(p, {})):
        with pytest.raises(UsageError, match=r"(fleet|job) file"):
            read(Path(path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1, column 1: this is not JSON: it is empty"),
        ('{"a": }', "line 1, column 7: this is not JSON: a value is missing"),
        ('{\n"a" 1}', "line 2, column 5: this is not JSON: there is no : between"),
        ('{"a": 1 "b": 2}', "no comma between two values"),
        ("[1, 2,]", "remove the comma before ]"),
        ('{"a": "b', "the string that starts here has no closing quote"),
        ('{"a": "b\nc"}', "a string contains a line break or control character"),
        ('{"a": "C:\\dir"}', "a backslash stands before"),
        ("{} {}", "there is more text after the end"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "a number of thousands of digits"),
    ],
)
def test_each_fault_of_json_is_told_in_our_words(text: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_json(text, "a.json")
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("content", "noun"),
    [
        (b'{"command": "echo {a}", "groups": [{"a": 1}, {"a": 2}]}', "Group"),
        (b'{\n "groups": [{"a": 1},\n {"a": 2}]}', "Group"),
        (b'{"a": 1}\n{"a": 2}\n', "Line"),
        (b"a,b\n1,2\n2,3\n", "Row"),
        (b"a\tb\n1\t2\n2\t3\n", "Row"),
    ],
)
def test_a_pipe_is_a_job_file_of_the_kind_that_its_content_shows(
    tmp_path: Path, content: bytes, noun: str
) -> None:
    pipe = tmp_path / "63"  # such as a shell's <(...)
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=(content,), daemon=True).start()
    file = open_job_file(pipe, {})
    assert file.noun == noun
    assert len(list(file.groups())) == len(list(file.groups())) == 2
