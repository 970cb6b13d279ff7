"""Refuse secrets in what people wrote, with the way to give them to a tool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..protocol.values.safe_values import is_taken
from ..protocol.values.secrets import find_secrets, is_reference, is_secret_name, may_hold_token

_PAGE = "documentation/security.md#secrets-of-your-tool"
_ARN = "'arn:aws:secretsmanager:...'"
_OTHERWISE = "If it is no secret, give it another name"


def constant_fault(name: str, value: object) -> str:
    """What is wrong with a constant of the config file that holds a secret, or ''."""
    secret = next(find_secrets(value, name), None)
    if secret is None:
        return ""
    return (
        f"{name}: {_why(secret)}, and everyone who can see the task definition could read its "
        f"value. Keep it in AWS Secrets Manager and give its ARN, {name} = {_ARN}, or give the "
        f"task role the right instead: {_PAGE}. {_OTHERWISE}."
    )


def reference_fault(name: str) -> str:
    """What is wrong with the name of a constant that refers to a secret, or ''."""
    if not is_taken(name) and not name.startswith("WORKER_"):
        return ""
    return (
        f"{name}: a secret of this name would take the place of what workers need themselves. "
        f"Give it another name, such as MY_{name}."
    )


def is_secret_reference(name: str, value: object) -> bool:
    """Whether a constant stands for the secret that it names; `..._ARN` stands for itself."""
    return is_reference(value) and not name.endswith("_ARN")


def job_faults(values: object) -> Iterator[str]:
    """A sentence for each secret in what a job file says of its jobs, or of one of them."""
    for name in dict.fromkeys(find_secrets(values)):
        yield (
            f"{name or 'its value'}: {_why(name)}, and who can read the queue or the bucket could "
            f"read it. Put {_variable(name)} = {_ARN} into config.py, which gives it to every job "
            f"as a variable: {_PAGE}. {_OTHERWISE}."
        )
    for name in _unfetched(values):
        yield (
            f"{name}: ECS fetches only the secrets that config.py refers to, so that jobs would "
            f"get the ARN itself. Put {_variable(name)} = {_ARN} into config.py: {_PAGE}."
        )


def may_hold_secrets(value: object, text: str) -> bool:
    """Whether a group, and its JSON, deserve a longer look for secrets."""
    if may_hold_token(text) or "{" in text[1:]:
        return True
    return isinstance(value, Mapping) and any(map(is_secret_name, value))


def _why(name: str) -> str:
    return "its name is that of a secret" if is_secret_name(name) else "it holds a secret"


def _unfetched(values: object) -> Iterator[str]:
    """The variables of a job file that refer to secrets by names that say so."""
    environment = values.get("environment") if isinstance(values, Mapping) else None
    if isinstance(environment, Mapping):
        for name, value in environment.items():
            if is_reference(value) and is_secret_name(str(name)):
                yield str(name)


def _variable(name: str) -> str:
    kept = "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in name.upper())
    return kept if is_secret_name(name) else "MY_SECRET"
