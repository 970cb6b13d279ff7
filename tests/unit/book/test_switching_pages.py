"""The pages for users of older programs leave out no key, flag or file of theirs."""

from __future__ import annotations

import re
from pathlib import Path

from tests.family_files import CONFIGS, JOB_FILES

PAGES = Path(__file__).parents[3] / "documentation"
# Keys that example configs of Distributed-CellProfiler have besides those of CONFIGS.
OLDER_KEYS = {"REQUIREMENTS_FILE", "SCRIPT_DOWNLOAD_URL"}
GENERATIVE = {"run_batch_general.py", "ManualMetadata.py", "batches.sh", "setup_AWS.py"}
AWS_RUNNER = {
    # What dispatcher.py is called with.
    *("dispatcher.py", "jobname", "jobfile", "install_script", "code_folder", "results_file"),
    *("aminame", "-c", "--create", "-d", "--dispatch", "-v", "--verbose", "-i", "-o"),
    *("--extra_input_code_path", "--extra_output_file", "--tag_offset"),
    # The files that it reads, writes and sends.
    *("INSTALL.sh", "INSTALL.py", "READY", "runner.sh", "save_results.py", "screen_output.txt"),
    *("update_tags.py", "cloud_setup.py", ".boto", "GUROBI_CLOUD_KEY.txt", "get_s3_files.py"),
    *("get_results.py", "print_num_running()", "runmeta.jl", "META.SOLVER.SET.txt"),
    *("SOLVER.INSTANCE.txt", "#STATUS# KilledTime", "#STATUS# KilledMemory", "TAG"),
}


def table_cells(page: str) -> str:
    """The first column of all tables of a page."""
    return "\n".join(re.findall(r"^\|([^|]+)\|", (PAGES / page).read_text(), re.MULTILINE))


def named(page: str) -> set[str]:
    """Whatever stands as code in the first column of a table."""
    return set(re.findall(r"`([^`]+)`", table_cells(page)))


def test_every_key_of_a_cellprofiler_config_is_told_of() -> None:
    assert (set(CONFIGS["CellProfiler"]) | OLDER_KEYS) - named(
        "from-distributed-cellprofiler.md"
    ) == set()


def test_every_key_of_a_cellprofiler_job_file_and_every_program_is_told_of() -> None:
    keys = {key for name in JOB_FILES if "CellProfiler" in name for key in JOB_FILES[name].content}
    cells = table_cells("from-distributed-cellprofiler.md")
    assert len(keys) > 6
    assert [one for one in sorted(keys | GENERATIVE | {"Metadata"}) if one not in cells] == []


def test_every_flag_and_file_of_aws_runner_is_told_of() -> None:
    codes = named("from-aws-runner.md")
    missing = [
        word
        for word in sorted(AWS_RUNNER)
        if not any(re.search(rf"{re.escape(word)}(?![\w-])", code) for code in codes)
    ]
    assert missing == []
