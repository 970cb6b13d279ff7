"""Who makes a request: an operator's verb, the worker, the machine's agent, the Lambda, a test.

Within the tests' process the innermost frame of ours says it, and each request carries it in a
header. A request without it comes from another process, whose key says it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import local
from types import CodeType, FrameType
from typing import Any

from botocore.endpoint import Endpoint

from distributed_something.definitions.account import LAMBDA_ROLE, TASK_ROLE
from distributed_something.local.simulator.keys import WORKERS, holder_of

OPERATOR, ADMINISTRATOR, WORKER = "operator", "administrator", "worker"
MACHINE, LAMBDA, NOBODY = "machine", "lambda", ""
HEADER = "X-Caller"

_ROOT = f"{Path(__file__).parents[2]}/"
# The first of these that begins a frame's file, from the innermost frame on, says whose it is;
# other files of ours are called by all.
_FILES = {
    "tests/": NOBODY,
    "worker/": WORKER,
    "distributed_something/local/machines/": MACHINE,
    "distributed_something/local/": NOBODY,
    "distributed_something/commands/setting_up/setup_account.py": ADMINISTRATOR,
    "distributed_something/cli/verbs/setup_account.py": ADMINISTRATOR,
    "distributed_something/commands/": OPERATOR,
    "distributed_something/cli/": OPERATOR,
}
_LAMBDA_FILE = f"{_ROOT}distributed_something/commands/watching/auto_monitor.py"
_files: dict[CodeType, str | None] = {}
_OF_HOLDERS = {TASK_ROLE: WORKER, LAMBDA_ROLE: LAMBDA, "admin": ADMINISTRATOR}
_here = local()  # whose work this thread does, if another one gave it


def find_caller() -> str:
    """Whose request is about to be made in this thread."""
    found: str | None = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        whose = _file_of(code)
        if found is None:
            found = whose
            if found not in (None, OPERATOR):
                return str(found)
        elif whose == NOBODY:
            return found
        if code.co_filename == _LAMBDA_FILE:
            return LAMBDA
        frame = frame.f_back
    return found if found is not None else str(getattr(_here, "caller", NOBODY))


def _file_of(code: CodeType) -> str | None:
    if code not in _files:
        path = code.co_filename
        name = path.removeprefix(_ROOT) if path.startswith(_ROOT) else ""
        is_this = path == __file__
        whose = [] if is_this else [who for start, who in _FILES.items() if name.startswith(start)]
        _files[code] = whose[0] if whose else None
    return _files[code]


def caller_of(header: str | None, access_key: str) -> str:
    """Who made a request that has come in."""
    if header is not None:
        return header
    is_worker = access_key.startswith(WORKERS)
    return WORKER if is_worker else _OF_HOLDERS.get(holder_of(access_key), OPERATOR)


def mark_requests() -> None:
    """Let every request of this process carry its caller, whichever thread makes it."""
    send, submit = Endpoint.make_request, ThreadPoolExecutor.submit

    def marked(self: Endpoint, model: Any, request: dict[str, Any]) -> Any:
        request["headers"][HEADER] = find_caller()
        return send(self, model, request)

    def passed_on(
        self: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **more: Any
    ) -> Future[Any]:
        return submit(self, _as(find_caller(), work), *args, **more)

    Endpoint.make_request = marked  # type: ignore[method-assign, assignment]
    ThreadPoolExecutor.submit = passed_on  # type: ignore[assignment, method-assign]


def _as(caller: str, work: Callable[..., Any]) -> Callable[..., Any]:
    def do(*args: Any, **more: Any) -> Any:
        before = getattr(_here, "caller", NOBODY)
        _here.caller = caller
        try:
            return work(*args, **more)
        finally:
            _here.caller = before

    return do
