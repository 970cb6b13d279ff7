"""Read JSON, and say in a person's words and by line what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

from ..errors import UsageError

# What Python's reader says, and what a person needs to know.
_WORDS = {
    "Expecting value": "a value is missing or not valid JSON",
    "Expecting property name enclosed in double quotes": "a name in double quotes is missing",
    "Expecting ':' delimiter": "there is no : between a name and its value",
    "Expecting ',' delimiter": "there is no comma between two values, or a bracket is missing",
    "Unterminated string starting at": "the string that starts here has no closing quote",
    "Invalid control character at": "a string contains a line break or control character",
    "Extra data": "there is more text after the end of the JSON",
    "Illegal trailing comma before end of object": "remove the comma before }",
    "Illegal trailing comma before end of array": "remove the comma before ]",
}
_ESCAPE = "a backslash stands before a character that needs none; write \\\\ for a backslash"
TOO_DEEP = "its JSON is nested too deeply"


def fault_words(fault: json.JSONDecodeError) -> str:
    """What is wrong with the JSON, as the rest of a sentence."""
    before, after = fault.doc[: fault.pos].rstrip(), fault.doc[fault.pos :].lstrip()
    if before.endswith(",") and after[:1] in ("]", "}"):
        return f"remove the comma before {after[0]}"
    if not fault.doc.strip():
        return "it is empty"
    if "escape" in fault.msg:
        return _ESCAPE
    return _WORDS.get(fault.msg, fault.msg)


def parse_json(text: str, source: str) -> Any:
    """The value of a JSON text; raises UsageError with `source`, line and column."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as fault:
        place = f"{source}, line {fault.lineno}, column {fault.colno}"
        raise UsageError(f"{place}: this is not JSON: {fault_words(fault)}.") from None
    except RecursionError:
        raise UsageError(f"{source}: {TOO_DEEP}.") from None
    except ValueError as fault:
        raise UsageError(f"{source} cannot be read: {number_words(fault)}.") from None


def number_words(fault: ValueError) -> str:
    """Of the one other error that the reader has: Python reads at most 4,300 digits."""
    if "digits" in str(fault):
        return "it holds a number of thousands of digits; put it in quotes"
    return str(fault)
