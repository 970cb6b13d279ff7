"""Tell people by mail when a run has ended, and when it is stalled.

The Lambda runs this too: standard library and boto3 alone.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ...aws.account.identity import who_calls
from ...aws.faults import may_pass
from ...aws.messaging import topics
from ...command_lines import run_line
from ...definitions.tags import app_tags
from ...protocol.ledger.claims import Notice
from ...protocol.ledger.record import amend_ended
from ...protocol.ledger.run_ledger import RunLedger
from ...run.money import LEFT_OUT, cost_of_all
from ...words import usd
from ..runs.failed_jobs import failure_groups
from ..runs.spending import lives, look_at_machines, prices_of

if TYPE_CHECKING:
    from ...aws.session import Aws
    from ...inputs.settings import Settings
    from ...protocol.ledger.facts import LedgerSummary
    from ...protocol.ledger.record import RunRecord

logger = logging.getLogger(__name__)

_FAULTS = (ClientError, BotoCoreError)


def topic_name(app_name: str) -> str:
    return f"{app_name}_notices"


def ready_topic(aws: Aws, settings: Settings) -> str:
    """The ARN of the topic that the config asks for, '' for none; the mail address is subscribed.

    What is in the way is said, and nothing is raised for it: a run can do without.
    """
    if settings.notify_topic:
        return topic_arn(aws, settings.notify_topic)
    if not settings.notify_email:
        return ""
    try:
        name = topic_name(settings.app_name)
        topic = topics.ensure_topic(aws.sns, name, app_tags(settings.app_name))
        if not topics.ensure_subscription(aws.sns, topic, settings.notify_email):
            logger.warning(
                "AWS has sent a mail to %s: click the link in it to get mails about this "
                "app's runs.",
                settings.notify_email,
            )
    except _FAULTS as error:
        logger.warning("NOTIFY_EMAIL will get no mail about this run: %s", error)
        return ""
    return topic


def with_topic(aws: Aws, settings: Settings, record: RunRecord) -> RunRecord:
    """The record with the topic that its messages go to; not saved yet."""
    return replace(record, topic=ready_topic(aws, settings))


def tell_if_due(aws: Aws, record: RunRecord, now: float) -> bool:
    """Tell of the end of a run whose record says that nobody has; whether nothing is left to tell.

    To be called again until then: who was to tell may have been ended on the way to it.
    """
    if not record.notice_due:
        return True
    if not tell_end(aws, record, now):
        return False
    try:
        amend_ended(aws.s3, replace(record, notice_due=False))
    except _FAULTS as error:
        logger.warning("The monitor file could not record that the mail was sent: %s", error)
    return True


def tell_end(aws: Aws, record: RunRecord, now: float, *, cancelled: bool = False) -> bool:
    """Tell, once a run, how it has ended; whether that is done, or can never be."""
    if not record.topic or not record.run_id:
        return True
    try:
        ledger = RunLedger.of(aws.s3, record)
        summary, stopped = ledger.summary(), ledger.why_stopped()
        how = "was cancelled" if cancelled else "was stopped" if stopped else "has ended"
        text = "\n".join(_end_lines(aws, record, summary, stopped, now))
        return _tell(aws, record, "end", _end_subject(record, summary, how), text)
    except _FAULTS as error:
        logger.warning("The mail about the run's end could not be sent: %s", error)
        return not may_pass(error)


def tell_stall(aws: Aws, record: RunRecord, why: str, finished: int) -> None:
    """Tell that a run does not go on, once for each number of jobs at which it stops."""
    if not record.topic or not record.run_id:
        return
    text = "\n".join(
        [
            f"Run {record.run_id} of {record.app_name} is stalled.",
            "",
            why,
            "",
            f"To see more:  {run_line('status')}",
            f"To end it:    {run_line('cancel')}",
        ]
    )
    try:
        _tell(aws, record, f"stall-{finished}", f"{record.app_name}: the run is stalled", text)
    except _FAULTS as error:
        logger.warning("The mail about the stalled run could not be sent: %s", error)


def _tell(aws: Aws, record: RunRecord, what: str, subject: str, text: str) -> bool:
    """Publish unless somebody else who watches the run tells the same; whether it is told."""
    notices = RunLedger.of(aws.s3, record).notices
    notice = notices.claim(what)
    if notice is Notice.OURS:
        topics.publish(aws.sns, record.topic, subject, text)
        notices.note_told(what)
        logger.info("Notified %s: %s.", record.topic.rsplit(":", 1)[-1], subject)
    return notice is not Notice.ANOTHERS


def _end_subject(record: RunRecord, summary: LedgerSummary, how: str) -> str:
    return f"{record.app_name}: the run {how}, {summary.done:,} of {summary.submitted:,} jobs done"


def _end_lines(
    aws: Aws, record: RunRecord, summary: LedgerSummary, stopped: str, now: float
) -> list[str]:
    lines = [f"Run {record.run_id} of {record.app_name} is over, and its machines are gone.", ""]
    if stopped:
        lines += [f"It was stopped: {stopped}", ""]
    lines += [
        f"done         {summary.done:,} of {summary.submitted:,} jobs",
        f"given up     {summary.dead:,}, in the dead-letter queue with their reasons",
        f"unfinished   {summary.unfinished:,}",
        f"attempts     {summary.attempts:,}: {summary.failed:,} failed, "
        f"{summary.interrupted:,} interrupted",
        f"took         {max(0.0, now - record.started) / 3600:.1f} hours",
        *_cost_lines(aws, record, now),
        *_failure_lines(aws, record),
        "",
        f"Report:           {run_line('report')}",
        f"Results:          {run_line('download')}",
    ]
    if summary.dead or summary.unfinished:
        lines.append(f"Retry the jobs:   {run_line('retry')}, then startCluster")
    return lines


def _failure_lines(aws: Aws, record: RunRecord) -> list[str]:
    """What failed, by kind."""
    ledger = RunLedger.of(aws.s3, record)
    groups = failure_groups(ledger, ledger.survey())
    return ["", "failed:", *(f"  {group.sentence}" for group in groups)] if groups else []


def _cost_lines(aws: Aws, record: RunRecord, now: float) -> list[str]:
    """What the machines cost; nothing where that cannot be seen."""
    try:
        machines = lives(look_at_machines(aws, record, now), record)
        cost = cost_of_all(machines, prices_of(aws, record, machines), now)
    except _FAULTS:
        return []
    if not machines:
        return []
    return [f"cost         {usd(cost.total)}, without {', '.join(LEFT_OUT)}"]


def topic_arn(aws: Aws, topic: str) -> str:
    """A topic's ARN from its ARN or its name."""
    if topic.startswith("arn:"):
        return topic
    try:
        account = who_calls(aws.sts).account
    except _FAULTS as error:
        logger.warning(
            "NOTIFY_TOPIC: give its whole ARN, for the account cannot be read: %s", error
        )
        return ""
    partition = aws.session.get_partition_for_region(aws.region)
    return f"arn:{partition}:sns:{aws.region}:{account}:{topic}"
