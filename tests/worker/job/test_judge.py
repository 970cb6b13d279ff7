"""An error decides what becomes of its job by what it is, wherever it was raised."""

from __future__ import annotations

import errno
import http.client
import subprocess
import urllib.error
from collections.abc import Callable
from email.message import Message
from pathlib import Path

import pytest
from boto3.exceptions import RetriesExceededError, S3UploadFailedError
from botocore import exceptions as botocore
from botocore.exceptions import ClientError

from tests.gateway import Answer, Request, gateway, s3_error
from worker.files.reading import Damaged
from worker.files.refusals import readable
from worker.job.judge import judged, may_pass
from worker.job.outcomes import Ended, Failure, Hopeless, Interruption, LostLease, Trouble

from ..world import REPOSITORY, World
from .test_something import run_jobs


def refused(code: str, status: int = 400, **facts: str) -> ClientError:
    answer = {"Error": {"Code": code, "Message": "m", **facts}}
    return ClientError({**answer, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")  # type: ignore[typeddict-item]


PASSING = [
    *(refused(code, 503) for code in ("SlowDown", "ServiceUnavailable", "503")),
    *(refused(code, 500) for code in ("InternalError", "500")),
    *(refused(code) for code in ("ExpiredToken", "ExpiredTokenException", "RequestTimeout")),
    *(refused(code, 403) for code in ("RequestTimeTooSkewed", "InvalidAccessKeyId")),
    *(refused(code) for code in ("ThrottlingException", "RequestExpired", "PreconditionFailed")),
    refused("ACodeOfTomorrow"),
    botocore.EndpointConnectionError(endpoint_url="https://s3"),
    botocore.ReadTimeoutError(endpoint_url="https://s3"),
    botocore.ConnectTimeoutError(endpoint_url="https://s3"),
    botocore.ConnectionClosedError(endpoint_url="https://s3"),
    botocore.IncompleteReadError(actual_bytes=1, expected_bytes=2),
    botocore.NoCredentialsError(),
    botocore.CredentialRetrievalError(provider="iam-role", error_msg="timed out"),
    RetriesExceededError(refused("SlowDown")),  # type: ignore[arg-type]  # as boto3 makes it
    ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    TimeoutError("timed out"),
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.ENOTCONN, "Transport endpoint is not connected"),
    Damaged("arrived damaged"),
    http.client.IncompleteRead(b""),
    urllib.error.URLError("no route"),
    urllib.error.HTTPError("https://x", 503, "busy", Message(), None),
    urllib.error.HTTPError("https://x", 429, "slow", Message(), None),
    subprocess.CalledProcessError(1, "unzip"),
    MemoryError(),
]
STAYING = [
    *(refused(code, 404) for code in ("NoSuchKey", "NoSuchBucket", "404")),
    *(refused(code, 403) for code in ("AccessDenied", "403", "InvalidObjectState")),
    *(refused(code) for code in ("AccessDeniedException", "ResourceNotFoundException")),
    *(refused(code) for code in ("KMS.DisabledException", "KMS.NotFoundException")),
    *(refused(code) for code in ("InvalidRequest", "InvalidArgument", "ValidationException")),
    refused("AccessControlListNotSupported"),
    botocore.ParamValidationError(report="Invalid bucket name"),
    FileNotFoundError(errno.ENOENT, "No such file", "a.tif"),
    OSError(errno.ENAMETOOLONG, "File name too long"),
    urllib.error.HTTPError("https://x", 404, "gone", Message(), None),
    KeyError("well"),
    TypeError("no"),
]


@pytest.mark.parametrize("own_code", [False, True])
@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_may_pass_is_tried_again_wherever_it_was_raised(
    error: Exception, own_code: bool
) -> None:
    assert may_pass(error)
    if own_code or isinstance(error, (OSError, ClientError, botocore.BotoCoreError)):
        with pytest.raises(Trouble), judged(lambda: True, own_code=own_code):
            raise error


@pytest.mark.parametrize("error", STAYING, ids=repr)
def test_what_stays_is_given_up_at_once_wherever_it_was_raised(error: Exception) -> None:
    assert not may_pass(error)
    with (
        pytest.raises(Hopeless, match=r"^worker/something\.py: "),
        judged(lambda: True, own_code=True),
    ):
        raise error from None
    if isinstance(error, (OSError, ClientError, botocore.BotoCoreError)):
        with pytest.raises(Hopeless), judged(lambda: True):
            raise error


def end_of(error: Exception, cause: Exception | None, *, named: bool) -> Ended:
    """How something.py ends a job that raises an error from another, or while handling it."""
    with pytest.raises(Ended) as found, judged(lambda: True, own_code=True):
        if cause is None:
            raise error
        try:
            raise cause
        except type(cause) as caught:
            if named:
                raise error from caught
            raise error  # noqa: B904
    return found.value


@pytest.mark.parametrize("named", [False, True])
def test_an_error_made_of_another_is_what_that_one_is(named: bool) -> None:
    for wrapper in (RuntimeError("no table"), ValueError("no table"), S3UploadFailedError("no")):
        assert type(end_of(wrapper, refused("SlowDown"), named=named)) is Trouble
        assert type(end_of(wrapper, refused("AccessDenied"), named=named)) is Hopeless
        assert type(end_of(wrapper, None, named=named)) is Hopeless
        for ending in (Interruption("spot"), LostLease("gone"), Failure("once more")):
            assert end_of(wrapper, ending, named=named) is ending
    missing = Hopeless("The input s3://b/k does not exist.")
    assert str(end_of(RuntimeError("no table"), missing, named=named)) == str(missing)
    assert str(end_of(ValueError("no table"), missing, named=named)) == "no table"


def test_a_file_is_missing_for_good_only_if_its_folder_and_mount_are_there() -> None:
    kinds: dict[Callable[[], bool], type[Ended]] = {lambda: True: Hopeless, lambda: False: Trouble}
    for is_sound, kind in kinds.items():
        for own_code in (False, True):
            with pytest.raises(kind), judged(is_sound, own_code=own_code):
                raise FileNotFoundError(errno.ENOENT, "No such file", "a.tif")


def test_a_full_disk_names_its_cure() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(Trouble, match=r"No space.*Raise EBS_VOL_SIZE"), judged(lambda: True):
        raise full


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (refused("NoSuchKey", 404), r"s3://b/k does not exist\."),
        (refused("NoSuchBucket", 404), "bucket that does not exist"),
        (refused("InvalidObjectState", 403, StorageClass="GLACIER"), "archived in GLACIER: rest"),
        (refused("InvalidObjectState", 403), "archived in DEEP_ARCHIVE: restore it first"),
        (refused("KMS.DisabledException"), "KMS key .* kms:Decrypt, or enable the key"),
        (refused("AccessDenied", 403), "allow it s3:GetObject .* REQUESTER_PAYS"),
        (refused("403", 403), "allow it s3:GetObject"),
        (refused("InvalidRequest"), r"cannot be read: InvalidRequest: m\."),
    ],
    ids=repr,
)
def test_an_input_that_cannot_be_read_says_why_and_what_to_do(
    error: ClientError, reason: str
) -> None:
    with pytest.raises(Hopeless, match=reason), readable("s3://b/k", lambda: "DEEP_ARCHIVE"):
        raise error


# A worker meets them

BRINGING = """
from pathlib import Path


def prepare(job, directories):
    directories.bring(job.values["image"])


def command(job, directories):
    return ["cp", "-r", str(directories.input), str(directories.output)]


def check(job, directories, exit_code):
    return None
"""


def once(kind: str, path: str, method: str = "GET") -> Callable[[Request], Answer | None]:
    """Answers the first requests for an object, as many as the SDK makes in a try, with a fault."""
    left = [2 if kind == "expired" else 5]

    def answers(request: Request) -> Answer | None:
        if request.method != method or path not in request.path or not left[0]:
            return None
        left[0] -= 1
        return {
            "slow": s3_error(503, "SlowDown", "Please reduce your request rate."),
            "expired": s3_error(400, "ExpiredToken", "The provided token has expired."),
            "reset": Answer(0),
        }[kind]

    return answers


@pytest.mark.parametrize("kind", ["slow", "expired", "reset"])
def test_a_passing_fault_while_something_brings_files_costs_a_try_and_no_job(
    world: World, kind: str
) -> None:
    world.put("in/a.tif", "pixels")
    job = world.send({"image": "in/a.tif", "group": {"plate": "P1"}})
    with gateway(world.simulator.endpoint_url, once(kind, "/in/a.tif")) as way:
        world.variables["AWS_ENDPOINT_URL_S3"] = way.url
        run_jobs(world, BRINGING, job_retries=5)
    assert world.done() == [job]
    assert world.dead_letters() == []
    reasons = [ended.reason for ended in world.ended(job)]
    assert len(reasons) > 1 and not any("something.py" in reason for reason in reasons)


def test_archived_and_missing_objects_are_given_up_at_the_first_try(world: World) -> None:
    for key, storage_class in (("G", "GLACIER"), ("D", "DEEP_ARCHIVE")):
        world.aws.s3.put_object(
            Bucket=world.bucket,
            Key=f"in/{key}",
            Body=b"pixels",
            StorageClass=storage_class,  # type: ignore[arg-type]
        )
    jobs = {
        key: world.send({"inputs": [f"in/{key}"], "command": "true", "group": {"p": key}})
        for key in "GDN"
    }
    folder = world.send({"inputs": ["in/"], "command": "true", "group": {"p": "all"}})
    world.start_worker(job_retries=5)
    world.until_empty()
    world.stop()
    reasons = sorted(reason for _, reason in world.dead_letters())
    place = f"The input s3://{world.bucket}/in/"
    assert any(reason.startswith(f"{place}G is archived in GLACIER: restore") for reason in reasons)
    assert any(reason.startswith(f"{place}D is archived in DEEP_ARCHIVE") for reason in reasons)
    assert f"{place}N does not exist." in reasons
    assert all(len(world.ended(job)) == 1 for job in (*jobs.values(), folder))


def test_an_install_script_that_s3_cannot_send_just_now_ends_no_machine(world: World) -> None:
    world.put("setup/install.sh", "true")
    job = world.send({"command": "true", "group": {"plate": "P1"}})
    with gateway(world.simulator.endpoint_url, once("slow", "/setup/install.sh", "HEAD")) as way:
        world.start_worker({"INSTALL_SCRIPT": "setup/install.sh", "AWS_ENDPOINT_URL_S3": way.url})
        world.until_empty()
    world.stop()
    assert world.done() == [job]
    assert way.answered


def test_results_that_may_not_be_listed_are_a_reason_to_give_up(world: World) -> None:
    world.send({"command": "true", "output": "s3://no-such-bucket/out", "group": {"plate": "P1"}})
    world.start_worker(check_if_done_bool=True)
    world.until_empty()
    world.stop()
    ((_, reason),) = world.dead_letters()
    assert "NoSuchBucket" in reason


def test_cellprofiler_s_default_input_that_cannot_be_listed_just_now_is_not_left_out(
    world: World, tmp_path: Path
) -> None:
    source = (REPOSITORY / "examples" / "cellprofiler" / "something.py").read_text()
    for name in ("a.cppipe", "rules.txt"):
        world.put(f"ws/{name}", "CellProfiler Pipeline")
    world.put("ws/load.csv", "Metadata_Well,FileName_D,PathName_D\nA01,rules.txt,ws\n")
    job = world.send(
        {
            "pipeline": "ws/a.cppipe",
            "data_file": "ws/load.csv",
            "input": "ws",
            "output": "out",
            "Metadata": "Metadata_Well=A01",
        }
    )
    program = tmp_path / "cellprofiler"
    program.write_text(
        '#!/bin/sh\nwhile [ "$1" != -d ]; do [ "$1" = -i ] && cat "$2/rules.txt"; shift; done\n'
        'echo Complete > "$2"\n'
    )
    program.chmod(0o755)
    world.variables["PATH"] = f"{tmp_path}:{world.environment()['PATH']}"
    with gateway(world.simulator.endpoint_url, once("slow", "prefix=ws%2F")) as way:
        world.variables["AWS_ENDPOINT_URL_S3"] = way.url
        run_jobs(world, source, job_retries=5)
    assert world.done() == [job]
    assert way.answered
    assert "is not brought" not in world.worker_log()
