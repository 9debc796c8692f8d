"""Ten programs save at once in two worktrees: each save is in its own session, none is found by a scan."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest

from tests.bench import Workbench
from tests.scenarios.writers import SEQUENCES, Steps, lines

APART = 0.2
BURST = 10  # saves in a row of another file, once a second by each writer
SAVES = ["in_place", "tmp_and_rename", "vim_renames", "jetbrains_renames", "vscode"]


def write_on(top: Path, name: str, sequence: str, count: int, start: float) -> None:
    """One writer: a file saved at a steady pace, and another in bursts."""
    save = SEQUENCES[sequence]
    steady, burst = top / f"{name}.txt", top / "burst" / f"{name}.txt"
    for number, content in enumerate(lines(count)[1:]):
        time.sleep(max(0.0, start + number * APART - time.monotonic()))
        began = time.monotonic()
        save(steady, content)
        if number % 5 == int(name[1:]) % 5:
            for again in range(BURST):
                save(burst, b"%s %d %d\n" % (name.encode(), number, again))
        start = max(start, began + APART - (number + 1) * APART)  # late: never two saves nearer to each other


def many(bench: Workbench, seconds: int) -> None:
    """Ten writers at work for so long; then every file's versions are compared with what was saved."""
    names = [f"w{number}" for number in range(10)]
    for name in names:
        bench.write(f"{name}.txt", lines(0)[0])
        bench.write(f"burst/{name}.txt", "nothing yet\n")
    bench.git("add", "-A")
    bench.git("commit", "-qm", "files")
    bench.git("config", "gitsession.scanEvery", "0")
    bench.run("start", "one", "--here")
    there = bench.root.parent / "there"
    bench.run("start", "two", "--worktree", str(there))
    scans = bench.daemon()["scans"]
    desks = [bench, bench.at(there)]
    count = int(seconds / APART)
    start = time.monotonic() + 0.3
    fork = multiprocessing.get_context("fork")
    writers = [
        fork.Process(target=write_on, args=(desks[n % 2].root, name, SAVES[n // 2], count, start + n * 0.02))
        for n, name in enumerate(names)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    missed: list[str] = []
    kept = 0
    for at, desk in enumerate(desks):
        steps = Steps(desk)
        for n, name in enumerate(names):
            path, wanted = f"{name}.txt", lines(count)
            if n % 2 != at:
                assert steps.versions(path) == wanted[:1], f"{path} was saved in the other worktree only"
                continue
            found = steps.versions(path)
            assert found[-1] == wanted[-1] == (desk.root / path).read_bytes()
            missed += [f"{path}, save {number}" for number, one in enumerate(wanted) if one not in found]
            bursts = steps.versions(f"burst/{path}")
            assert bursts[-1] == (desk.root / "burst" / path).read_bytes()
            kept += len(bursts) - 1
        status = desk.status()
        assert {row["path"].rpartition("/")[2] for row in status["unassigned"]} == {
            f"{name}.txt" for n, name in enumerate(names) if n % 2 == at
        }
    daemon = bench.daemon()
    print(
        f"{10 * count} saves {APART} s apart by ten writers in {seconds} s: {len(missed)} missed;"
        f" {kept} of {10 * (count // 5) * BURST} saves in bursts; {daemon['saves']} steps, {daemon['batches']} batches"
    )
    assert not missed
    assert daemon["scans"] == scans, "all came by event"
    assert daemon["overflows"] == 0
    for desk in desks:
        desk.judge(full=False)


@pytest.mark.alone
def test_ten_writers_in_two_sessions(bench: Workbench) -> None:
    """Five seconds."""
    many(bench, 5)


@pytest.mark.soak
@pytest.mark.alone
@pytest.mark.timeout(900)
def test_ten_writers_for_a_minute(bench: Workbench) -> None:
    """A minute."""
    many(bench, 60)
