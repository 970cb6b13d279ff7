"""No job is lost and none is finished twice, however the calls of workers interleave."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from distributed_something.protocol.ledger.attempts import AttemptState
from distributed_something.protocol.ledger.keys import parse_attempt
from worker.environment import Pace
from worker.queue.lease import Lease

from ..model import KEYS, LIMIT, RETRIES, VISIBILITY, Held, Model, Worker, job_of, refused

JOBS = 3
STEPS = 60
TURNS = st.sampled_from([0, 0, 1, 4, 12, 30, 30])  # each may take a quarter of the lease
WHAT = ["step"] * 8 + ["start"] * 4 + ["time"] * 2 + ["kill"] * 2 + ["stop"]
# What the examples must have brought about, or they would show nothing.
WANTED = [
    "lease at SQS's limit",
    "lease passed on",
    "lease that went on with a receipt left for it",
    "renewal after the lease",
    "death while it held a message",
    "letter that may be a second",
    "interruption",
    "failure",
]
EXAMPLES = 150  # a round
ROUNDS = 6  # at most, until all that is wanted was brought about: some of it is rare
MOST_CALLS = 40  # more than a worker makes for one message
# A failure is told as it was found: to shrink one takes minutes, and is for whoever mends it.
PHASES = [phase for phase in Phase if phase is not Phase.shrink or os.environ.get("SHRINK")]


def submit(model: Model, turns: list[int]) -> list[str]:
    """Jobs whose tools take so many turns; one that takes none can never run."""
    commands = [[str(n) if n else "{nothing}"] for n in turns]
    bodies = [
        json.dumps({"command": command, "group": {"id": f"job-{n}"}})
        for n, command in enumerate(commands)
    ]
    model.messages = [
        Held(body, model.clock, message_id=f"message-{n}") for n, body in enumerate(bodies)
    ]
    return bodies


def states(model: Model, job: str) -> list[str]:
    """The last state of each attempt at a job."""
    seen: dict[str, str] = {}
    for key in sorted(model.objects):
        if key.startswith(KEYS.attempts_of(job)):
            attempt = parse_attempt(key)
            if attempt.state is not AttemptState.STARTED or attempt.attempt_id not in seen:
                seen[attempt.attempt_id] = attempt.state.value
    return list(seen.values())


@pytest.mark.slow
def test_no_job_is_lost_and_none_is_finished_twice() -> None:
    reached: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=False,  # each round has other examples, also where CI is set
        phases=PHASES,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
    @given(data=st.data())
    def interleave(data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory() as folder:
            model = Model(reached)
            turns = data.draw(st.lists(TURNS, min_size=JOBS, max_size=JOBS), "turns")
            bodies = submit(model, turns)
            workers = disturb(model, Path(folder), data)
            finish(model, Path(folder), workers)
            note(f"{sorted(model.objects)}")
            judge(model, bodies)

    for _ in range(ROUNDS):
        interleave()
        if all(reached[what] for what in WANTED):
            break
    print(reached)
    assert {what for what in WANTED if not reached[what]} == set(), reached


def disturb(model: Model, folder: Path, data: st.DataObject) -> list[Worker]:
    """Start, step, stop and kill workers in any order while time goes by; those that are left."""
    workers: list[Worker] = []
    for number in range(STEPS):
        what = data.draw(st.sampled_from(WHAT), "what")
        workers = [worker for worker in workers if not worker.turn.ended]
        if what == "start" and len(workers) < 4:
            fails = data.draw(st.booleans(), "fails")
            workers.append(Worker(model, folder, number, fails))
        elif what == "time":
            model.clock += data.draw(st.sampled_from([1, VISIBILITY / 4, 61, LIMIT]), "seconds")
        elif workers:
            worker = data.draw(st.sampled_from(workers), "worker")
            if what == "kill":
                worker.kill()
            elif what == "stop":
                worker.stopping.ask("told to stop")
            else:
                pace = data.draw(st.sampled_from([0.5, 0.5, VISIBILITY / 4]), "seconds a call")
                for _ in range(data.draw(st.sampled_from([1, 2, 6, 20]), "calls")):
                    if not worker.turn.ended:
                        worker.step()
                        model.clock += pace
    return workers


def finish(model: Model, folder: Path, workers: list[Worker]) -> None:
    """Kill half of the workers that are left, let the others end, then work the queue off."""
    for number, worker in enumerate(workers):
        if number % 2 and not worker.turn.ended:
            worker.kill()
        while not worker.turn.ended:
            worker.step()
    for number in range(200):
        if not model.messages:
            return
        model.clock += VISIBILITY + 1
        healthy = Worker(model, folder, 1000 + number, False)
        while not healthy.turn.ended:
            healthy.step()
            model.clock += 0.5
    raise AssertionError(f"The queue never empties: {model.messages}")


def judge(model: Model, bodies: list[str], least_failures: int = RETRIES) -> None:
    assert model.lost == []
    assert model.early == []
    assert model.repeated == []
    assert len(model.finals) == len(set(model.finals))
    for body in bodies:
        job = job_of(body)
        ended = states(model, job)
        done = KEYS.done(job) in model.objects
        assert model.dead_letters.count(body) <= 1 + model.reached["letter that may be a second"]
        assert done or body in model.dead_letters
        # One that dies before it writes the marker may be overtaken by one that is at the job.
        assert ended.count("done") <= 1 + model.deaths
        assert not done or ended.count("done")
        if not done and "{nothing}" not in body:
            # Interruptions never count; only failures and attempts that vanished do.
            vanished = ended.count("started") + model.late.count(job)
            assert ended.count("failed") + vanished >= least_failures


@pytest.mark.parametrize("hangs", [False, True])
@pytest.mark.parametrize(("turns", "fails"), [(0, False), (2, False), (2, True)])
def test_a_worker_that_dies_or_hangs_at_any_call_loses_no_job_and_settles_none_of_anothers(
    tmp_path: Path, turns: int, fails: bool, hangs: bool
) -> None:
    second = []
    for call in range(1, MOST_CALLS):
        model = Model()
        bodies = submit(model, [turns])
        worker = Worker(model, tmp_path, call, fails, retries=1 if fails else RETRIES)
        run(worker, call)
        if worker.turn.ended:
            break
        if not hangs:
            worker.kill()
        model.clock += LIMIT + VISIBILITY  # whatever it held, it holds no more
        run(Worker(model, tmp_path, MOST_CALLS + call, False))
        run(worker)
        finish(model, tmp_path, [])
        judge(model, bodies, least_failures=1)
        second.append(model.reached["letter that may be a second"])
    else:
        raise AssertionError("The job never ended.")
    assert any(second) == (turns == 0 or fails)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("hung", [VISIBILITY + 1, LIMIT + VISIBILITY])
def test_a_worker_that_hung_at_any_call_does_not_give_up_the_job_that_another_is_doing(
    tmp_path: Path, hung: float, fails: bool
) -> None:
    for call in range(1, MOST_CALLS):
        model = Model()
        bodies = submit(model, [12])
        run(Worker(model, tmp_path, 0, True))  # a first failure; another may be the last
        model.clock += VISIBILITY
        worker = Worker(model, tmp_path, call, fails)
        run(worker, call)
        if worker.turn.ended:
            break
        model.clock += hung
        other = Worker(model, tmp_path, MOST_CALLS + call, False)
        run(other, 12)
        is_at_work = not other.turn.ended
        run(worker)
        run(other)
        finish(model, tmp_path, [])
        judge(model, bodies)
        assert not is_at_work or model.dead_letters == []
    else:
        raise AssertionError("The job never ended.")


def run(worker: Worker, calls: int = 1000) -> None:
    """Let a worker make so many calls, or end."""
    for _ in range(calls):
        if worker.turn.ended:
            return
        worker.step()


def test_a_job_that_fails_waits_twice_as_long_each_time_up_to_a_limit(tmp_path: Path) -> None:
    model = Model()
    model.limit = 43200.0
    submit(model, [1])
    most, delays = Pace().backoff_most_seconds, []
    for number in range(14):
        worker = Worker(model, tmp_path, number, True, retries=100)
        while not worker.turn.ended:
            worker.step()
        (message,) = model.messages
        delays.append(message.hidden_until - model.clock)
        model.clock = message.hidden_until
    for number, delay in enumerate(delays):
        middle = min(2.0**number, most)  # the first is a second in the model
        assert 0.8 * middle - 0.5 <= delay <= 1.2 * middle + 0.5
    assert delays[-1] >= 0.8 * most


def test_a_job_interrupted_twenty_times_is_done_by_the_worker_after_them(tmp_path: Path) -> None:
    model = Model()
    (body,) = submit(model, [4])
    job = job_of(body)
    for number in range(20):
        worker = Worker(model, tmp_path, number, False)
        while len(states(model, job)) == number:
            worker.step()
        worker.stopping.ask("told to stop")
        run(worker)
    run(Worker(model, tmp_path, 20, False))
    assert Counter(states(model, job)) == {"interrupted": 20, "done": 1}
    assert model.dead_letters == [] and model.messages == []


def test_a_lease_is_held_until_the_letter_of_its_job_is_sent(tmp_path: Path) -> None:
    model, letters = Model(), []

    class Watched(Lease):
        def release(self) -> None:
            letters.append(len(model.dead_letters))
            super().release()

    submit(model, [0])
    run(Worker(model, tmp_path, 0, False, make_lease=Watched))
    assert model.messages == [] and len(model.dead_letters) == 1
    assert letters[0] == 1


def test_a_letter_whose_answer_is_lost_is_not_repeated_unsaid(tmp_path: Path) -> None:
    model = Model()
    model.loses_answer = True
    bodies = submit(model, [0])
    run(Worker(model, tmp_path, 0, False))
    finish(model, tmp_path, [])
    judge(model, bodies)
    assert not model.loses_answer
    assert model.dead_letters == bodies * 2 and model.reached["letter that may be a second"] == 1


@pytest.mark.parametrize("error", [refused("AccessDenied"), KeyError("a bug")])
@pytest.mark.parametrize("is_lost", [False, True])
def test_an_error_of_a_worker_that_is_stopped_or_has_lost_its_lease_is_no_failure(
    tmp_path: Path, is_lost: bool, error: Exception
) -> None:
    model = Model()
    (body,) = submit(model, [1])
    worker = Worker(model, tmp_path, 0, False)

    def cut() -> None:
        if is_lost:
            assert worker.lease is not None
            model.clock += VISIBILITY + 1
            worker.lease.renew()
        else:
            worker.stopping.ask("told to stop")
        raise error

    model.before_output = cut
    run(worker)
    assert states(model, job_of(body)) == ["interrupted"]
    assert model.messages[0].hidden_until <= model.clock
