"""Say at the end how much was tried, where a test says so by its property `tried`."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        one for outcome in ("passed", "failed") for one in _reports(terminalreporter, outcome)
    ]
    for report in reports:
        for name, value in report.user_properties:
            if name == "tried":
                terminalreporter.write_line(f"Tried in {report.location[0]}: {value}.")


def _reports(terminalreporter: pytest.TerminalReporter, outcome: str) -> list[pytest.TestReport]:
    found = terminalreporter.getreports(outcome)
    return [one for one in found if isinstance(one, pytest.TestReport) and one.when == "call"]
