"""`startCluster` buys what the files say, once, and leaves nothing of a purchase that fails."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from distributed_something.aws.compute import cluster, fleet, instances, launch_templates
from distributed_something.aws.compute.images import recommended_image
from distributed_something.aws.session import Aws
from distributed_something.commands.buying.start_cluster import Purchase, start_cluster
from distributed_something.commands.runs.runs import ensure_run, find_run
from distributed_something.commands.setting_up.setup import setup
from distributed_something.errors import DistributedSomethingError, NotFound, UsageError
from distributed_something.inputs.settings import Settings
from distributed_something.local.simulator import Simulator
from distributed_something.protocol.fleet_target import lower_target
from distributed_something.protocol.ledger.record import RunRecord, read_record_file, save_record
from distributed_something.protocol.ledger.run_ledger import RunLedger
from tests.account import new_account, simulated_ec2, write_fleet_file
from tests.builders import settings, write_config, write_json
from tests.clock import Clock
from tests.fleet_files import specification
from tests.golden import screen


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as opened:
        yield opened


@pytest.fixture
def aws(simulator: Simulator) -> Aws:
    opened = new_account(simulator)
    setup(opened, settings())
    return opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


def start(aws: Aws, folder: Path, configured: Settings | None = None, **options: Any) -> RunRecord:
    """startCluster with a fleet file that works and a clock, unless the test has its own.

    `each_sleep` is called whenever startCluster waits for machines, which takes no real time.
    """
    fleet_file = options.pop("fleet_file", None) or write_fleet_file(aws, folder)
    clock = options.pop("clock", None) or Clock(time.time())
    each_sleep = options.pop("each_sleep", lambda: None)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if seconds >= 1:  # shorter, it waits until AWS knows the launch template
            each_sleep()

    options = {"folder": folder / "files", "sleep": sleep, "now": clock.now, **options}
    return start_cluster(aws, configured or settings(), fleet_file, **options)


def live_fleets(aws: Aws) -> list[str]:
    return fleet.find_fleets(aws.ec2, {"distributed-something:app": "Counting"})


def machines(aws: Aws) -> list[instances.Instance]:
    return instances.find_machines(aws.ec2, {"distributed-something:app": "Counting"})


def templates(aws: Aws) -> list[str]:
    return launch_templates.find_launch_templates(
        aws.ec2, {"distributed-something:app": "Counting"}
    )


def containers_wanted(aws: Aws) -> int:
    return cluster.describe_service(aws.ecs, "counting", "CountingService").desired


def template_data(aws: Aws, name: str) -> dict[str, Any]:
    versions = aws.ec2.describe_launch_template_versions(LaunchTemplateName=name)
    return dict(versions["LaunchTemplateVersions"][0]["LaunchTemplateData"])


def nothing_is_left(aws: Aws) -> bool:
    return not (live_fleets(aws) or machines(aws) or templates(aws) or containers_wanted(aws))


def on_call(client: Any, operation: str, act: Callable[[], None]) -> None:
    """Do something each time a client is about to call an operation."""
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"provide-client-params.{service}.{operation}", lambda **_: act())


def fail(code: str = "InternalError", message: str = "EC2 is ill.") -> Callable[[], None]:
    def act() -> None:
        raise ClientError({"Error": {"Code": code, "Message": message}}, "Test")

    return act


def test_the_machines_of_the_config_run_and_the_service_wants_them(
    aws: Aws, tmp_path: Path
) -> None:
    record = start(aws, tmp_path)
    assert len(machines(aws)) == 2
    assert {one.instance_type for one in machines(aws)} == {"m5.xlarge"}
    assert containers_wanted(aws) == 2
    assert list(record.fleet_ids) == live_fleets(aws)
    assert [one.target_capacity for one in record.fleets] == [2]


def test_the_record_is_in_the_folder_and_the_bucket_and_says_the_same(
    aws: Aws, tmp_path: Path, clock: Clock
) -> None:
    record = start(aws, tmp_path, clock=clock)
    assert read_record_file(tmp_path / "files/CountingSpotFleetRequestId.json") == record
    assert find_run(aws, settings()) == record
    assert record.launch_templates == (f"Counting-{record.run_id}-1",)
    assert templates(aws) == list(record.launch_templates)


def test_capacity_is_shown_as_it_arrives(aws: Aws, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    simulated_ec2().refused_types.add("m5.xlarge")

    start(
        aws,
        tmp_path,
        on_capacity=lambda *numbers: seen.append(numbers),
        each_sleep=simulated_ec2().refused_types.clear,
    )
    assert seen == [(0, 2), (2, 2)]


def test_the_run_of_submitjob_gets_the_fleet(aws: Aws, tmp_path: Path) -> None:
    begun = ensure_run(aws, settings(), folder=None)
    assert start(aws, tmp_path).run_id == begun.run_id


def test_a_second_startcluster_adds_to_the_run(aws: Aws, tmp_path: Path) -> None:
    first = start(aws, tmp_path)
    second = start(aws, tmp_path, settings(CLUSTER_MACHINES=3))
    assert second.run_id == first.run_id
    assert second.fleet_ids[0] == first.fleet_ids[0]
    assert len(second.fleet_ids) == len(set(second.launch_templates)) == 2
    assert len(machines(aws)) == 5
    assert containers_wanted(aws) == sum(one.target_capacity or 0 for one in second.fleets) == 5


@pytest.mark.parametrize(
    ("of_config", "of_file", "cap"),
    [(None, "0.05", "0.05"), (0.2, "0.05", "0.2"), (None, None, None)],
)
def test_the_price_cap_of_an_older_fleet_file_holds_where_the_config_has_none(
    aws: Aws, tmp_path: Path, of_config: float | None, of_file: str | None, cap: str | None
) -> None:
    shown: list[Purchase] = []

    def confirm(purchase: Purchase) -> bool:
        shown.append(purchase)
        return True

    own = {} if of_file is None else {"SpotPrice": of_file}
    path = write_fleet_file(aws, tmp_path, **own)
    record = start(
        aws, tmp_path, settings(MACHINE_PRICE=of_config), fleet_file=path, confirm=confirm
    )
    assert record.fleets[0].request.get("SpotPrice") == cap
    assert shown[0].price_cap == (None if cap is None else float(cap))
    assert any("SpotPrice of" in note for note in shown[0].notes) is (of_file is not None)


def test_the_person_sees_what_is_to_be_bought(aws: Aws, tmp_path: Path, clock: Clock) -> None:
    shown: list[Purchase] = []
    began = clock.now()

    def confirm(purchase: Purchase) -> bool:
        shown.append(purchase)
        return True

    start(aws, tmp_path, settings(MAX_HOURS=3), confirm=confirm, clock=clock)
    (purchase,) = shown
    assert purchase.machines == 2
    assert purchase.price_cap == 0.1
    assert purchase.price_cap_per_hour == pytest.approx(0.2)
    assert purchase.ends_by == began + 3 * 3600
    assert purchase.disk_gib == 30
    assert purchase.fleets_already == ()
    assert (purchase.max_hours, purchase.max_cost, purchase.already_per_hour) == (3, 0, 0)
    assert purchase.extras_per_hour == pytest.approx(2 * (0.08 * 30 / 720 + 0.005))

    def decline(purchase: Purchase) -> bool:
        shown.append(purchase)
        return False

    with pytest.raises(DistributedSomethingError, match="Nothing was bought"):
        start(aws, tmp_path, settings(MACHINE_PRICE=0.3), confirm=decline, clock=clock)
    assert len(shown[1].fleets_already) == 1
    assert shown[1].already_per_hour == pytest.approx(0.2)
    assert any("ami-fad25980 does not exist" in note for note in purchase.notes)


def notes_of(aws: Aws, folder: Path, **constants: Any) -> str:
    """What is noted of a purchase that is then not made."""
    shown: list[Purchase] = []

    def confirm(purchase: Purchase) -> bool:
        shown.append(purchase)
        return False

    with pytest.raises(DistributedSomethingError, match="Nothing was bought"):
        start(aws, folder, settings(**constants), confirm=confirm)
    return " ".join(shown[0].notes)


def test_machines_that_no_job_waits_for_are_told_before_they_are_bought(
    aws: Aws, tmp_path: Path
) -> None:
    assert "No job waits in CountingQueue" in notes_of(aws, tmp_path)
    queue = aws.sqs.get_queue_url(QueueName="CountingQueue")["QueueUrl"]
    for _ in range(9):
        aws.sqs.send_message(QueueUrl=queue, MessageBody="{}")
    said = notes_of(aws, tmp_path, CLUSTER_MACHINES=3, DOCKER_CORES=3)
    assert "9 jobs for 9 slots: much of the bill" in said and 'FINISH = "cheap" asks for 1' in said
    assert "job" not in notes_of(aws, tmp_path, CLUSTER_MACHINES=1, DOCKER_CORES=3)
    said = notes_of(aws, tmp_path, CLUSTER_MACHINES=3, DOCKER_CORES=5, CPU_SHARES=1024)
    assert "3 machines would be bought for 9 jobs that wait or run, and 2 machines can" in said
    start(aws, tmp_path, settings(CLUSTER_MACHINES=2, DOCKER_CORES=3))
    said = notes_of(aws, tmp_path, CLUSTER_MACHINES=2, DOCKER_CORES=3)  # with those that are there
    assert "4 machines would be bought for 9 jobs that wait or run, and 3 machines can" in said


def test_cheap_buys_as_many_machines_as_give_each_slot_ten_jobs(aws: Aws, tmp_path: Path) -> None:
    queue = aws.sqs.get_queue_url(QueueName="CountingQueue")["QueueUrl"]
    for _ in range(21):
        aws.sqs.send_message(QueueUrl=queue, MessageBody="{}")
    wanted = {"CLUSTER_MACHINES": 5, "DOCKER_CORES": 1, "FINISH": "Cheap"}
    said = notes_of(aws, tmp_path, **wanted)
    assert 'FINISH = "cheap": 3 machines instead of 5 (CLUSTER_MACHINES)' in said
    record = start(aws, tmp_path, settings(**wanted))
    assert record.finish == "cheap"
    assert [one.target_capacity for one in record.fleets] == [3]
    assert len(machines(aws)) == 3


def test_the_quote_shows_time_against_money_where_job_times_are_known(
    aws: Aws, tmp_path: Path
) -> None:
    queue = aws.sqs.get_queue_url(QueueName="CountingQueue")["QueueUrl"]
    for _ in range(40):
        aws.sqs.send_message(QueueUrl=queue, MessageBody="{}")
    quotes: list[Purchase] = []

    def confirm(purchase: Purchase) -> bool:
        quotes.append(purchase)
        return False

    for minutes in (None, 30.0):
        with pytest.raises(DistributedSomethingError, match="Nothing was bought"):
            start(aws, tmp_path, settings(DOCKER_CORES=1), confirm=confirm, minutes=minutes)
    unknown, known = (quote.outlook.rows for quote in quotes)
    assert unknown == (), "a guess is no basis to choose by"
    assert [(row.finish, row.machines) for row in known] == [
        ("fast", 2),
        ("cheap", 2),
        ("fast", 1),
        ("fast", 4),
    ]
    assert known[2].hours > known[0].hours > known[3].hours > 5
    assert all(row.high is not None and row.high > 0 for row in known)


def test_who_buys_for_a_run_that_was_stopped_is_told_first(aws: Aws, tmp_path: Path) -> None:
    run = start(aws, tmp_path)
    assert "was stopped" not in notes_of(aws, tmp_path)
    RunLedger.of(aws.s3, run).stop("5 jobs were given up (MAX_FAILURES)")
    said = notes_of(aws, tmp_path)
    assert f"Run {run.run_id} of Counting was stopped (5 jobs were given up (MAX_FAILURES))" in said
    assert "`python run.py retry` continues it" in said


def test_one_machine_is_counted_as_one(
    aws: Aws, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "distributed_something")
    start(aws, tmp_path, settings(CLUSTER_MACHINES=1))
    assert "runs 1 container." in caplog.text
    assert "of 1 machine." in caplog.text


def test_a_queue_that_does_not_say_how_many_jobs_wait_stops_no_purchase(
    aws: Aws, tmp_path: Path
) -> None:
    on_call(aws.sqs, "GetQueueAttributes", fail("AccessDenied", "Not you."))
    assert "The number of jobs waiting in CountingQueue could not be read" in notes_of(
        aws, tmp_path
    )
    start(aws, tmp_path)
    assert len(machines(aws)) == 2


def test_without_a_terminal_the_price_is_told_and_the_machines_are_bought(
    simulator: Simulator, aws: Aws, tmp_path: Path
) -> None:
    write_config(tmp_path)
    words = ["startCluster", str(write_fleet_file(aws, tmp_path))]
    code, _, seen = screen(words, tmp_path, simulator.environment)
    assert code == 0
    assert "Machines: 2; price: at most $0.10 a machine-hour, $0.20 an hour for all." in seen
    assert "Buying now: there is no terminal to ask on." in seen
    assert seen.index("price:") < seen.index("Buying now") < seen.index("machines are up")
    assert len(machines(aws)) == 2
    code, _, seen = screen(["cancel"], tmp_path, simulator.environment)
    assert code == 2 and "pass --yes" in seen
    assert len(machines(aws)) == 2


def test_a_no_creates_nothing(aws: Aws, tmp_path: Path) -> None:
    with pytest.raises(DistributedSomethingError, match="Nothing was bought"):
        start(aws, tmp_path, confirm=lambda _: False)
    assert nothing_is_left(aws)
    with pytest.raises(NotFound):
        find_run(aws, settings())
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize(
    ("constants", "words"),
    [
        ({"MEMORY": 16385}, ("MEMORY", "MACHINE_TYPE", "16384")),
        ({"MEMORY": 9000, "TASKS_PER_MACHINE": 2}, ("TASKS_PER_MACHINE", "18000")),
        ({"CPU_SHARES": 4097}, ("CPU_SHARES", "4096")),
        ({"MACHINE_TYPE": ["m5.xlarg"]}, ("MACHINE_TYPE", "m5.xlarg")),
    ],
)
def test_what_can_never_work_is_refused_with_its_constant(
    aws: Aws, tmp_path: Path, constants: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError) as caught:
        start(aws, tmp_path, settings(**constants))
    assert all(word in str(caught.value) for word in words)
    assert nothing_is_left(aws)


def test_a_container_that_hardly_fits_is_warned_of(aws: Aws, tmp_path: Path) -> None:
    notes: list[str] = []

    def confirm(purchase: Purchase) -> bool:
        notes.extend(purchase.notes)
        return True

    start(aws, tmp_path, settings(MEMORY=16000), confirm=confirm)
    assert any("16000 MB of the 16384" in note for note in notes)


def test_before_setup_the_missing_queue_is_named(simulator: Simulator, tmp_path: Path) -> None:
    bare = new_account(simulator)
    with pytest.raises(NotFound, match=r"run `python run.py setup` first"):
        start(bare, tmp_path)


def test_without_its_service_nothing_is_bought(aws: Aws, tmp_path: Path) -> None:
    cluster.delete_service(aws.ecs, "counting", "CountingService")
    with pytest.raises(NotFound, match="No service CountingService"):
        start(aws, tmp_path)
    assert not live_fleets(aws)


def test_a_missing_fleet_file_is_a_usage_error(aws: Aws, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Cannot read the fleet file"):
        start(aws, tmp_path, fleet_file=tmp_path / "none.json")


def test_the_image_fits_the_machine_and_the_disk_fits_the_image(aws: Aws, tmp_path: Path) -> None:
    configured = settings(
        MACHINE_TYPE=["m5.xlarge", "m6g.xlarge", "g4dn.xlarge"], EBS_VOL_SIZE=25, MEMORY=3000
    )
    notes: list[str] = []

    def confirm(purchase: Purchase) -> bool:
        notes.extend(purchase.notes)
        return True

    record = start(aws, tmp_path, configured, confirm=confirm)
    data = [template_data(aws, name) for name in record.launch_templates]
    images = [one["ImageId"] for one in data]
    assert images == [recommended_image(aws.ssm, kind) for kind in ("x86_64", "arm64", "gpu")]
    assert len(set(images)) == 3
    scripts = [base64.b64decode(one["UserData"]).decode() for one in data]
    assert ["nvidia" in script for script in scripts] == [False, False, True]
    assert {one["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] for one in data} == {30}
    assert any("the disk gets 30 GiB" in note for note in notes)
    assert any("mixes x86 and arm" in note for note in notes)


def test_an_image_of_ones_own_is_kept(aws: Aws, tmp_path: Path) -> None:
    own = aws.ec2.register_image(Name="lab-image", RootDeviceName="/dev/sda1")["ImageId"]
    path = write_fleet_file(aws, tmp_path)
    content = json.loads(path.read_text())
    content["LaunchSpecifications"][0]["ImageId"] = own
    record = start(aws, tmp_path, fleet_file=write_json(path, content))
    assert template_data(aws, record.launch_templates[0])["ImageId"] == own


def test_an_image_of_ones_own_for_another_processor_is_refused(aws: Aws, tmp_path: Path) -> None:
    own = recommended_image(aws.ssm, "x86_64")
    path = write_fleet_file(aws, tmp_path)
    content = json.loads(path.read_text())
    content["LaunchSpecifications"][0]["ImageId"] = own
    with pytest.raises(UsageError, match=r"is for x86_64, and a m6g.xlarge"):
        start(
            aws,
            tmp_path,
            settings(MACHINE_TYPE="m6g.xlarge"),
            fleet_file=write_json(path, content),
        )


def test_a_machine_that_amazon_has_no_image_for_is_refused(aws: Aws, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="recommends no arm64-gpu image"):
        start(aws, tmp_path, settings(MACHINE_TYPE="g5g.2xlarge"))
    assert nothing_is_left(aws)


def test_keep_ami_with_an_image_that_is_not_there_is_refused(aws: Aws, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"LaunchSpecifications\[0\].ImageId is ami-fad25980"):
        start(aws, tmp_path, keep_ami=True)
    assert nothing_is_left(aws)


def test_several_specifications_become_several_templates_of_one_fleet(
    aws: Aws, tmp_path: Path
) -> None:
    subnets = [one["SubnetId"] for one in aws.ec2.describe_subnets()["Subnets"]]
    both = [
        specification(KeyName=None, NetworkInterfaces=None, SubnetId=", ".join(subnets[:2])),
        specification(KeyName=None, NetworkInterfaces=None, SubnetId=subnets[2]),
    ]
    path = write_fleet_file(aws, tmp_path, LaunchSpecifications=both)
    record = start(
        aws, tmp_path, settings(MACHINE_TYPE=["m5.xlarge", "c5.xlarge"]), fleet_file=path
    )
    assert len(record.launch_templates) == 2
    configs = record.fleets[0].request["LaunchTemplateConfigs"]
    assert [[one["InstanceType"] for one in config["Overrides"]] for config in configs] == [
        ["m5.xlarge", "m5.xlarge"],
        ["c5.xlarge"],
    ]
    assert len(machines(aws)) == 2


def own_template(aws: Aws) -> dict[str, str]:
    """A launch template that somebody made for other purposes."""
    data: Any = {
        "InstanceType": "t2.nano",
        "UserData": base64.b64encode(b"#!/bin/sh\n").decode(),
        "IamInstanceProfile": {"Name": "ecsInstanceRole"},
    }
    aws.ec2.create_launch_template(LaunchTemplateName="lab", LaunchTemplateData=data)
    return {"LaunchTemplateName": "lab", "Version": "$Latest"}


def test_a_launch_template_of_ones_own_gives_its_settings_to_the_runs_and_stays(
    aws: Aws, tmp_path: Path
) -> None:
    overrides = [{"InstanceType": "m5.large", "Priority": 1.0}, {"InstanceType": "m6g.large"}]
    reference = {"LaunchTemplateSpecification": own_template(aws), "Overrides": overrides}
    path = write_fleet_file(
        aws, tmp_path, LaunchSpecifications=None, LaunchTemplateConfigs=[reference]
    )
    record = start(aws, tmp_path, settings(MEMORY=3000), fleet_file=path)
    configs = record.fleets[0].request["LaunchTemplateConfigs"]
    assert [config["Overrides"] for config in configs] == [
        [{"InstanceType": "m5.large", "Priority": 1.0}],
        [{"InstanceType": "m6g.large"}],
    ]
    data = template_data(aws, record.launch_templates[0])
    assert data["IamInstanceProfile"] == {"Name": "ecsInstanceRole"}
    assert "ECS_CLUSTER=counting" in base64.b64decode(data["UserData"]).decode()
    assert len(aws.ec2.describe_launch_templates()["LaunchTemplates"]) == 3


def test_a_launch_template_that_is_not_there_is_named(aws: Aws, tmp_path: Path) -> None:
    reference = {"LaunchTemplateSpecification": {"LaunchTemplateName": "nobodys"}}
    path = write_fleet_file(
        aws, tmp_path, LaunchSpecifications=None, LaunchTemplateConfigs=[reference]
    )
    with pytest.raises(UsageError, match="no launch template nobodys of version"):
        start(aws, tmp_path, fleet_file=path)
    assert nothing_is_left(aws)


def test_on_demand_machines_are_said_and_cannot_be_more_than_all(aws: Aws, tmp_path: Path) -> None:
    notes: list[str] = []

    def decline(purchase: Purchase) -> bool:
        notes.extend(purchase.notes)
        return False

    path = write_fleet_file(aws, tmp_path, OnDemandTargetCapacity=1)
    with pytest.raises(DistributedSomethingError, match="Nothing was bought"):
        start(aws, tmp_path, fleet_file=path, confirm=decline)
    assert any("1 of the 2 machines are On-Demand" in note for note in notes)
    path = write_fleet_file(aws, tmp_path, OnDemandTargetCapacity=3)
    with pytest.raises(
        UsageError, match=r"OnDemandTargetCapacity in .* is 3, and CLUSTER_MACHINES"
    ):
        start(aws, tmp_path, fleet_file=path)


def test_the_record_is_saved_before_the_request_is_sent(aws: Aws, tmp_path: Path) -> None:
    saved: list[RunRecord] = []
    on_call(aws.ec2, "RequestSpotFleet", lambda: saved.append(find_run(aws, settings())))
    record = start(aws, tmp_path)
    before = saved[0]
    assert before.fleets == (replace(record.fleets[0], fleet_id=""),)
    assert before.launch_templates == record.launch_templates


def test_a_kill_before_the_request_is_sent_buys_one_fleet_when_repeated(
    aws: Aws, tmp_path: Path
) -> None:
    clock = Clock()
    killed = ["once"]

    def kill() -> None:
        if killed:
            killed.clear()
            raise KeyboardInterrupt

    on_call(aws.ec2, "RequestSpotFleet", kill)
    with pytest.raises(KeyboardInterrupt):
        start(aws, tmp_path, clock=clock)
    token = find_run(aws, settings()).fleets[0].client_token
    clock.time += 60
    record = start(aws, tmp_path, clock=clock)
    assert [one.client_token for one in record.fleets] == [token]
    assert live_fleets(aws) == list(record.fleet_ids)
    assert len(machines(aws)) == 2
    assert templates(aws) == list(record.launch_templates)


def test_a_kill_after_the_request_took_effect_buys_no_second_fleet(
    aws: Aws, tmp_path: Path
) -> None:
    bought = start(aws, tmp_path)
    unheard = replace(bought.fleets[0], fleet_id="")
    save_record(aws.s3, replace(bought, fleets=(unheard,)), tmp_path / "files")
    record = start(aws, tmp_path)
    assert record.fleets == bought.fleets
    assert len(machines(aws)) == 2


def test_after_a_kill_another_wish_is_a_fleet_of_its_own(aws: Aws, tmp_path: Path) -> None:
    bought = start(aws, tmp_path)
    unheard = replace(bought.fleets[0], fleet_id="")
    never_sent = replace(unheard, client_token="never-sent")
    save_record(aws.s3, replace(bought, fleets=(never_sent, unheard)), None)
    record = start(aws, tmp_path, settings(CLUSTER_MACHINES=1))
    assert record.fleet_ids[0] == bought.fleet_ids[0]
    assert sorted(live_fleets(aws)) == sorted(record.fleet_ids)
    assert len(record.fleets) == 2
    assert len(machines(aws)) == 3


def test_a_request_that_ec2_refuses_leaves_nothing(aws: Aws, tmp_path: Path) -> None:
    on_call(aws.ec2, "RequestSpotFleet", fail("UnauthorizedOperation", "You may not."))
    with pytest.raises(
        DistributedSomethingError, match=r"You may not.*Nothing of the purchase remains"
    ):
        start(aws, tmp_path)
    assert nothing_is_left(aws)
    record = find_run(aws, settings())
    assert record.fleets == () and record.launch_templates == ()


def test_a_bug_after_the_purchase_shows_itself_and_leaves_nothing(aws: Aws, tmp_path: Path) -> None:
    def stumble(_machines: int, _target: int) -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        start(aws, tmp_path, on_capacity=stumble)
    assert nothing_is_left(aws)
    assert find_run(aws, settings()).fleets == ()


def test_a_record_that_cannot_be_saved_after_the_purchase_cancels_it(
    aws: Aws, tmp_path: Path
) -> None:
    files = tmp_path / "files"

    def spoil() -> None:
        record = files / "CountingSpotFleetRequestId.json"
        record.unlink()
        record.mkdir()  # the file cannot be put in a folder's place

    on_call(aws.ec2, "RequestSpotFleet", spoil)
    with pytest.raises(DistributedSomethingError, match="startCluster failed"):
        start(aws, tmp_path)
    assert nothing_is_left(aws)


def test_a_fleet_that_cannot_be_cancelled_stays_in_the_record(aws: Aws, tmp_path: Path) -> None:
    simulated_ec2().refused_types.add("m5.xlarge")
    on_call(aws.ec2, "CancelSpotFleetRequests", fail())
    with pytest.raises(DistributedSomethingError, match=r"Machines may be running.*monitor"):
        start(aws, tmp_path, each_sleep=lambda: note_fault("spotFleetRequestConfigurationInvalid"))
    assert list(find_run(aws, settings()).fleet_ids) == live_fleets(aws)


def note_fault(kind: str) -> None:
    """Let the history of every simulated fleet tell of an error."""
    for one in simulated_ec2().spot_fleets.values():
        one.history.append(
            {
                "EventType": "error",
                "EventInformation": {
                    "EventSubType": kind,
                    "EventDescription": "The subnet and the group are of two VPCs",
                },
                "Timestamp": one.created,
            }
        )


@pytest.mark.parametrize("kind", ["spotFleetRequestConfigurationInvalid", "iamFleetRoleInvalid"])
def test_a_fleet_that_can_never_start_is_cancelled_with_the_reason(
    aws: Aws, tmp_path: Path, kind: str
) -> None:
    simulated_ec2().refused_types.add("m5.xlarge")
    with pytest.raises(DistributedSomethingError, match="of two VPCs"):
        start(aws, tmp_path, each_sleep=lambda: note_fault(kind))
    assert nothing_is_left(aws)
    assert find_run(aws, settings()).fleets == ()


def test_want_of_capacity_is_waited_for_and_the_fleet_stays(
    aws: Aws, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(time.time())  # the fleet's history has the simulator's times
    simulated_ec2().refused_types.add("m5.xlarge")
    record = start(aws, tmp_path, clock=clock, max_wait=900)
    assert 900 <= sum(clock.slept) < 930
    assert live_fleets(aws) == list(record.fleet_ids)
    assert "MACHINE_TYPE" in caplog.text
    assert caplog.text.count("allLaunchSpecsTemporarilyBlacklisted") == 1
    assert "EC2 keeps trying" in caplog.text


def test_machines_that_work_are_kept_when_others_cannot_start(aws: Aws, tmp_path: Path) -> None:
    def sleep() -> None:
        simulated_ec2().refused_types.add("m5.xlarge")
        for one in simulated_ec2().spot_fleets.values():
            one.target = 3.0
        note_fault("spotFleetRequestConfigurationInvalid")

    first_look = iter([fail("RequestLimitExceeded")])
    on_call(aws.ec2, "DescribeSpotFleetRequests", lambda: next(first_look, lambda: None)())
    record = start(aws, tmp_path, each_sleep=sleep, max_wait=60)
    assert len(machines(aws)) == 2
    assert live_fleets(aws) == list(record.fleet_ids)


def test_a_look_that_fails_does_not_end_the_run(aws: Aws, tmp_path: Path) -> None:
    failures = iter([fail("RequestLimitExceeded"), fail("InternalError")])
    on_call(aws.ec2, "DescribeSpotFleetRequests", lambda: next(failures, lambda: None)())
    record = start(aws, tmp_path)
    assert live_fleets(aws) == list(record.fleet_ids)
    assert len(machines(aws)) == 2


def test_a_fleet_that_ends_while_it_is_waited_for_is_an_error(aws: Aws, tmp_path: Path) -> None:
    simulated_ec2().refused_types.add("m5.xlarge")

    def sleep() -> None:
        for fleet_id in live_fleets(aws):
            fleet.cancel_fleet(aws.ec2, fleet_id)

    with pytest.raises(DistributedSomethingError, match="ended before its machines came"):
        start(aws, tmp_path, each_sleep=sleep)
    assert nothing_is_left(aws)


def join_cluster(aws: Aws, machine: instances.Instance) -> None:
    """Do what the ECS agent of a machine does as it starts."""
    document = {"instanceId": machine.instance_id, "region": "us-east-1"}
    joined = aws.ecs.register_container_instance(
        cluster="counting", instanceIdentityDocument=json.dumps(document)
    )["containerInstance"]["containerInstanceArn"]
    aws.ecs.put_attributes(
        cluster="counting",
        attributes=[
            {
                "name": "distributed-something.app",
                "value": "Counting",
                "targetId": joined,
            }
        ],
    )


def test_with_several_containers_a_machine_the_service_grows_as_machines_join(
    aws: Aws, tmp_path: Path
) -> None:
    wanted: list[int] = []

    def sleep() -> None:
        wanted.append(containers_wanted(aws))
        known = {one.instance_id for one in cluster.container_instances(aws.ecs, "counting")}
        waiting = [one for one in machines(aws) if one.instance_id not in known]
        join_cluster(aws, waiting[0])

    start(aws, tmp_path, settings(TASKS_PER_MACHINE=2, MEMORY=3000), each_sleep=sleep)
    assert wanted == [2, 2]
    assert containers_wanted(aws) == 4


def test_cancelling_a_fleet_twice_or_one_that_never_was_is_fine(aws: Aws, tmp_path: Path) -> None:
    record = start(aws, tmp_path)
    assert fleet.cancel_fleet(aws.ec2, record.fleet_ids[0])
    assert machines(aws) == []
    fleet.cancel_fleet(aws.ec2, record.fleet_ids[0])
    assert not fleet.cancel_fleet(aws.ec2, "sfr-00000000-0000-0000-0000-000000000000")
    assert fleet.fleet_members(aws.ec2, "sfr-00000000-0000-0000-0000-000000000000") == []
    with pytest.raises(NotFound):
        fleet.describe_fleet(aws.ec2, "sfr-00000000-0000-0000-0000-000000000000")


def test_lowering_the_target_ends_no_machine(aws: Aws, tmp_path: Path) -> None:
    record = start(aws, tmp_path)
    lower_target(aws.ec2, record.fleet_ids[0], 1)
    assert fleet.describe_fleet(aws.ec2, record.fleet_ids[0]).target == 1
    assert len(machines(aws)) == 2


def test_terminating_a_forgotten_machine_with_others_ends_the_others(
    aws: Aws, tmp_path: Path
) -> None:
    start(aws, tmp_path)
    first, second = machines(aws)
    instances.terminate_instances(aws.ec2, [first.instance_id, "i-0123456789abcdef0"])
    assert second.instance_id in {one.instance_id for one in machines(aws)}
    assert first.instance_id not in {one.instance_id for one in machines(aws)}


def test_deleting_a_launch_template_takes_its_exact_name(aws: Aws, tmp_path: Path) -> None:
    record = start(aws, tmp_path)
    (name,) = record.launch_templates
    assert not launch_templates.delete_launch_template(aws.ec2, name[:-2])
    assert launch_templates.delete_launch_template(aws.ec2, name)
    assert not launch_templates.delete_launch_template(aws.ec2, name)
    assert templates(aws) == []


def test_a_fleet_of_on_demand_machines_is_asked_for_and_lowered_as_a_whole(
    aws: Aws, tmp_path: Path
) -> None:
    asked: list[dict[str, Any]] = []
    aws.ec2.meta.events.register(
        "provide-client-params.ec2.ModifySpotFleetRequest",
        lambda params, **_: asked.append(dict(params)),
    )
    notes: list[str] = []

    def agree(purchase: Purchase) -> bool:
        notes.extend(purchase.notes)
        return True

    record = start(aws, tmp_path, settings(ON_DEMAND="True"), confirm=agree)
    assert any("2 of the 2 machines are On-Demand (ON_DEMAND)" in note for note in notes)
    assert record.fleets[0].request["OnDemandTargetCapacity"] == 2
    lower_target(aws.ec2, record.fleet_ids[0], 1)
    assert (asked[0]["TargetCapacity"], asked[0]["OnDemandTargetCapacity"]) == (1, 1)
