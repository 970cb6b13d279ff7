"""Say in a person's words what is wrong with JSON."""

from __future__ import annotations

import json


def fault_words(fault: json.JSONDecodeError) -> str:
    """What Python's reader says, and the slip that is likeliest: a comma after the last one."""
    before, after = fault.doc[: fault.pos].rstrip(), fault.doc[fault.pos :].lstrip()
    if before.endswith(",") and after[:1] in ("]", "}"):
        return f"{fault.msg}; there is a comma too many before the {after[0]}"
    return fault.msg
