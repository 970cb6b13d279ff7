"""What one attempt leaves never counts for another, and only good outputs leave the machine."""

from __future__ import annotations

from typing import Any

from ..world import World

DONE_FILE = {"file": "done.txt", "first_line": "Complete"}


def shell(line: str, name: str, **keys: Any) -> dict[str, Any]:
    return {"command": line, "shell": True, "group": {"plate": name}, **keys}


def test_the_outputs_of_a_job_that_failed_are_not_sent(world: World) -> None:
    world.send(shell('echo half > "$OUTPUT_DIR/a.csv"; exit 1', "P1"))
    world.send(shell('echo Failed > "$OUTPUT_DIR/done.txt"', "P2", done_when=DONE_FILE))
    world.start_worker(job_retries=1)
    world.until_empty()
    world.stop()
    assert world.results() == {}
    assert len(world.dead_letters()) == 2


def test_a_done_file_of_an_earlier_attempt_or_job_makes_no_job_done(world: World) -> None:
    flag = world.folder / "flag"
    line = f'test -e {flag} || {{ touch {flag}; echo Complete > "$OUTPUT_DIR/done.txt"; exit 1; }}'
    first = world.send(shell(line, "P1", output="out", done_when=DONE_FILE))
    second = world.send(shell("true", "P2", output="out", done_when={"min_files": 1}))
    world.start_worker(job_retries=2)
    world.until_empty()
    world.stop()
    assert world.done() == []
    assert [one.exit_code for one in world.ended(first)] == [1, 0]
    assert "done.txt" in world.ended(first)[1].reason
    assert {one.state for one in world.ended(second)} == {"failed"}
    assert not world.object_keys("out/")


def test_jobs_that_share_an_output_place_do_not_take_each_others_files(world: World) -> None:
    both = f"test -e {world.folder}/P1 -a -e {world.folder}/P2"
    line = (
        f'echo half > "$OUTPUT_DIR/$plate.csv"; touch {world.folder}/$plate; '
        f'until {both}; do sleep 0.05; done; echo whole > "$OUTPUT_DIR/$plate.csv"'
    )
    for name in ("P1", "P2"):
        world.send(shell(line, name, output="shared"))
    world.start_worker(docker_cores=2)
    world.until_empty()
    world.stop()
    assert world.results("shared/") == {"P1.csv": b"whole\n", "P2.csv": b"whole\n"}
    assert [attempt.output_files for attempt in world.ended(state="done")] == [1, 1]
