"""Answers of AWS that a test gives, each held against botocore's model of the operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.validate import ParamValidator

from tests.lives import answer, handling


@contextmanager
def answering(
    client: Any, operation: str, change: Callable[[dict[str, Any]], None]
) -> Iterator[None]:
    """Change what AWS answers to an operation meanwhile.

    Fails where AWS could not have said it: a key or a type that the operation's model has not.
    """

    def act(parsed: dict[str, Any], **_: Any) -> None:
        change(parsed)
        _validate(client, operation, parsed)

    with handling([client], f"after-call.*.{operation}", act):
        yield


@contextmanager
def instead(
    client: Any, operation: str, said: Callable[[dict[str, Any]], dict[str, Any]]
) -> Iterator[None]:
    """Answer an operation in AWS's place meanwhile; `said` gets the request's parameters."""
    asked: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        asked.append(params)

    def act(**_: Any) -> tuple[Any, dict[str, Any]]:
        answer_ = said(asked[-1])
        _validate(client, operation, answer_)
        return answer(200, b""), answer_

    with (
        handling([client], f"provide-client-params.*.{operation}", note),
        handling([client], f"before-call.*.{operation}", act),
    ):
        yield


def _validate(client: Any, operation: str, said: dict[str, Any]) -> None:
    model = client.meta.service_model.operation_model(operation)
    own = {key: value for key, value in said.items() if key != "ResponseMetadata"}
    report = ParamValidator().validate(own, model.output_shape)
    assert not report.has_errors(), report.generate_report()
