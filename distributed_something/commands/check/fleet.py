"""Check a fleet file: its form, and all in the account that it names."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...aws.account.identity import who_calls
from ...aws.compute import network
from ...errors import NotFound, UsageError
from ...inputs.fleets.fleet_file import read_fleet_file
from ...inputs.fleets.own_account import fill_account, lacks_account
from ...inputs.text import read_text
from ..buying.fleet_plan import FleetPlan, plan_fleet, read_templates, with_price_of_file
from ..buying.purchase_checks import CHECKS, OF_PLAN, Wish
from .findings import Finding, apart, looked, missing, ok, unseen, warning

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.fleets.fleet_file import FleetFile
    from ...inputs.settings import Settings

logger = logging.getLogger(__name__)

_IMAGES = "machine images"
_SUBJECTS = {
    "its key pairs": "key pair",
    "its network": "network",
    "its fleet role": "fleet role",
    "its instance profiles": "instance profile",
    "the rights of its workers": "workers' rights",
    OF_PLAN: "image terms",
}


def fleet_file(path: Path) -> tuple[FleetFile | None, list[Finding]]:
    """The file, if its form is right, and what there is to say of its form."""
    subject = "fleet file"
    try:
        found = read_fleet_file(read_text(path, subject), str(path))
    except UsageError as error:
        head, *problems = str(error).splitlines()
        return None, [missing(subject, *apart(line)) for line in problems or [head]]
    return found, [ok(subject, f"{path} has the form that EC2 accepts")]


def fill_own_account(aws: Aws, path: Path) -> Iterator[Finding]:
    """Write the account's number into a fleet file that lacks it; says so."""
    try:
        content = path.read_bytes()
        if not lacks_account(content):
            return
        who = who_calls(aws.sts)
        path.write_bytes(fill_account(content, who.account, who.partition))
    except OSError as error:  # what is wrong with reading it is said by its own check
        logger.debug("The fleet file %s stays as it is: %s", path, error)
    else:
        yield ok("account number", f"filled {who.account} into {path}")


def account_of_fleet(aws: Aws, settings: Settings, wanted: FleetFile) -> Iterator[Finding]:
    """What the file names, looked up as `startCluster` does before it buys.

    What does not lean on machine types and images is looked at even where these cannot be planned.
    """
    wanted = read_templates(aws, wanted)
    settings, of_price = with_price_of_file(settings, wanted)
    for note in of_price:
        yield warning("price", note.rstrip("."))
    plans: list[FleetPlan] = []
    yield from looked(_IMAGES, partial(_planned, aws, settings, wanted, plans))
    wish = Wish(settings, wanted, plans[0] if plans else None)
    for what, check in CHECKS:
        subject = _SUBJECTS.get(what, what)
        if what == OF_PLAN and not plans:
            yield unseen(subject, "not checked: the images are unknown")
            continue
        yield from looked(subject, partial(_problems, subject, partial(check, aws, wish)))


def _planned(
    aws: Aws, settings: Settings, wanted: FleetFile, plans: list[FleetPlan]
) -> Iterator[Finding]:
    """What is to be said of the plan, which is added to `plans` if there can be one."""
    plan = plan_fleet(aws, settings, wanted, keep_ami=False)
    plans.append(plan)
    for note in plan.notes:
        yield warning("machines", note.rstrip("."))
    yield ok(_IMAGES, ", ".join(dict.fromkeys(launch.image.image_id for launch in plan.launches)))


def _problems(subject: str, look: Callable[[], Iterator[str]]) -> Iterator[Finding]:
    try:
        problems = list(dict.fromkeys(look()))
    except NotFound as error:  # of what a verb makes that is yet to come
        yield warning(subject, *apart(str(error)))
        return
    for problem in problems:
        yield missing(subject, *apart(problem))
    if not problems:
        yield ok(subject, "no problem found")


def zones_of_fleet(aws: Aws, wanted: FleetFile | None) -> set[str]:
    """The zones that a fleet may use; those of the default network where it names none."""
    subnets = (
        [subnet for spec in wanted.specifications for subnet in spec.all_subnets] if wanted else []
    )
    found = network.find_subnets(aws.ec2, subnets) if subnets else network.default_subnets(aws.ec2)
    return {subnet.zone for subnet in found if subnet.zone}
