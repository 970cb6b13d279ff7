"""Turn an error of worker/something.py into the reason why an attempt ended."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from distributed_something.protocol.jobs import BadJob

from .outcomes import Ended, Hopeless

logger = logging.getLogger(__name__)


@contextmanager
def own_code() -> Iterator[None]:
    """Around calls of worker/something.py: no job whose code fails so can succeed."""
    try:
        yield
    except (Ended, BadJob):
        raise
    except ValueError as error:
        raise Hopeless(str(error)) from error
    except Exception as error:
        logger.exception("worker/something.py failed.")
        raise Hopeless(f"worker/something.py: {type(error).__name__}: {error}") from error
