"""Every way of saving a file gives one step a save, with the bytes that were saved and no temporary name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import Workbench
from tests.scenarios.writers import EDITORS, SEQUENCES, Steps, editor, lines, save_by, save_each


def begin(bench: Workbench, *paths: str) -> list[Path]:
    """Files under version control, a session, and nothing found but by events."""
    for path in paths:
        bench.write(path, lines(0)[0])
    bench.git("add", "-A")
    bench.git("commit", "-qm", "files")
    bench.git("config", "gitsession.scanEvery", "0")
    bench.run("start", "day", "--here")
    return [bench.root / path for path in paths]


def check(bench: Workbench, path: str, count: int) -> None:
    """``count`` steps changed the file, with the contents of its saves; each step names no other path of its."""
    assert Steps(bench).contents(path) == lines(count)[1:], bench.run("history", "--limit", "100").out


def check_names(bench: Workbench, paths: set[str]) -> None:
    """No step holds a name that was there for a moment only, and one scan was made, at the start."""
    found = Steps(bench)
    assert found.names() == paths | {"a.txt", "src/b.txt", "README"}
    assert bench.daemon()["scans"] == 1
    assert bench.daemon()["overflows"] == 0


@pytest.mark.parametrize("name", EDITORS)
def test_saves_of_an_editor(bench: Workbench, name: str) -> None:
    """A real editor at a terminal: n saves 200 ms apart are n steps; its swap and lock files are in none."""
    one, path = editor(name), f"{name}.txt"
    (file,) = begin(bench, path)
    inodes = save_by(one, file, 4)
    assert (inodes > 1) == (name == "vim"), "this is not the sequence that was to be shown"
    check(bench, path, 4)
    check_names(bench, {path})
    bench.judge(full=False)


def test_saves_by_recorded_sequences(bench: Workbench) -> None:
    """All sequences at the same time, each on a file of its own."""
    paths = {f"src/{name}.txt": save for name, save in SEQUENCES.items()}
    files = begin(bench, *paths)
    save_each(dict(zip(files, paths.values(), strict=True)), 5, apart=0.4)
    for path in paths:
        check(bench, path, 5)
    check_names(bench, set(paths))
    bench.judge(full=False)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SEQUENCES)
def test_many_saves_by_a_recorded_sequence(bench: Workbench, name: str) -> None:
    """Fifty saves 200 ms apart by one sequence alone."""
    path = f"{name}.txt"
    (file,) = begin(bench, path)
    save_each({file: SEQUENCES[name]}, 50)
    check(bench, path, 50)
    check_names(bench, {path})
