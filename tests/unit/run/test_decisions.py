"""What snapshots of a run let the monitor decide: which machines go back, and when it is over."""

from __future__ import annotations

from distributed_something.protocol.scaling import Fleet, Machine
from distributed_something.run.decisions import (
    LAMBDA_PACE,
    NOTICE_SECONDS,
    MonitorState,
    Pace,
    Policy,
    RunLoad,
    count_quiet,
    plan_machines,
)

PACE = Pace()
FLEETS = (Fleet("sfr-1", 2),)
WORKING = Machine("i-1", "sfr-1", "arn:1", tasks=1, busy=True)


def ended(machine: Machine, moments: list[float], to_take: int, state: MonitorState) -> list[float]:
    """The moments, seconds, at which a plan ends a machine."""
    found = []
    for now in moments:
        load = RunLoad(to_take=to_take, in_flight=1)
        state, plan = plan_machines(load, FLEETS, [WORKING, machine], Policy(1), state, PACE, now)
        if machine in plan.terminate:
            found.append(now)
    return found


def test_a_machine_under_notice_is_left_to_aws() -> None:
    noticed = Machine("i-2", "sfr-1", "arn:2", draining=True)
    looks = [1000.0, 1030.0, 1060.0, 1090.0, 1120.0]
    for to_take in (0, 5):
        assert ended(noticed, looks, to_take, MonitorState(began=0.0)) == []


def test_a_machine_that_drains_for_longer_than_a_notice_lasts_is_ended() -> None:
    forgotten = Machine("i-2", "sfr-1", "arn:2", draining=True)
    looks = [1000.0, 1120.0, 1000.0 + NOTICE_SECONDS, 1030.0 + NOTICE_SECONDS]
    assert ended(forgotten, looks, 5, MonitorState(began=0.0)) == looks[2:]


def test_a_machine_that_we_drained_is_ended_as_soon_as_it_is_empty() -> None:
    idle = Machine("i-2", "sfr-1", "arn:2", tasks=1)
    state = MonitorState(began=0.0)
    load = RunLoad(to_take=0, in_flight=1)
    for now in (0.0, 30.0):
        state, plan = plan_machines(load, FLEETS, [WORKING, idle], Policy(1), state, PACE, now)
    assert plan.drain == (idle,)
    drained = Machine("i-2", "sfr-1", "arn:2", draining=True)
    assert ended(drained, [60.0], 0, state) == [60.0]
    assert ended(drained, [60.0], 3, state) == [60.0], "also when jobs wait again"


def test_no_machine_is_given_back_where_targets_count_something_else() -> None:
    idle = Machine("i-2", "sfr-1", "arn:2", tasks=1)
    state = MonitorState(began=0.0)
    for now in (0.0, 30.0, 60.0):
        state, plan = plan_machines(
            RunLoad(to_take=0, in_flight=1), FLEETS, [WORKING, idle], Policy(0), state, PACE, now
        )
        assert not (plan.targets or plan.drain or plan.terminate)


def test_a_run_is_over_after_several_quiet_looks_over_more_than_a_minute() -> None:
    state = MonitorState(began=0.0)
    quiet = RunLoad(to_take=0, in_flight=0)
    for now in (0.0, 30.0, 60.0):
        state = count_quiet(quiet, False, state, PACE, now)
        assert not state.is_over
    assert not count_quiet(quiet, True, state, PACE, 90.0).is_over, "a worker holds a lease"
    assert count_quiet(quiet, False, state, PACE, 90.0).is_over


def test_cheap_closes_machines_as_jobs_run_out_and_remembers_which() -> None:
    machines = [Machine(f"i-{n}", "sfr-1", f"arn:{n}", tasks=1, busy=n) for n in (1, 2, 3)]
    fleets = (Fleet("sfr-1", 3),)
    policy = Policy(slots=4, is_cheap=True)
    state = MonitorState(began=0.0)
    state, plan = plan_machines(
        RunLoad(to_take=24, in_flight=6), fleets, machines, policy, state, PACE, 1000.0
    )
    assert plan.closed is None, "two jobs wait for each slot"
    state, plan = plan_machines(
        RunLoad(to_take=9, in_flight=6), fleets, machines, policy, state, PACE, 1030.0
    )
    assert plan.closed == frozenset({"i-1"})
    assert plan.targets == (Fleet("sfr-1", 2),)
    assert state.closed == ("i-1",)
    state, plan = plan_machines(
        RunLoad(to_take=9, in_flight=5), fleets, machines[1:], policy, state, PACE, 1060.0
    )
    assert plan.closed is None and state.closed == (), "one that is gone need not be remembered"


def test_fast_closes_no_machine() -> None:
    machines = [Machine(f"i-{n}", "sfr-1", f"arn:{n}", tasks=1, busy=n) for n in (1, 2, 3)]
    _, plan = plan_machines(
        RunLoad(to_take=1, in_flight=6),
        (Fleet("sfr-1", 3),),
        machines,
        Policy(slots=4),
        MonitorState(began=0.0),
        PACE,
        1000.0,
    )
    assert plan.closed is None and not plan.targets


def test_jobs_with_checkpoints_are_packed_a_little_tighter_than_there_is_room() -> None:
    machines = [Machine(f"i-{n}", "sfr-1", f"arn:{n}", tasks=1, busy=4) for n in range(8)]
    for packs, kept in ((True, 7), (False, 8)):
        state = MonitorState(began=0.0)
        policy = Policy(slots=4, packs=packs)
        for now in (0.0, 30.0):
            load = RunLoad(to_take=0, in_flight=32)
            state, plan = plan_machines(
                load, (Fleet("sfr-1", 8),), machines, policy, state, PACE, now
            )
        assert len(machines) - len(plan.drain) == kept


def test_packing_goes_on_while_the_few_jobs_that_moved_wait_and_not_while_many_are_sent() -> None:
    machines = [Machine(f"i-{n}", "sfr-1", f"arn:{n}", tasks=1, busy=2) for n in range(8)]
    policy = Policy(slots=4, packs=True)
    for to_take, drained in ((4, 3), (5, 0)):
        state = MonitorState(began=0.0)
        for now in (0.0, 30.0):
            load = RunLoad(to_take=to_take, in_flight=16)
            state, plan = plan_machines(
                load, (Fleet("sfr-1", 8),), machines, policy, state, PACE, now
            )
        assert len(plan.drain) == drained, to_take


def test_the_lambda_is_sure_of_the_end_after_two_calls() -> None:
    state = MonitorState(began=0.0)
    quiet = RunLoad(to_take=0, in_flight=0)
    state = count_quiet(quiet, False, state, LAMBDA_PACE, 1000.0)
    assert not state.is_over
    assert count_quiet(quiet, False, state, LAMBDA_PACE, 1120.0).is_over
