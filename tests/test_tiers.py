"""What the hooks of every run promise: turns, and one report of all workers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.tiers import WATCHED, Seen, Turns, pytest_collection_modifyitems, shortened


def report(nodeid: str, said: str, when: str = "call", commands: int = 0, outcome: str = "passed") -> pytest.TestReport:
    """A report as a worker sends it."""
    return pytest.TestReport(
        nodeid, ("f.py", 1, "t"), {"soak": 1}, outcome, None, when,  # type: ignore[arg-type]
        sections=[("Captured stdout call", said)], user_properties=[(WATCHED, commands)] if commands else [],
    )  # fmt: skip


def test_equal_lines_of_many_seeds_are_one() -> None:
    """Seeds that said the same are told together, with totals; what failed is not among them."""
    seen = Seen()
    for seed in (3, 1, 2, 10):
        seen.add(report(f"t.py::test_a[{seed}]@group", f"seed {seed}: 40 turns, {seed // 10} kills\n"))
    seen.add(report("t.py::test_a[4]", "seed 4: 40 turns", outcome="failed"))
    seen.add(report("t.py::test_b", "10 merges\n"))
    assert list(seen.told()) == [
        "t.py::test_a: 4 passed",
        "  1-3: 40 turns, 0 kills",
        "  10: 40 turns, 1 kills",
        "  in all: 160 turns, 1 kills",
        "t.py::test_b: 1 passed",
        "  10 merges",
    ]


def test_commands_watched_are_summed_over_workers() -> None:
    """Each report brings what its test added."""
    seen = Seen()
    for count in (3, 4):
        seen.add(report("t.py::test_a", "", "teardown", count))
    assert seen.commands == 7


def test_cases_are_shortened() -> None:
    """Numbers that follow each other are a range, names stay."""
    assert shortened(["7", "8", "9", "12", "new", "100"]) == "new, 7-9, 12, 100"


def test_long_ones_begin_and_those_alone_end() -> None:
    """The order of a run: by time limit, else as they were; what nothing runs beside comes last."""

    class Item:
        def __init__(self, name: str, *marks: pytest.MarkDecorator) -> None:
            self.name, self.marks = name, {one.name: one.mark for one in marks}

        def get_closest_marker(self, name: str) -> pytest.Mark | None:
            return self.marks.get(name)

        def add_marker(self, mark: pytest.MarkDecorator) -> None:
            self.marks[mark.name] = mark.mark

    alone, long, longer = pytest.mark.alone, pytest.mark.timeout(600), pytest.mark.timeout(3000)
    items = [Item("a", alone), Item("b"), Item("c", alone, long), Item("d", long), Item("e"), Item("f", longer)]
    pytest_collection_modifyitems(items)  # type: ignore[arg-type]
    assert [item.name for item in items] == ["f", "d", "b", "e", "c", "a"]
    assert items[-1].marks["flaky"].kwargs == {"reruns": 2}


def test_one_alone_waits_for_all(tmp_path: Path) -> None:
    """Two that share run at once; the one alone begins after both."""
    log: list[str] = []
    together, go = threading.Barrier(3, timeout=20), threading.Event()

    def shares() -> None:
        with Turns(tmp_path).taken(alone=False):
            together.wait()
            go.wait(20)
            log.append("shared")

    def alone() -> None:
        with Turns(tmp_path).taken(alone=True):
            log.append("alone")

    threads = [threading.Thread(target=shares), threading.Thread(target=shares)]
    for thread in threads:
        thread.start()
    together.wait()
    threads.append(threading.Thread(target=alone))
    threads[-1].start()
    threads[-1].join(0.1)
    assert log == []
    go.set()
    for thread in threads:
        thread.join(20)
    assert log == ["shared", "shared", "alone"]
