"""Check that no constant of the config still holds what it was shipped with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...command_lines import build_line
from ...inputs.placeholders import (
    is_address_placeholder,
    is_bucket_placeholder,
    is_image_placeholder,
    is_placeholder,
)
from ..setting_up.image_check import of_upstream
from .findings import Finding, apart, missing, warning

if TYPE_CHECKING:
    from ...inputs.settings import Settings


def placeholders(settings: Settings) -> Iterator[Finding]:
    """What a run would lack, or nobody would notice, for want of a value of the user's own."""
    buckets = {
        "AWS_BUCKET": settings.aws_bucket,
        "SOURCE_BUCKET": settings.source_bucket,
        "WORKSPACE_BUCKET": settings.workspace_bucket,
        "DESTINATION_BUCKET": settings.destination_bucket,
    }
    for constant, name in buckets.items():
        if name and is_bucket_placeholder(name):
            fix = f"set {constant} to your bucket"
            make = "`python setup_AWS.py --bucket NAME` creates one"
            yield missing("bucket", _told(constant, name), f"{fix}; {make}")
    yield from _image(settings.dockerhub_tag)
    if is_placeholder(settings.task_role_arn):
        fix = 'set it to a role of your account, or to "" for the one that setup_AWS.py creates'
        yield missing("task role", _told("TASK_ROLE_ARN", settings.task_role_arn), fix)
    if is_placeholder(settings.ssh_key_name):
        fix = (
            'set it to the name of your key pair, or to ""; machines get the fleet file\'s KeyName'
        )
        yield warning("key pair", _told("SSH_KEY_NAME", settings.ssh_key_name), fix)
    for constant, value in (
        ("NOTIFY_EMAIL", settings.notify_email),
        ("NOTIFY_TOPIC", settings.notify_topic),
    ):
        if value and is_address_placeholder(value):
            yield missing("notices", _told(constant, value), f'correct {constant}, or set it to ""')


def _image(name: str) -> Iterator[Finding]:
    if refusal := of_upstream(name):
        yield missing("image", *apart(refusal))
    elif is_image_placeholder(name):
        fix = (
            "name a repository that you may push to, then build and push the image: "
            f"`{build_line()}`"
        )
        yield missing("image", _told("DOCKERHUB_TAG", name), fix)


def _told(constant: str, value: str) -> str:
    return f"{constant} = {value!r} is a placeholder"
