"""A rehearsal lives through a whole run with real workers, and says truthfully how it went."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import docker
import pytest

import worker.something
from distributed_something.errors import DistributedSomethingError, UsageError
from distributed_something.local.data import remember
from distributed_something.local.machines.containers import (
    OWNER_LABEL,
    choose_runtime,
    remove_leftovers,
)
from distributed_something.local.pace import WORKER_PACE
from distributed_something.local.rehearsal import rehearse, scale_down
from distributed_something.local.stage import Listener, most_loops
from tests.builders import settings, write_json
from tests.images import worker_on
from worker.environment import Pace as WorkerPace

# Whether a container has the shared memory and the limit of open files that its config asks for.
SEEN = (
    "import os, resource; disk = os.statvfs('/dev/shm');"
    " assert disk.f_blocks * disk.f_frsize == 96 * 2**20;"
    " assert resource.getrlimit(resource.RLIMIT_NOFILE) == (2000, 3000)"
)
COPY = "import shutil, sys, time; time.sleep(float(sys.argv[3])); shutil.copy(*sys.argv[1:3])"


def copying(folder: Path, count: int, seconds: float = 0.0) -> Path:
    """A job file whose jobs copy their input to their output, and the folder of their inputs."""
    data = folder / "data" / "in"
    data.mkdir(parents=True)
    for n in range(count):
        (data / f"{n}.txt").write_text(f"input {n}")
    command = [sys.executable, "-c", COPY, "{input_dir}/{n}.txt", "{output_dir}/out.txt"]
    return write_json(
        folder / "jobs.json",
        {
            "command": [*command, str(seconds)],
            "inputs": "in/{n}.txt",
            "output": "out/{n}",
            "groups": [{"n": n} for n in range(count)],
        },
    )


@pytest.mark.slow
def test_a_run_is_done_from_the_inputs_to_the_results_and_nothing_is_left(tmp_path: Path) -> None:
    steps: list[str] = []
    folder = tmp_path / "rehearsal" / "Counting"
    earlier = folder / "results" / "old.txt"
    earlier.parent.mkdir(parents=True)
    earlier.touch()
    remember(folder, [earlier])
    report = rehearse(
        settings(DOCKER_CORES=2, MEMORY=2000),
        copying(tmp_path, 6, seconds=0.5),  # a tool that ends at once shows no memory
        data=tmp_path / "data",
        runtime="process",
        directory=tmp_path / "rehearsal",
        listener=Listener(on_step=steps.append),
    )
    assert report.succeeded
    assert (report.summary.submitted, report.summary.done, report.summary.failed) == (6, 6, 0)
    for n in range(6):
        assert (folder / "out" / str(n) / "out.txt").read_text() == f"input {n}"
    assert len(report.results) == 6
    assert len(report.machines) == 2
    for kind in ("queue ", "cluster ", "spot fleet ", "machine "):
        assert any(item.startswith(kind) for item in report.removed), report.removed
    assert report.left_over == ()
    assert report.peak_memory > 2  # MiB; any Python takes more
    assert report.suggestion is not None
    assert steps[1:-1] == ["setup", "submitJob", "startCluster", "monitor"]
    assert steps[-1] == f"Removed the last rehearsal's 1 file from {folder}/."
    assert not earlier.exists()
    assert "Rehearsal" in report.page.read_text()
    numbers = json.loads(report.page.with_suffix(".json").read_text())
    assert numbers["job_seconds"]["count"] == 6
    assert numbers["money"] == []


@pytest.mark.slow
def test_all_jobs_finish_although_machines_are_taken_away(tmp_path: Path) -> None:
    report = rehearse(
        settings(MEMORY=2000),
        copying(tmp_path, 6, seconds=1.5),
        data=tmp_path / "data",
        runtime="process",
        interrupt=1.0,
        directory=tmp_path / "rehearsal",
    )
    assert report.interrupted_machines > 0
    said = "".join(log.read_text() for log in report.logs.iterdir())
    assert "spot notice: terminate at" in said or "told to stop (SIGTERM)" in said
    assert report.succeeded
    assert report.summary.done == 6
    assert len(report.results) == 6
    assert report.summary.failed == 0


@pytest.mark.slow
def test_a_job_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    folder = tmp_path / "rehearsal" / "Counting"
    earlier, log = folder / "results" / "good.txt", folder / "worker_logs" / "old.log"
    for path in (earlier, log):
        path.parent.mkdir(parents=True)
        path.touch()
    remember(folder, [earlier, log])
    jobs = write_json(
        tmp_path / "jobs.json",
        {
            "command": [sys.executable, "-c", "print('no such plate'); raise SystemExit({code})"],
            "groups": [{"code": 0}, {"code": 3}],
        },
    )
    report = rehearse(
        settings(MEMORY=2000, JOB_RETRIES=1),
        jobs,
        runtime="process",
        directory=tmp_path / "rehearsal",
    )
    assert not report.all_done
    assert (report.summary.done, report.summary.dead) == (1, 1)
    assert report.failures[0].exit_code == 3
    assert "no such plate" in report.failures[0].log_tail
    assert report.left_over == ()
    assert earlier.is_file(), "the last rehearsal's results stay until there are others"
    assert not log.exists()


def test_a_job_file_that_cannot_work_is_refused_as_on_aws(tmp_path: Path) -> None:
    jobs = write_json(tmp_path / "jobs.json", {"command": "tool {plate}", "groups": [{"n": 1}]})
    with pytest.raises(UsageError, match="plate"):
        rehearse(settings(), jobs, runtime="process", directory=tmp_path / "rehearsal")


def test_a_secret_of_an_account_needs_a_value_of_this_computer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMERO_PASSWORD", raising=False)
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:omero-AbCdEf"
    jobs = write_json(tmp_path / "jobs.json", {"command": "true", "groups": [{"n": 1}]})
    with pytest.raises(UsageError, match="export OMERO_PASSWORD="):
        rehearse(
            settings(OMERO_PASSWORD=arn), jobs, runtime="process", directory=tmp_path / "rehearsal"
        )


def test_a_program_that_is_not_there_is_known_before_anything_is_played(tmp_path: Path) -> None:
    steps: list[str] = []
    names = [{"tool": sys.executable}, {"tool": "no-such-tool"}, {"tool": "./comes-with-inputs"}]
    jobs = write_json(tmp_path / "jobs.json", {"command": ["{tool}", "-V"], "groups": names})
    with pytest.raises(UsageError, match="'no-such-tool' cannot be run where the jobs of"):
        rehearse(
            settings(),
            jobs,
            runtime="process",
            directory=tmp_path / "rehearsal",
            listener=Listener(on_step=steps.append),
        )
    assert steps == []


@pytest.mark.slow
def test_a_rehearsal_ends_early_where_all_jobs_fail_alike(tmp_path: Path) -> None:
    groups = [{"n": n} for n in range(200)]
    command = {"command": 'echo "$n"; no-such-tool', "shell": True}
    report = rehearse(
        settings(MEMORY=2000),
        write_json(tmp_path / "jobs.json", {**command, "groups": groups}),
        runtime="process",
        directory=tmp_path / "rehearsal",
    )
    assert 3 <= report.summary.dead < 100
    assert report.summary.failed == report.summary.dead  # none was tried again
    assert "failed alike: The command ended with exit code 127" in report.stopped
    (group,) = report.failure_groups
    assert group.kind == "exit code 127"
    assert "no-such-tool: command not found" in group.last_line
    assert report.left_over == ()


def test_inputs_without_a_folder_of_them_are_refused_before_anything_starts(tmp_path: Path) -> None:
    steps: list[str] = []
    listener = Listener(on_runtime=lambda _name, _why: steps.append("up"), on_step=steps.append)
    with pytest.raises(UsageError, match=r"such as in/0\.txt.*--data DIR"):
        rehearse(
            settings(),
            copying(tmp_path, 1),
            runtime="process",
            directory=tmp_path / "rehearsal",
            listener=listener,
        )
    assert steps == []


@pytest.mark.parametrize("chance", [-0.1, 1.5])
def test_what_is_no_probability_is_refused(tmp_path: Path, chance: float) -> None:
    with pytest.raises(UsageError, match="probability"):
        rehearse(settings(), tmp_path / "none", interrupt=chance)


@pytest.mark.slow
def test_workers_use_the_something_py_that_is_named_and_the_clones_stays(tmp_path: Path) -> None:
    something = tmp_path / "mine.py"
    something.write_text(
        "def prepare(job, directories):\n"
        "    (directories.bring('extra/a.txt'))\n\n"
        "def command(job, directories):\n"
        "    return ['cp', str(directories.input / 'a.txt'), str(directories.output)]\n\n"
        "def check(job, directories, exit_code):\n"
        "    return None\n"
    )
    (tmp_path / "data" / "extra").mkdir(parents=True)
    (tmp_path / "data" / "extra" / "a.txt").write_text("mine")
    jobs = write_json(tmp_path / "jobs.json", {"output": "out/{n}", "groups": [{"n": 1}]})
    clone = Path(worker.something.__file__).read_bytes()
    report = rehearse(
        settings(),
        jobs,
        data=tmp_path / "data",
        runtime="process",
        something=something,
        directory=tmp_path / "rehearsal",
    )
    assert report.succeeded, report.failures
    assert (tmp_path / "rehearsal" / "Counting" / "out" / "1" / "a.txt").read_text() == "mine"
    assert Path(worker.something.__file__).read_bytes() == clone


def test_a_something_py_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"No .*none\.py here"):
        rehearse(settings(), copying(tmp_path, 1), something=tmp_path / "none.py")


def test_a_large_configuration_is_played_small() -> None:
    scaled = scale_down(
        settings(CLUSTER_MACHINES=200, DOCKER_CORES=64, SECONDS_TO_START=180, CPU_SHARES=4096)
    )
    loops = scaled.cluster_machines * scaled.tasks_per_machine * scaled.docker_cores
    assert 0 < loops <= most_loops()
    assert scaled.seconds_to_start == 0


def test_a_small_configuration_is_played_as_it_is() -> None:
    config = settings(CLUSTER_MACHINES=2, DOCKER_CORES=2)
    scaled = scale_down(config)
    assert (scaled.cluster_machines, scaled.docker_cores) == (2, 2)


def test_an_image_that_is_not_here_means_processes_and_the_reason_is_said() -> None:
    make, reason = choose_runtime("auto", "nobody/has-this:1.0")
    runtime = make()
    runtime.close()
    assert runtime.name == "process"
    assert "nobody/has-this:1.0" in reason or "engine" in reason


def test_containers_that_cannot_be_had_are_refused_when_they_are_asked_for() -> None:
    with pytest.raises(UsageError, match="containers"):
        choose_runtime("docker", "nobody/has-this:1.0")


def test_a_failed_job_of_a_rehearsal_is_retried_after_a_second_each_time() -> None:
    pace = WorkerPace.from_environment(WORKER_PACE)
    assert pace.backoff_seconds == pace.backoff_most_seconds == 1.0


@pytest.mark.docker
@pytest.mark.slow
def test_the_same_run_is_done_in_containers_and_none_is_left(
    tmp_path: Path, engine: docker.DockerClient, image: str
) -> None:
    job_file = copying(tmp_path, 6)
    text = job_file.read_text().replace(sys.executable, "python3")
    job_file.write_text(text.replace("import shutil", f"{SEEN}; import shutil"))
    said: list[str] = []
    given = {"SHARED_MEMORY_MB": 96, "ULIMITS": {"nofile": [2000, 3000]}}
    report = rehearse(
        settings(DOCKER_CORES=2, MEMORY=2000, DOCKERHUB_TAG=image, **given),
        job_file,
        data=tmp_path / "data",
        directory=tmp_path / "rehearsal",
        listener=Listener(on_runtime=lambda name, reason: said.extend([name, reason])),
    )
    assert said[0] == "docker", said
    assert report.succeeded
    assert len(report.results) == 6
    assert any(log.read_text() for log in report.logs.iterdir())
    rehearsed = engine.containers.list(all=True, filters={"label": OWNER_LABEL})
    assert not [one for one in rehearsed if one.labels[OWNER_LABEL].startswith(f"{os.getpid()}-")]


@pytest.mark.docker
def test_the_containers_of_a_rehearsal_that_is_gone_are_removed_and_no_others(
    engine: docker.DockerClient, image: str
) -> None:
    options: Any = {"entrypoint": ["sleep"], "command": ["600"], "detach": True}
    orphan = engine.containers.run(image, labels={OWNER_LABEL: "1-0.00"}, **options)
    other = engine.containers.run(image, **options)
    try:
        remove_leftovers(engine)
        left = {container.id for container in engine.containers.list(all=True)}
        assert orphan.id not in left
        assert other.id in left
    finally:
        other.remove(force=True)


@pytest.mark.slow
def test_workers_that_can_never_work_end_the_rehearsal_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "boto3.py").write_text("raise ImportError('this boto3 is broken')")
    monkeypatch.setenv("PYTHONPATH", str(shadow))
    jobs = write_json(tmp_path / "jobs.json", {"command": "true", "groups": [{"n": 1}]})
    with pytest.raises(DistributedSomethingError, match="this boto3 is broken"):
        rehearse(settings(MEMORY=2000), jobs, runtime="process", directory=tmp_path / "rehearsal")


@pytest.mark.docker
@pytest.mark.slow
def test_a_rehearsal_in_containers_mounts_the_bucket_as_its_task_definition_says(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    image = worker_on(engine, "mounting", driver="s3fs")
    (tmp_path / "data" / "lists").mkdir(parents=True)
    (tmp_path / "data" / "lists" / "x.txt").write_text("b\na\n")
    jobs = write_json(
        tmp_path / "jobs.json",
        {
            "command": "readlink {input_dir}/x.txt",
            "inputs": ["lists/x.txt"],
            "groups": [{"n": 1}],
        },
    )
    report = rehearse(
        settings(
            DOCKERHUB_TAG=image,
            MEMORY=2000,
            DOWNLOAD_FILES="False",
            MOUNT_DRIVER="auto",
        ),
        jobs,
        data=tmp_path / "data",
        runtime="docker",
        directory=tmp_path / "rehearsal",
    )
    assert report.succeeded
    printed = "".join(log.read_text() for log in report.logs.iterdir())
    assert "| /home/ubuntu/bucket/lists/x.txt" in printed
