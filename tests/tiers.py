"""Two workers, one run: tests that measure have the machine to themselves, and what all of them saw is told once.

The hooks here are those of every run, with workers and without (``-n 0``); ``tests/conftest.py`` takes them in.
"""

from __future__ import annotations

import compileall
import fcntl
import os
import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import gitsessiond
from tests.bystanders import watched

SEED = re.compile(r"\bseed (\d+): ")
COUNTED = re.compile(r"\b(\d+) ([a-z]+)")


# -- before any test ------------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Compile the product once, as an installer does: an editable install leaves it to whoever imports a module.

    Where Python is told not to write bytecode, each command and each daemon of the tests would do it for itself.
    """
    if not hasattr(config, "workerinput"):
        for directory in gitsessiond.__path__:
            compileall.compile_dir(directory, quiet=2)


# -- whose turn it is -----------------------------------------------------------------------------------------


class Turns:
    """All workers' tests run at the same time, save those marked ``alone``: beside one of them nothing runs."""

    def __init__(self, shared: Path) -> None:
        # Descriptors, kept until the process ends.
        self.gate, self.ground = (os.open(shared / name, os.O_CREAT | os.O_RDWR, 0o600) for name in ("gate", "ground"))

    @contextmanager
    def taken(self, alone: bool) -> Iterator[None]:
        """Wait for this test's turn. Who waits to be alone keeps the gate, so that it does not wait for ever."""
        fcntl.flock(self.gate, fcntl.LOCK_EX)
        fcntl.flock(self.ground, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self.gate, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self.ground, fcntl.LOCK_UN)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Around everything else, so that waiting counts neither as the test's time nor towards its time limit."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    turns = item.config.stash.get(TURNS, None)
    if turns is None:
        basetemp = item.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        turns = item.config.stash[TURNS] = Turns(basetemp.parent)
    with turns.taken(item.get_closest_marker("alone") is not None):
        return (yield)


TURNS = pytest.StashKey[Turns]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What may take longest begins first; what is to be alone comes last, where it waits for nobody's long test.

    What measures has three tries: a fault is there each time, a busy neighbour of this machine is not.
    """
    for item in items:
        if item.get_closest_marker("alone"):
            item.add_marker(pytest.mark.flaky(reruns=2))
    items.sort(key=turn)


def turn(item: pytest.Item) -> tuple[bool, float]:
    """By what tests are ordered: the limit one sets itself because it is long; of those without, the order stays."""
    mark = item.get_closest_marker("timeout")
    return item.get_closest_marker("alone") is not None, -float(mark.args[0]) if mark and mark.args else 0.0


# -- what the run saw -----------------------------------------------------------------------------------------


class Seen:
    """What the passed tests of all workers reported: commands the bystanders' watch looked at, and lines printed."""

    def __init__(self) -> None:
        self.commands = 0
        self.lines: dict[str, dict[str, list[str]]] = {}
        self.seeded: set[str] = set()

    def add(self, report: pytest.TestReport) -> None:
        """One test's call or teardown."""
        self.commands += sum(int(value) for name, value in report.user_properties if name == WATCHED)
        said = report.capstdout.strip() if report.when == "call" and report.passed else ""
        if report.when == "call" and report.passed and ("soak" in report.keywords or SEED.search(said)):
            test, _, case = re.sub(r"@[^\]]*$", "", report.nodeid).partition("[")
            if seed := SEED.search(said):
                self.seeded.add(test)
            known = self.lines.setdefault(test, {}).setdefault(SEED.sub("", said), [])
            known.append(seed[1] if seed else case.rstrip("]"))

    def told(self) -> Iterator[str]:
        """The lines of the closing report: what each test said, the seeds that said the same together."""
        for test, lines in sorted(self.lines.items()):
            yield f"{test}: {sum(map(len, lines.values()))} passed"
            for text, cases in sorted(lines.items(), key=lambda line: order(line[1][0])):
                yield f"  {shortened(cases)}{': ' if text and any(cases) else ''}{text}"
            if test in self.seeded:
                yield f"  in all: {totalled(lines)}"


def totalled(lines: dict[str, list[str]]) -> str:
    """What seeded tests counted, summed over the seeds."""
    totals: dict[str, int] = {}
    for text, cases in lines.items():
        for count, what in COUNTED.findall(text):
            totals[what] = totals.get(what, 0) + int(count) * len(cases)
    return ", ".join(f"{count} {what}" for what, count in totals.items())


def order(case: str) -> tuple[int, str]:
    return (int(case), "") if case.isdigit() else (-1, case)


def shortened(cases: Iterable[str]) -> str:
    """``6-9, 12`` for numbers that follow each other, names as they are."""
    runs: list[list[str]] = []
    for case in sorted(cases, key=order):
        if runs and case.isdigit() and runs[-1][-1].isdigit() and int(case) == int(runs[-1][-1]) + 1:
            runs[-1].append(case)
        else:
            runs.append([case])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


WATCHED = "commands watched"
SEEN = Seen()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was counted in this process since the last report goes with the test's report to whoever prints the end."""
    report = yield
    if call.when == "teardown" and watched["commands"]:
        report.user_properties.append((WATCHED, watched["commands"]))
        watched["commands"] = 0
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Here all reports come by, a worker's too."""
    SEEN.add(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Seeds and counts of the random and the long tests, and how many commands the bystanders' watch looked at (I5)."""
    told = list(SEEN.told())
    if told:
        terminalreporter.section("seeds and counts")
        for line in told:
            terminalreporter.write_line(line)
    if SEEN.commands:
        terminalreporter.write_line(f"bystanders: {SEEN.commands} commands watched, none touched what is not its own")
