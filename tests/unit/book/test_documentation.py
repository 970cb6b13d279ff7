"""What the documentation shows exists: its links, its verbs and options, its constants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from distributed_something.cli.app import verbs
from distributed_something.cli.verbs.setup_account import account
from distributed_something.commands.submitting.dry_run import dry_run
from distributed_something.definitions import account as made
from distributed_something.definitions.policies.scope import Scope
from distributed_something.definitions.tags import APP_TAG, RUN_TAG
from distributed_something.errors import UsageError
from distributed_something.inputs.settings import Settings, load_settings, make_settings
from distributed_something.protocol.upload_flags import FLAGS
from distributed_something.resources.table import RESOURCE_KINDS
from tests.builders import settings, write_json
from tests.verbs import VERBS

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("documentation/**/*.md"), *ROOT.glob("examples/**/*.md")]
)

# The constants of their own that shipped configs have; any other is a mistyped one.
_OWN_CONSTANTS = {
    "helloworld": {"MY_NAME"},
    "fiji": {"SCRIPT_DOWNLOAD_URL"},
    "cellprofiler": {
        "PROJECT", "STEP", "ALWAYS_CONTINUE", "USE_PLUGINS", "UPDATE_PLUGINS", "PLUGINS_COMMIT",
        "INSTALL_REQUIREMENTS", "REQUIREMENTS",
    },
}  # fmt: skip

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"python run\.py ([^\n`#|]+)")
_SETUP_AWS = re.compile(r"python setup_AWS\.py ([^\n`#|]+)")
_OPTION = re.compile(r"`(--[a-z-]+)")
# Options of other programs, on the pages for those who come from them and in the examples.
_OF_OTHERS = {
    "--create", "--dispatch", "--verbose", "--tag", "--extra", "--ij", "--quiet",
    "--excluded-wells", "--extra-grouping", "--use-batch", "--write", "--path-style", "--source",
}  # fmt: skip
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CONSTANT = re.compile(r"^\| `([A-Z_]+)`", re.MULTILINE)
_MAKE = re.compile(r"`make ([a-z]+)")
_TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
_TEST_NAME = re.compile(r"`(test_\w+)`")
_TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)
_FAULT = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for target in _LINK.findall(_CODE.sub("", page.read_text())):
            if not re.match(r"https?://|mailto:", target):
                yield page, target


def commands() -> Iterator[tuple[Path, list[str]]]:
    for page in PAGES:
        for words in _COMMAND.findall(page.read_text()):
            yield page, words.split()


def anchor(heading: str) -> str:
    """The address that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def verb_and_options(words: list[str]) -> tuple[str, list[str]]:
    """The verb of a command line, its global options left out, and the verb's own options."""
    rest = list(words)
    while rest[0] == "--config":
        rest = rest[2:]
    return rest[0], [word.split("=")[0] for word in rest[1:] if word.startswith("--")]


def test_every_link_between_pages_leads_to_a_file_and_a_heading() -> None:
    broken = []
    for page, target in links():
        place, _, wanted = target.partition("#")
        path = (page.parent / place).resolve() if place else page
        if not path.exists():
            broken.append(f"{page.relative_to(ROOT)}: {target}")
        elif wanted and wanted not in map(anchor, _HEADING.findall(path.read_text())):
            broken.append(f"{page.relative_to(ROOT)}: {target} has no such heading")
    assert broken == []


def test_every_verb_and_option_shown_exists() -> None:
    strange = []
    for page, words in commands():
        verb, options = verb_and_options(words)
        known = VERBS.get(verb)
        if known is None:
            strange.append(f"{page.relative_to(ROOT)}: {verb}")
            continue
        names = {name for one in known.params for name in one.opts} | {"--help"}
        strange += [f"{page.name}: {verb} {name}" for name in options if name not in names]
    assert strange == []


def test_every_option_of_setup_aws_shown_exists() -> None:
    known = {name for one in account.params for name in one.opts}
    lines = [line for page in PAGES for line in _SETUP_AWS.findall(page.read_text())]
    assert lines
    assert {word for line in lines for word in line.split() if word.startswith("--")} <= known


def test_every_option_that_the_text_names_exists() -> None:
    known = {name for verb in VERBS.values() for one in verb.params for name in one.opts}
    known |= {name for one in verbs.params for name in one.opts}
    known |= {name for one in account.params for name in one.opts}
    named = {name for page in PAGES for name in _OPTION.findall(page.read_text())}
    assert named <= known | {"--help"} | _OF_OTHERS | FLAGS


def test_the_book_names_every_flag_of_an_upload() -> None:
    page = (ROOT / "documentation" / "job_files.md").read_text()
    assert {flag for flag in FLAGS if f"`{flag}`" not in page} == set()


def test_every_verb_is_shown_somewhere() -> None:
    shown = {verb_and_options(words)[0] for _, words in commands()}
    assert set(VERBS) <= shown


def test_the_pages_of_the_book_are_found_from_its_first_page() -> None:
    first = (ROOT / "documentation" / "overview.md").read_text()
    others = {page.name for page in (ROOT / "documentation").glob("*.md")} - {"overview.md"}
    assert others <= set(_LINK.findall(first))


def test_the_settings_page_lists_every_constant_and_no_other() -> None:
    page = (ROOT / "documentation" / "step_1_configuration.md").read_text()
    known = {name.upper() for name in Settings.model_fields} - {"EXTRA", "SECRETS"}
    assert set(_CONSTANT.findall(page)) == known


def test_every_name_that_an_account_gets_is_on_the_page_of_changes() -> None:
    page = (ROOT / "documentation" / "changes_to_your_account.md").read_text()
    scope = Scope("123456789012", ("us-east-1",), ("lab-data",))
    names = {role.name for role in made.roles(scope)} | {made.ACCOUNT_TAG, APP_TAG, RUN_TAG}
    names |= {made.FUNCTION, made.FUNCTION_LOG_GROUP, made.SCHEDULE_GROUP}
    assert [name for name in sorted(names) if f"`{name}" not in page] == []


def test_the_page_of_changes_says_of_every_kind_of_resource_what_deletes_it() -> None:
    page = (ROOT / "documentation" / "changes_to_your_account.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    removed_by = {row[0]: row[-1] for row in rows if len(row) > 1}
    for kind in RESOURCE_KINDS:
        named = [by for what, by in removed_by.items() if re.search(rf"\b{kind.name}s?\b", what)]
        assert named, kind.name
        if kind.delete:
            assert any("cancel" in by for by in named), kind.name
        elif kind.reason:
            assert any("nothing" in by for by in named), kind.name


def test_no_page_holds_both_sides_of_a_merge() -> None:
    marked = re.compile(r"^(<{7} |={7}$|>{7} )", re.MULTILINE)
    pages = [*PAGES, ROOT / "CHANGELOG.md"]
    assert [page.name for page in pages if marked.search(page.read_text())] == []


def test_every_make_target_shown_exists() -> None:
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text()))
    shown = {target for page in PAGES for target in _MAKE.findall(page.read_text())}
    assert shown <= targets


def test_every_test_that_the_book_names_exists() -> None:
    there = {
        name for file in ROOT.glob("tests/**/*.py") for name in _TEST.findall(file.read_text())
    }
    named = {name for page in PAGES for name in _TEST_NAME.findall(page.read_text())}
    assert len(named) > 100
    assert named - there == set()


def test_each_fault_of_older_programs_has_a_test_a_reason_or_an_open_end() -> None:
    page = (ROOT / "documentation" / "compatibility.md").read_text()
    faults = _FAULT.findall(page)
    assert [int(number) for number, _, _ in faults] == list(range(1, 105))
    for number, _, here in faults:
        told = _TEST_NAME.findall(here) or here.startswith(("Cannot arise: ", "*Open*: "))
        assert told, f"{number}: {here}"


@pytest.mark.parametrize(
    "config", ["config.py", *sorted(map(str, ROOT.glob("examples/*/config.py")))]
)
def test_every_config_that_is_shipped_can_be_loaded(config: str) -> None:
    own = _OWN_CONSTANTS.get(Path(config).parent.name, set())
    assert set(load_settings(ROOT / config).extra) == own


def test_the_config_to_copy_differs_from_the_defaults_only_where_it_must() -> None:
    shipped = load_settings(ROOT / "config.py")
    own = {
        name: getattr(shipped, name.lower())
        for name in (
            *("APP_NAME", "DOCKERHUB_TAG", "AWS_BUCKET", "SSH_KEY_NAME", "CLUSTER_MACHINES"),
            *("MACHINE_TYPE", "MACHINE_PRICE", "DOCKER_CORES", "MEMORY"),
        )
    }
    assert shipped == make_settings(own, "config.py")


def test_the_book_and_the_refusal_give_an_apps_name_the_same_length() -> None:
    page = (ROOT / "documentation" / "step_1_configuration.md").read_text()
    most = int(re.findall(r"`APP_NAME` \|.*up to (\d+) letters", page)[0])
    assert settings(APP_NAME="x" * most).app_name
    with pytest.raises(UsageError, match=f"1 to {most} letters.*starting with a letter or digit"):
        settings(APP_NAME="x" * (most + 1))


def test_the_worked_sum_is_what_the_dry_run_comes_to(tmp_path: Path) -> None:
    jobs = {"command": "mytool {plate}", "groups": [{"plate": n} for n in range(1000)]}
    path = write_json(tmp_path / "jobs.json", jobs)
    estimate = dry_run(None, load_settings(ROOT / "config.py"), path, minutes=10).estimate
    assert estimate.high is not None
    costs = (ROOT / "documentation" / "costs.md").read_text()
    assert f"or {estimate.hours:.1f} hours" in costs
    for page in (costs, (ROOT / "README.md").read_text()):
        assert f"at most ${estimate.high:.2f}" in page


def test_an_anchor_is_made_as_github_makes_it() -> None:
    assert anchor("When is a job done? `done_when`") == "when-is-a-job-done-done_when"
