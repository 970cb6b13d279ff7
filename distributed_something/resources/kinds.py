"""What a kind of resource is, and whose resources are meant."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..definitions.tags import app_tags, run_tags

if TYPE_CHECKING:
    from ..aws.session import Aws
    from ..protocol.ledger.record import RunRecord


@dataclass(frozen=True)
class Owner:
    """Whose resources are meant: those of one run or, with `whole_app`, of all runs of its app."""

    record: RunRecord
    whole_app: bool = False
    keeps_schedule: bool = False  # the caller deletes it, when nothing is left to do
    sleep: Callable[[float], None] = time.sleep

    @property
    def tags(self) -> dict[str, str]:
        """The tags of what is meant; none for a run of upstream's, whose resources have none."""
        if self.whole_app:
            return app_tags(self.record.app_name)
        run_id = self.record.run_id
        return run_tags(self.record.app_name, run_id) if run_id else {}


@dataclass(frozen=True)
class Found:
    """A resource that exists; `detail` says how it is, in a few words."""

    name: str
    detail: str = ""


@dataclass(frozen=True)
class Resource:
    """A resource of an app; `stays` says that no teardown deletes it."""

    kind: str
    name: str
    detail: str = ""
    stays: bool = False


def _no_names(_: object) -> Iterable[str]:
    return ()


def _find_none(_: Aws, __: Owner) -> Iterator[Found]:
    return iter(())


@dataclass(frozen=True)
class ResourceKind:
    """A kind of resource: how to list the account's, to find an owner's, and to delete those.

    `delete` deletes what there is and is safe to repeat; it raises one of `aws.faults.FAULTS`.
    """

    name: str
    list_all: Callable[[Aws], Iterable[str]] = _no_names  # all names in account and region
    find: Callable[[Aws, Owner], Iterator[Found]] = _find_none
    delete: Callable[[Aws, Owner], object] | None = None
    step: str = ""  # what `delete` does; completes the sentence "Could not ..."
    action: str = ""  # the right that `delete` takes
    is_last: bool = False  # not deleted while another step failed: the next try needs it
    staying: Callable[[RunRecord], Iterable[str]] = _no_names  # names that a teardown keeps
    reason: str = ""  # why they stay
    listed_as: str = ""  # the kind whose `list_all` lists this one's names, if it is another

    @property
    def is_listed(self) -> bool:
        """Whether an inventory of the account shows this kind."""
        return bool(self.listed_as) or self.list_all is not _no_names
