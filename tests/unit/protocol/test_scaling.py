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
    machines_to_buy,
    plan_closing,
    plan_ending_drained,
    plan_giving_back,
    plan_lowering,
    plan_own_end,
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


def test_idle_machines_that_end_themselves_at_once_agree_on_the_target_and_on_who_stays() -> None:
    machines = [machine(str(n), busy=n < 2) for n in range(6)]
    plans = {m.instance_id: plan_own_end(m.instance_id, FLEETS, machines, 3, 1) for m in machines}
    ended = {name: plan for name, plan in plans.items() if plan is not None}
    assert sorted(ended) == ["i-3", "i-4", "i-5"], "two work, and one stays for the third job"
    assert len({plan.targets for plan in ended.values()}) == 1
    lowered = [Fleet("a", 3), Fleet("b", 0)]
    again = plan_own_end("i-5", lowered, machines[:3] + machines[5:], 3, 1)
    assert again is not None and not again.targets, "nothing is lowered twice"


def test_the_last_machine_does_not_end_itself() -> None:
    assert plan_own_end("i-1", FLEETS, [machine("1")], in_flight=0, slots=4) is None


def test_machines_whose_jobs_others_have_room_for_go_where_jobs_have_checkpoints() -> None:
    machines = [machine("1", busy=1), machine("2", busy=3), machine("3", busy=2)]
    plan = plan_giving_back([Fleet("a", 3)], machines, in_flight=6, slots=4, packs=True)
    assert [m.instance_id for m in plan.drain] == ["i-1"]
    assert plan.targets == (Fleet("a", 2),)
    assert not plan_giving_back([Fleet("a", 3)], machines, in_flight=6, slots=4).drain


def test_machines_close_as_waiting_jobs_run_out_and_those_with_the_fewest_jobs_first() -> None:
    machines = [machine("1", busy=4), machine("2", busy=3), machine("3", busy=2)]
    assert plan_closing([Fleet("a", 3)], machines, (), to_take=24, slots=4).closed == frozenset()
    plan = plan_closing([Fleet("a", 3)], machines, (), to_take=9, slots=4)
    assert plan.closed == frozenset({"i-3"})
    assert plan.targets == (Fleet("a", 2),)
    plan = plan_closing([Fleet("a", 2)], machines, ("i-3",), to_take=1, slots=4)
    assert plan.closed == frozenset({"i-2", "i-3"}), "one stays open as long as a job waits"


def test_a_closed_machine_at_work_opens_again_for_a_job_that_came_back() -> None:
    machines = [machine("1", busy=1), machine("2", container_instance="", tasks=0)]
    plan = plan_closing([Fleet("a", 2)], machines, ("i-1",), to_take=1, slots=4)
    assert plan.closed == frozenset({"i-2"}), "its other slots are paid for in any case"
    machines = [machine("1", busy=2), machine("2", busy=2)]
    plan = plan_closing([Fleet("a", 2)], machines, ("i-1",), to_take=1, slots=4)
    assert plan.closed == frozenset({"i-1"}), "of two alike the open one stays open"


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=8),
    st.integers(1, 99),
    st.sets(st.integers(0, 7)),
)
def test_a_machine_is_open_whatever_closes(busy: list[int], to_take: int, shut: set[int]) -> None:
    machines = [machine(str(n), busy=jobs) for n, jobs in enumerate(busy)]
    closed = {f"i-{n}" for n in shut}
    plan = plan_closing([Fleet("a", len(busy))], machines, closed, to_take, slots=4)
    assert plan.closed is not None and plan.closed < {m.instance_id for m in machines}


def test_cheap_asks_for_no_more_machines_than_give_each_slot_ten_jobs() -> None:
    assert machines_to_buy(100, 400, 4, is_cheap=True) == 10
    assert machines_to_buy(100, 401, 4, is_cheap=True) == 11
    assert machines_to_buy(3, 4000, 4, is_cheap=True) == 3
    assert machines_to_buy(100, 400, 4, is_cheap=False) == 100
    assert machines_to_buy(100, 0, 4, is_cheap=True) == 100, "jobs may be sent later"


def test_cheap_asks_for_what_is_busy_for_twice_the_longest_job_where_that_one_counts() -> None:
    def few(jobs: int, slots: int, longest: float, asked: int = 100) -> int:
        seconds = [longest, *[600.0] * (jobs - 1)]
        return machines_to_buy(asked, jobs, slots, is_cheap=True, seconds=seconds)

    assert few(400, 4, 600.0) == 10, "all take as long"
    assert few(400, 4, 6000.0) == 5, "17 machine-hours of work, and one job of 1.7 hours"
    assert few(400, 1, 6000.0) == 40, "no slot idles beside it"
    assert few(40_000, 4, 6000.0, asked=500) == 500, "it hardly counts"
    assert few(4, 4, 60_000.0) == 1
