"""Sessions that changed many files: what a save and the panel cost depends on what changed, not on how much did."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from gitsessiond.faces.cli.panel import MOST, panel_lines
from gitsessiond.faces.cli.terminal import Look
from tests.story import DeskBench

FEW, MANY = 150, 600


def calls_of(what: Callable[[], Any]) -> int:
    """How many functions of Python a call takes."""
    count = 0

    def saw(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(saw)
    try:
        what()
    finally:
        sys.setprofile(None)
    return count


@pytest.fixture
def bench(repo: Path) -> DeskBench:
    """A session in a repository of many small files."""
    for n in range(MANY):
        (repo / f"f{n:03}.txt").write_text("one\ntwo\nthree\n")
    bench = DeskBench(repo)
    bench.git("add", "-A")
    bench.git("commit", "-qm", "files")
    bench.do("session.start", name="day")
    return bench


def change(bench: DeskBench, first: int, last: int) -> None:
    """Write these files, all in one save."""
    names = [f"f{n:03}.txt" for n in range(first, last)]
    for name in names:
        (bench.root / name).write_text("one\nchanged\nthree\n")
    bench.saved(*names)


def test_a_save_and_the_panel_cost_what_changed(bench: DeskBench) -> None:
    """Four times as many changed files: a save, a new file, a deletion and the panel take hardly more calls."""

    def save(text: bytes) -> Callable[[], None]:
        return lambda: bench.save("f000.txt", b"one\n" + text + b"\nthree\n")

    def measured(word: str) -> list[int]:
        bench.do("session.status", most=MOST)
        found = [calls_of(save(word.encode()))]
        found.append(calls_of(lambda: bench.save(f"{word}.txt", b"new\n")))
        (bench.root / f"{word}.txt").unlink()
        found.append(calls_of(lambda: bench.saved(f"{word}.txt")))
        found.append(calls_of(lambda: bench.do("session.status", most=MOST)))
        return found

    bench.do("patch.new", name="p")
    change(bench, 0, FEW)
    measured("before")
    few = measured("few")
    change(bench, FEW, MANY)
    measured("between")
    many = measured("many")
    for before, after in zip(few, many, strict=True):
        assert after < before * 1.2 + 50, (few, many)


@pytest.mark.parametrize("loose", [0, 5, 40])
def test_the_panel_is_the_same_with_few_rows(bench: DeskBench, loose: int) -> None:
    """What the panel asks for is enough to draw it as if it had asked for everything."""
    change(bench, 0, loose)
    bench.do("patch.new", name="p", take=["nothing"])
    change(bench, loose, loose + 40)
    look = Look(ascii=True)
    everything, some = bench.do("session.status"), bench.do("session.status", most=MOST)
    assert len(some["editors"]) < 40 <= len(everything["editors"])
    assert panel_lines(some, look) == panel_lines(everything, look)
