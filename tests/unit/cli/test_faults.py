"""What a user can meet becomes a sentence and an exit code; a bug of ours stays a traceback."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions

from distributed_something.cli.connection import connect
from distributed_something.cli.context import EXIT_FAILED
from distributed_something.cli.faults import explain
from tests.builders import settings

EXPIRED = {
    "Version": 1,
    "AccessKeyId": "made-up",
    "SecretAccessKey": "made-up",
    "Expiration": "2020-01-01T00:00:00Z",
}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            exceptions.CredentialRetrievalError(provider="custom-process", error_msg="no\nticket."),
            ("custom-process (no ticket)", "credential_process", "aws configure"),
        ),
        (
            exceptions.MetadataRetrievalError(error_msg="Timed out"),
            ("role", "(Timed out)", "try again"),
        ),
        (
            exceptions.InvalidConfigError(error_msg="No role_arn."),
            ("(No role_arn)", "~/.aws/config"),
        ),
        (
            exceptions.InfiniteLoopConfigError(source_profile="a", visited_profiles=["a"]),
            ("profile a", "~/.aws/config"),
        ),
        (
            exceptions.ConfigParseError(path="/home/ada/.aws/config", error="no headers"),
            ("(no headers)", "correct /home/ada/.aws/config"),
        ),
        (exceptions.ConfigParseError(path="/x/config"), ("parse", "correct /x/config")),
        (exceptions.UnauthorizedSSOTokenError(), ("aws sso login",)),
        (
            exceptions.MissingDependencyException(msg="needs botocore[crt]"),
            ("gave up", "botocore[crt]"),
        ),
        (exceptions.WaiterError(name="x", reason="{y}", last_response={}), ("gave up", "{y}")),
    ],
)
def test_what_botocore_gives_up_over_is_told_in_a_line(
    error: Exception, words: tuple[str, ...]
) -> None:
    told = explain(error)
    assert told is not None
    sentence, code = told
    assert code == EXIT_FAILED
    assert all(word in sentence for word in words), sentence
    assert sentence.endswith(".") and ".." not in sentence and "\n" not in sentence


@pytest.mark.parametrize(
    "name",
    ["LoginRefreshRequired", "LoginInsufficientPermissions", "LoginAuthorizationCodeError"],
)
def test_a_sign_in_of_newer_releases_that_is_over_is_told(name: str) -> None:
    kind = getattr(exceptions, name, None)
    if kind is None:
        pytest.skip("This botocore knows no `aws login`.")
    told = explain(kind(error_msg="gone"))
    assert told is not None and "run `aws login`." in told[0]


@pytest.mark.parametrize(
    "process",
    [
        "sh -c 'echo no ticket >&2; exit 3'",
        "/nowhere/get-credentials",
        "echo hello",
        f"echo '{json.dumps(EXPIRED)}'",
    ],
)
def test_a_credential_process_that_fails_in_any_way_is_told(
    process: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "aws_config"
    config.write_text(f"[default]\ncredential_process = {process}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(Exception) as met:
        connect(settings()).s3.list_buckets()
    told = explain(met.value)
    assert told is not None and told[1] == EXIT_FAILED
    assert "No AWS credentials came from" in told[0] and "credential_process" in told[0]


def test_an_account_whose_roles_need_a_boundary_is_told_the_way() -> None:
    denied: Any = {"Error": {"Code": "AccessDenied", "Message": "with an explicit deny"}}
    told = explain(exceptions.ClientError(denied, "CreateRole"))
    assert told is not None
    assert "--permissions-boundary ARN" in told[0] and "--show" in told[0]
    told = explain(exceptions.ClientError(denied, "CreateQueue"))
    assert told is not None and told[0].endswith("Ask for the right, then try again.")


def test_a_bug_of_ours_is_not_explained_away() -> None:
    assert explain(exceptions.ParamValidationError(report="Unknown parameter")) is None
    assert explain(OSError(5, "Input/output error")) is None
    assert explain(KeyError("plate")) is None


@pytest.mark.parametrize(
    "code", ["InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure", "403"]
)
@pytest.mark.parametrize(("off", "words"), [(720.0, "12 minutes fast"), (-660.0, "11 minutes s")])
def test_a_clock_that_is_off_is_named_with_its_minutes(code: str, off: float, words: str) -> None:
    error = answer_of(code, time.time() - off)
    told = explain(error)
    assert told is not None and told[1] == EXIT_FAILED
    assert words in told[0]
    right = explain(answer_of(code, time.time()))
    assert right is not None and "clock of this computer is" not in right[0]


def answer_of(code: str, when: float) -> exceptions.ClientError:
    """What AWS answers at a time of its clock."""
    response: Any = {
        "Error": {"Code": code, "Message": "Refused."},
        "ResponseMetadata": {"HTTPHeaders": {"date": formatdate(when, usegmt=True)}},
    }
    return exceptions.ClientError(response, "HeadBucket")
