"""What counts as a secret, what does not, and what is hidden of it."""

from __future__ import annotations

import pytest

from distributed_something.protocol.values.secrets import (
    HIDDEN,
    Redactor,
    find_secrets,
    is_reference,
    is_secret,
    is_secret_name,
    is_token,
    redacted,
    without_secrets,
)
from tests.secret_names import HARMLESS_NAMES, SECRET_NAMES

A36 = "a1B2" * 9
SECRETS_MANAGER = "arn:aws:secretsmanager:us-east-1:123456789012:secret:omero-AbCdEf"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/lab/omero"
TOKENS = [
    "AKIAIOSFODNN7EXAMPLE",
    f"ghp_{A36}",
    f"github_pat_{A36}",
    f"glpat-{A36}",
    f"hf_{A36}",
    f"sk-proj-{A36}",
    f"sk-{A36[:20]}T3BlbkFJ{A36[:20]}",
    "xoxb-123456789012-abcdef",
    f"AIza{A36[:35]}",
    f"eyJhbGciOiJI.eyJzdWIiOiIx.{A36}",
    f"Authorization: Bearer {A36}",
    "postgres://lab:hunter2@db.example.org/plates",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----",
]
HARMLESS_VALUES = [
    "9b74c9897bac770ffc029102a200c5de",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "BR00116991",
    "AKIAGLVDEKLMNPRSTVWY",  # a peptide
    "MAKIAIOSFODNN7EXAMPLEKK",
    "ACGTACGTACGTACGTACGTACGTACGTACGTACGTACGT",
    "hf_images/plate1",
    "sk-plate-2021-01-01-experiment-of-the-week",
    "s3://bucket/key",
    "https://example.org:8080/a@b",
    "https://{user}:{password}@example.org/",
    "postgres://lab:$PGPASSWORD@db/plates",
    "bearer of bad news and of nothing else whatsoever",
    "0123456789" * 4,
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_that_says_secret_is_known_as_one(name: str) -> None:
    assert is_secret_name(name)
    assert is_secret(name, "hunter2")


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_name_that_only_sounds_alike_is_none(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("value", TOKENS)
def test_a_token_is_known_by_its_form_whatever_its_name(value: str) -> None:
    assert is_token(value) and is_secret("PLATE", value)
    said = redacted(f"before {value} after")
    assert HIDDEN in said and said.startswith("before ")
    assert value not in said and "hunter2" not in said


@pytest.mark.parametrize("value", HARMLESS_VALUES)
def test_a_barcode_a_hash_or_a_sequence_is_no_token(value: str) -> None:
    assert not is_token(value)
    assert redacted(value) == value


@pytest.mark.parametrize("value", ["", None, True, "True", "false"])
def test_a_switch_or_nothing_is_no_secret_whatever_its_name(value: object) -> None:
    assert not is_secret("AUTH", value)


@pytest.mark.parametrize(
    "arn",
    [
        SECRETS_MANAGER,
        f"{SECRETS_MANAGER}:password::",
        PARAMETER,
        PARAMETER.replace("arn:aws:", "arn:aws-cn:"),
    ],
)
def test_a_reference_is_no_secret(arn: str) -> None:
    assert is_reference(arn) and not is_secret("OMERO_PASSWORD", arn)


@pytest.mark.parametrize("text", ["arn:aws:s3:::bucket", f"see {PARAMETER}", "hunter2", 3])
def test_nothing_else_is_a_reference(text: object) -> None:
    assert not is_reference(text)


def test_secrets_are_found_and_hidden_however_deep() -> None:
    value = {"a": [{"API_KEY": "x"}, f"see ghp_{A36}"], "b": {"PASSWORD": ["y"]}, "c": "plain"}
    assert list(find_secrets(value)) == ["API_KEY", "a", "PASSWORD"]
    assert without_secrets(value) == {
        "a": [{"API_KEY": HIDDEN}, HIDDEN],
        "b": {"PASSWORD": [HIDDEN]},
        "c": "plain",
    }


def test_what_a_worker_was_given_by_reference_is_hidden_in_lines() -> None:
    redact = Redactor.of_environment(
        {
            "WORKER_SECRETS": "OMERO_LOGIN",
            "OMERO_LOGIN": '{"user": "lab-user", "password": "correct horse"}',
            "API_KEY": "opensesame",
            "PLATE": "P1-plate",
        }
    )
    said = redact.line("lab-user with correct horse and opensesame on P1-plate")
    assert said == f"{HIDDEN} with {HIDDEN} and {HIDDEN} on P1-plate"


def test_a_private_key_is_hidden_line_by_line() -> None:
    redact = Redactor()
    key = ["-----BEGIN RSA PRIVATE KEY-----", "MIIEpAIB", "-----END RSA PRIVATE KEY-----"]
    said = [redact.line(line) for line in ["key:", *key, "done"]]
    assert said == ["key:", HIDDEN, HIDDEN, HIDDEN, "done"]


@pytest.mark.parametrize(
    "text", ["PGPASSWORD=hunter2 psql", "export API_KEY='hunter2'", 'docker -e TOKEN="hunter2"']
)
def test_a_secret_variable_that_is_given_a_value_is_a_secret(text: str) -> None:
    assert is_token(text) and "hunter2" not in redacted(text)


@pytest.mark.parametrize(
    "text", ["PGPASSWORD=$PGPASSWORD psql", "API_KEY={key}", "PLATE=P1", "AUTH=true", "x == TOKEN"]
)
def test_a_variable_that_is_given_a_field_or_another_is_none(text: str) -> None:
    assert redacted(text) == text
