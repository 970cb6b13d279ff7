"""Answers of AWS that a test gives, each held against botocore's model of the operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.validate import ParamValidator

from tests.lives import handling


@contextmanager
def answering(
    client: Any, operation: str, change: Callable[[dict[str, Any]], None]
) -> Iterator[None]:
    """Change what AWS answers to an operation meanwhile.

    Fails where AWS could not have said it: a key or a type that the operation's model has not.
    """
    model = client.meta.service_model.operation_model(operation)

    def act(parsed: dict[str, Any], **_: Any) -> None:
        change(parsed)
        said = {key: value for key, value in parsed.items() if key != "ResponseMetadata"}
        report = ParamValidator().validate(said, model.output_shape)
        assert not report.has_errors(), report.generate_report()

    with handling([client], f"after-call.*.{operation}", act):
        yield
