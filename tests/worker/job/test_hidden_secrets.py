"""What a job prints of its secrets is hidden in log, attempt and dead-letter message."""

from __future__ import annotations

from tests.secret_names import A_TOKEN

from ..world import World


def test_no_secret_that_a_job_prints_is_written_anywhere(world: World) -> None:
    """Given by reference, of a known form, or a variable of the job: and the job itself sees it."""
    given = {"OMERO_LOGIN": "correct horse", "WORKER_SECRETS": "OMERO_LOGIN", "PLATE_ID": "P1"}
    line = (
        f'echo "$OMERO_LOGIN on $PLATE_ID {A_TOKEN[:20]}""{A_TOKEN[20:]}"; printenv OMERO_LOGIN '
        "| wc -c; exit 3"
    )
    world.send({"command": line, "shell": True, "group": {"plate": "x"}})
    world.start_worker(given, job_retries=1)
    world.until_empty()
    (attempt,) = world.ended()
    shown = world.log("x")
    assert "(secret) on P1 (secret)" in shown and "14" in shown
    assert "(secret) on P1 (secret)" in attempt.log_tail
    objects = [world.read(key).decode(errors="replace") for key in world.object_keys()]
    printed = [world.worker_log(), *shown, *objects, str(world.dead_letters())]
    assert not [text for text in printed if "correct horse" in text or A_TOKEN in text]
