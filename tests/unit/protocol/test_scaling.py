"""Which machines are given back, for any mix of machines, and that nothing is ever raised."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from distributed_something.protocol.scaling import (
    Fleet,
    Machine,
    Plan,
    cap_targets,
    plan_ending_drained,
    plan_giving_back,
    plan_lowering,
    wanted_containers,
)

FLEETS = (Fleet("a", 3), Fleet("b", 2))


def machine(name: str, fleet: str = "a", **changes: object) -> Machine:
    """A machine that has joined and whose workers are idle."""
    return replace(Machine(f"i-{name}", fleet, f"arn:{name}", tasks=1), **changes)  # type: ignore[arg-type]


def test_idle_machines_are_drained_first_and_the_target_goes_with_them() -> None:
    machines = [machine("1", busy=True), machine("2"), machine("3")]
    plan = plan_giving_back([Fleet("a", 3)], machines, in_flight=1, slots=1)
    assert plan.targets == (Fleet("a", 1),)
    assert [m.instance_id for m in plan.drain] == ["i-2", "i-3"]
    assert plan.terminate == ()


def test_a_drained_machine_is_ended_once_it_holds_neither_task_nor_lease() -> None:
    working = machine("1", busy=True)
    stopping = machine("2", draining=True)
    leased = machine("3", draining=True, tasks=0, busy=True)
    empty = machine("4", draining=True, tasks=0)
    plan = plan_giving_back(
        [Fleet("a", 1)], [working, stopping, leased, empty], in_flight=2, slots=4
    )
    assert plan.terminate == (empty,)
    assert plan.drain == ()


def test_machines_whose_workers_tell_nothing_are_not_replaced_and_none_is_ended() -> None:
    plan = plan_lowering([Fleet("a", 3), Fleet("b", 2)], in_flight=2)
    assert plan == Plan(targets=(Fleet("a", 2), Fleet("b", 0)))
    assert plan_lowering([Fleet("a", 3)], in_flight=0).targets == (Fleet("a", 1),)
    assert plan_lowering([Fleet("a", 3)], in_flight=9) == Plan()


def test_one_machine_stays_even_when_nothing_is_in_flight() -> None:
    plan = plan_giving_back([Fleet("a", 2)], [machine("1"), machine("2")], in_flight=0, slots=4)
    assert plan.targets == (Fleet("a", 1),)
    assert len(plan.drain) == 1


def test_a_job_in_flight_that_no_heartbeat_shows_keeps_a_machine_for_it() -> None:
    machines = [machine(str(n)) for n in range(4)]
    plan = plan_giving_back([Fleet("a", 4)], machines, in_flight=3, slots=1)
    assert plan.targets == (Fleet("a", 3),)
    assert len(plan.drain) == 1


def test_a_machine_that_has_not_joined_goes_before_one_that_has() -> None:
    booting = Machine("i-new", "a")
    plan = plan_giving_back([Fleet("a", 2)], [booting, machine("1")], in_flight=1, slots=1)
    assert plan.terminate == (booting,)
    assert plan.drain == ()


def test_each_fleet_keeps_its_own_working_machines() -> None:
    machines = [machine("1", "a", busy=True), machine("2", "b", busy=True), machine("3", "b")]
    plan = plan_giving_back(FLEETS, machines, in_flight=2, slots=1)
    assert plan.targets == (Fleet("a", 1), Fleet("b", 1))


def test_when_jobs_wait_again_only_drained_machines_are_ended() -> None:
    drained = machine("1", draining=True, tasks=0)
    plan = plan_ending_drained([drained, machine("2"), machine("3", draining=True)])
    assert plan.terminate == (drained,)
    assert plan.targets == ()
    assert plan.drain == ()


def test_the_cheapest_mode_keeps_one_machine_over_all_fleets_and_is_not_undone() -> None:
    capped = cap_targets(FLEETS, 1)
    assert capped == (Fleet("a", 1), Fleet("b", 0))
    busy = [machine(str(n), "a", busy=True) for n in range(3)]
    assert plan_giving_back(capped, busy, in_flight=3, slots=1).targets == ()


def test_a_service_wants_no_more_containers_than_its_machines_can_hold() -> None:
    assert wanted_containers(joined=1, most=6, tasks_per_machine=2) == 2
    assert wanted_containers(joined=0, most=6, tasks_per_machine=2) == 2
    assert wanted_containers(joined=5, most=6, tasks_per_machine=2) == 6
    assert wanted_containers(joined=1, most=3, tasks_per_machine=1) == 3
    assert wanted_containers(joined=5, most=0, tasks_per_machine=2) == 0


MACHINES = st.lists(
    st.builds(
        Machine,
        instance_id=st.integers(0, 10**9).map("i-{}".format),
        fleet_id=st.sampled_from(["a", "b"]),
        container_instance=st.sampled_from(["", "arn"]),
        draining=st.booleans(),
        tasks=st.integers(0, 2),
        busy=st.booleans(),
    ),
    unique_by=lambda m: m.instance_id,
    max_size=12,
)


@given(MACHINES, st.integers(0, 12), st.integers(0, 12), st.integers(0, 40), st.integers(1, 8))
def test_giving_back_never_hurts(
    machines: list[Machine], target_a: int, target_b: int, in_flight: int, slots: int
) -> None:
    fleets = [Fleet("a", target_a), Fleet("b", target_b)]
    plan = plan_giving_back(fleets, machines, in_flight, slots)
    before = {fleet.fleet_id: fleet.target for fleet in fleets}
    after = before | {fleet.fleet_id: fleet.target for fleet in plan.targets}
    assert all(fleet.target < before[fleet.fleet_id] for fleet in plan.targets)
    assert not any(m.busy or m.tasks for m in plan.terminate)
    assert not any(m.busy for m in plan.drain)
    # Enough is asked for to go on with what is in flight, as far as it was asked for before.
    assert sum(after.values()) >= min(sum(before.values()), max(1, -(-in_flight // slots)))
    for fleet in fleets:
        working = sum(m.works and m.fleet_id == fleet.fleet_id for m in machines)
        assert after[fleet.fleet_id] >= min(before[fleet.fleet_id], working)


@given(st.lists(st.integers(0, 9), max_size=4), st.integers(0, 9))
def test_a_cap_is_kept_and_nothing_is_raised(targets: list[int], total: int) -> None:
    fleets = [Fleet(str(n), target) for n, target in enumerate(targets)]
    lowered = {fleet.fleet_id: fleet.target for fleet in cap_targets(fleets, total)}
    after = [lowered.get(fleet.fleet_id, fleet.target) for fleet in fleets]
    assert sum(after) == min(total, sum(targets))
    assert all(new <= old for new, old in zip(after, targets, strict=True))
