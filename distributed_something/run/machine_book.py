"""Remember which machines a run had, and since when: EC2 forgets them an hour after their end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from ..protocol.ledger.objects import MOST_FETCHED
from ..protocol.ledger.unreadable import Unreadable, build, check_value, read_object
from .money import MachineLife

if TYPE_CHECKING:
    from ..protocol.ledger.run_ledger import RunLedger


@dataclass(frozen=True)
class MachineBook:
    """The machines of a run by id, as whoever watched it saw them last."""

    machines: Mapping[str, MachineLife]
    looked: float | None = None  # when that was, seconds since 1970; None: never

    def seen(self, machines: Iterable[MachineLife], now: float) -> MachineBook:
        """The book after a look that saw these machines, of the run and no other.

        One that it did not see has ended, when we do not know: at the last look that saw it. What
        is known of an end stays, whatever is seen later.
        """
        book = {
            name: machine for name, machine in self.machines.items() if machine.ended is not None
        }
        fresh = {machine.instance_id: self._remembering(machine) for machine in machines}
        for name, machine in self.machines.items():
            if machine.ended is None and name not in fresh:
                book[name] = replace(machine, ended=now if self.looked is None else self.looked)
        return MachineBook({**fresh, **book}, now)

    def _remembering(self, machine: MachineLife) -> MachineLife:
        """What EC2 says of a machine, with the address that it forgets as the machine ends."""
        known = self.machines.get(machine.instance_id)
        return replace(
            machine, public_address=machine.public_address or bool(known and known.public_address)
        )

    def closed(self, ended: float) -> list[MachineLife]:
        """The machines of a run that is over: what nobody saw end ended with it."""
        return [
            replace(machine, ended=max(ended, machine.launched))
            if machine.ended is None
            else machine
            for machine in self.machines.values()
        ]

    def to_json(self) -> bytes:
        machines = [asdict(machine) for machine in self.machines.values()]
        return json.dumps({"looked": self.looked, "machines": machines}).encode()

    @classmethod
    def from_json(cls, body: bytes) -> MachineBook:
        """Read a book; keys that a newer version added are left out; raises Unreadable."""
        values = read_object(body, MOST_FETCHED)
        machines, looked = values.get("machines"), values.get("looked")
        if not isinstance(machines, list) or not all(
            isinstance(machine, dict) for machine in machines
        ):
            raise Unreadable("machines is no list of objects")
        check_value(looked, "float | None", "looked")
        lives = [build(MachineLife, machine) for machine in machines]
        return cls({life.instance_id: life for life in lives}, looked)


def read_machine_book(ledger: RunLedger) -> MachineBook:
    """The book of a run; an empty one if it was never watched, or if the book cannot be read."""
    body = ledger.read_machine_book()
    try:
        return MachineBook({}) if body is None else MachineBook.from_json(body)
    except Unreadable as error:
        ledger.left_out.add(ledger.keys.machine_book, error)
        return MachineBook({})


def write_machine_book(ledger: RunLedger, book: MachineBook) -> None:
    """Write the book; its object's age tells how long ago the run was last looked at."""
    ledger.write_machine_book(book.to_json())
