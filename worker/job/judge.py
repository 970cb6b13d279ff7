"""Judge an error of a job by what it is, wherever it was raised: it may pass, or it stays."""

from __future__ import annotations

import errno
import http.client
import logging
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from typing import Any

from boto3.exceptions import Boto3Error, RetriesExceededError, S3TransferFailedError
from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError, ClientError

from distributed_something.protocol.jobs import BadJob

from .outcomes import Ended, Hopeless, Trouble

logger = logging.getLogger(__name__)

# What AWS answers to a request that it will refuse again: there is no such thing, the right is
# missing, or the request itself is wrong. All else may pass, codes that are unknown here too.
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_STAYS = frozenset(
    {
        *("NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NotFound", "404", "405"),
        *("ResourceNotFound", "QueueDoesNotExist", "ParameterNotFound", "SecretNotFound"),
        *("AccessDenied", "Forbidden", "403", "UnauthorizedOperation", "AllAccessDisabled"),
        *("AccessControlListNotSupported", "InvalidPayer", "AccountProblem"),
        *("InvalidObjectState", "MethodNotAllowed", "NotImplemented", "UnsupportedOperation"),
        *("KMS.Disabled", "KMS.NotFound", "KMS.KMSInvalidState", "KMS.InvalidKeyUsage"),
        *("InvalidArgument", "InvalidRequest", "InvalidBucketName", "InvalidStorageClass"),
        *("InvalidParameter", "InvalidParameterValue", "MissingParameter", "InvalidURI"),
        *("Validation", "ValidationError", "EntityTooLarge", "KeyTooLongError"),
        *("MetadataTooLarge", "InvalidTag", "InvalidEncryptionAlgorithmError"),
    }
)
# Requests that botocore does not even send.
_NEVER_SENT = (
    botocore.ParamValidationError,
    botocore.ValidationError,
    botocore.DataNotFoundError,
    botocore.InvalidRegionError,
    botocore.InvalidDNSNameError,
    botocore.UnknownKeyError,
    botocore.UnknownClientMethodError,
    botocore.UnsupportedS3ArnError,
    botocore.UnsupportedS3ConfigurationError,
    botocore.MissingDependencyException,
)
# What a path is, which another try does not change.
_OF_THE_PATH = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP}
    | {errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EINVAL, errno.EILSEQ, errno.EXDEV}
)
_HTTP_PASSES = frozenset({408, 409, 423, 425, 429})  # of those below 500

# What the worker's own steps meet. Anything else there is a mistake of ours.
FOREIGN = (ClientError, BotoCoreError, Boto3Error, OSError)
# Troubles by their kind alone: a network that breaks off, memory or processes that ran out, and a
# command that failed, which is tried again as a job's own is.
_TROUBLES = (
    BotoCoreError,
    OSError,
    RetriesExceededError,
    S3TransferFailedError,
    http.client.HTTPException,
    subprocess.SubprocessError,
    BrokenExecutor,
    MemoryError,
)


def may_pass(error: BaseException) -> bool:
    """Whether the same may succeed later: AWS, the network or this machine is unwell for now."""
    if isinstance(error, ClientError):
        return not is_refused(error)
    if (status := _http_status(error)) is not None:
        return status >= 500 or status in _HTTP_PASSES
    if isinstance(error, _NEVER_SENT):
        return False
    if isinstance(error, OSError) and error.errno in _OF_THE_PATH:
        return False
    return isinstance(error, _TROUBLES)


def is_refused(error: ClientError) -> bool:
    """Whether AWS will answer so again."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return code.removesuffix("Exception") in _STAYS


def _http_status(error: BaseException) -> int | None:
    """The status that an error of another library carries, as those of urllib and requests do."""
    answer: Any = getattr(error, "response", None)
    for status in (getattr(answer, "status_code", None), getattr(error, "code", None)):
        if isinstance(status, int) and 400 <= status < 600:
            return status
    return None


@contextmanager
def judged(is_sound: Callable[[], bool], *, own_code: bool = False) -> Iterator[None]:
    """Turn an error into how the attempt ends: Trouble for what may pass, Hopeless for the rest.

    `is_sound` says whether the job's folder and mount are there: a file that is not, is missing
    because of them otherwise. `own_code` is worker/something.py, each of whose errors is judged.
    """
    try:
        yield
    except (Ended, BadJob):
        raise
    except Exception as error:
        if not own_code and not isinstance(error, FOREIGN):
            raise
        raise _ended(error, is_sound, own_code=own_code) from error


def _ended(error: Exception, is_sound: Callable[[], bool], *, own_code: bool) -> Ended:
    """The end of an attempt; what an error was raised from, or while handling what, counts too."""
    reason = f"{type(error).__name__}: {error}"
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, Ended) and not isinstance(cause, Hopeless):
            return cause  # the worker was asked to stop, say, and another error was made of it
    if any(may_pass(cause) or _is_of_ground(cause, is_sound) for cause in chain):
        return Trouble(reason + _full(chain))
    if not own_code:
        return Hopeless(reason)
    if isinstance(error, ValueError):
        return Hopeless(str(error))
    for cause in chain:
        if isinstance(cause, Hopeless):
            return cause
    logger.error("worker/something.py failed.", exc_info=error)
    return Hopeless(f"worker/something.py: {reason}")


def _is_of_ground(error: BaseException, is_sound: Callable[[], bool]) -> bool:
    return isinstance(error, FileNotFoundError) and not is_sound()


def _full(chain: list[BaseException]) -> str:
    if any(isinstance(cause, OSError) and cause.errno == errno.ENOSPC for cause in chain):
        return " Raise EBS_VOL_SIZE, or run fewer jobs at once."
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, what it was raised from or while handling, and so on."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        if found.__cause__ is not None or found.__suppress_context__:
            found = found.__cause__
        else:
            found = found.__context__
