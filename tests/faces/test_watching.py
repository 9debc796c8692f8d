"""``git session watch``: what is run, with which paths, how often, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.faces.cli.app import main
from tests.bench import Workbench, wait_for
from tests.faces import replies
from tests.faces.schemas import SCHEMAS

AT = "2026-01-02T03:04:05Z"
SHOWN = """import os, sys; print([os.environ["GITSESSION_CHANGED"]], flush=True); sys.exit(int(sys.argv[1]))"""

Json = dict[str, Any]


class Told(replies.FakeClient):
    """Tells these events, and then that there will be no more."""

    def __init__(self, top: Path, events: list[Json], between: Callable[[], object] = lambda: None) -> None:
        status = replies.status()
        status["session"] |= {"worktree": str(top)}
        super().__init__({"session.status": status, "daemon.status": {"events": {"seq": 7}}})
        self.told, self.between, self.since = events, between, -1

    def events(
        self, since: int | None, follow: bool, wanted: dict[str, Any], waits: Callable[[], None]
    ) -> Iterator[dict[str, Any]]:
        """All of them, one after the other."""
        assert follow and since == 7
        self.asked.append(("events", wanted))
        for event in self.told:
            self.between()
            yield event


def changed(path: str | None, **more: object) -> Json:
    """A file has changed."""
    return {"seq": 8, "type": "file_changed", "path": path, "change": "modified", **more}


CLOSED: Json = {"seq": 9, "type": "close"}


def watch(client: replies.FakeClient, *options: str, code: int = 0) -> int:
    """Watch with a command that shows what it is given."""
    return main(["watch", *options, "--", sys.executable, "-c", SHOWN, str(code)], client.dial)


def runs(capfd: pytest.CaptureFixture[str]) -> list[str]:
    """What the command was given, run by run."""
    return [json.loads(line.replace("'", '"'))[0] for line in capfd.readouterr().out.splitlines()]


def test_what_changes_together_is_one_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each path once, as seen from where one stands; the events asked for are those of the session's files."""
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path / "src")
    client = Told(tmp_path, [changed("src/a.py"), changed("b c.txt"), changed("src/a.py"), CLOSED])
    assert watch(client) == 0
    assert runs(capfd) == ["a.py\n../b c.txt"]
    wanted = dict(client.asked)["events"]
    assert wanted["session"] == replies.SID and "file_changed" in wanted["types"]


def test_where_one_stands_may_be_removed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paths are still told as seen from there: a switch of branches brings the directory back."""
    here = tmp_path / "src"
    here.mkdir()
    monkeypatch.chdir(here)
    client = Told(tmp_path, [changed("src/a.py"), CLOSED], between=lambda: here.exists() and here.rmdir())
    assert main(["watch", "--json", "--", "/bin/true"], client.dial) == 0
    assert json.loads(capfd.readouterr().out)["changed"] == ["a.py"]


def test_odd_names_are_quoted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newline in a name does not make two of it."""
    monkeypatch.chdir(tmp_path)
    client = Told(tmp_path, [changed(r'"a\nb\"c\377"'), CLOSED])
    assert main(["watch", "--json", "--", "true"], client.dial) == 0
    told = SCHEMAS["watch"].model_validate_json(capfd.readouterr().out)
    assert told.model_dump()["changed"] == [r'"a\nb\"c\377"']


@pytest.mark.parametrize(
    "events",
    [
        [changed("a"), changed(None, more=900)],
        [{"seq": 9, "type": "missed", "from": 1, "to": 9}],
        [changed(f"{number:04}" + "n" * 200) for number in range(400)],
    ],
    ids=["more than are told", "missed", "too long for the kernel"],
)
def test_nothing_stands_for_everything(
    events: list[Json], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where not every path is known none is named."""
    monkeypatch.chdir(tmp_path)
    assert watch(Told(tmp_path, [*events, CLOSED])) == 0
    assert runs(capfd) == [""]


def test_only_some_files_count(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their last name, or from the top where the pattern has a slash; who hears signals is as before."""
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    paths = ["a.txt", "src/a.py", "docs/b.md", "docs/deep/c.md"]
    for only, wanted in (
        (["--only", "*.py"], ["src/a.py"]),
        (["--only", "docs/*", "--only", "a.*"], ["a.txt\nsrc/a.py\ndocs/b.md\ndocs/deep/c.md"]),
        (["--only", "b.*"], ["docs/b.md"]),
        (["--only", "*.c"], []),
    ):
        assert watch(Told(tmp_path, [*map(changed, paths), CLOSED]), *only) == 0
        assert runs(capfd) == wanted
    assert watch(Told(tmp_path, [changed(None, more=3), CLOSED]), "--only", "*.c") == 0
    assert runs(capfd) == [""]
    assert signal.getsignal(signal.SIGTERM) == before


def test_first_runs_before_anything_changes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it nothing is run before."""
    monkeypatch.chdir(tmp_path)
    assert watch(Told(tmp_path, [CLOSED])) == 0
    assert runs(capfd) == []
    assert watch(Told(tmp_path, [CLOSED]), "--first", code=3) == 0
    told = capfd.readouterr()
    assert told.out == "['']\n" and "ended with 3" in told.err and "the session has ended" in told.err


def test_a_command_that_is_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It is said at once, not at the first change."""
    client = Told(tmp_path, [CLOSED])
    assert main(["watch", "--", "no-such-command"], client.dial) == 2
    assert "there is no command 'no-such-command'" in capfd.readouterr().err and client.asked == []


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)])
def test_files_that_change_meanwhile_wait_for_the_next_run(bench: Workbench, number: signal.Signals) -> None:
    """What changes while the command runs is for another run after it; a signal ends both, with the code of shells."""
    bench.run("start", "day")
    log, go = bench.root.parent / "log", bench.root.parent / "go"
    says = f"for path in $GITSESSION_CHANGED; do echo $path >>{log}; done; echo begins >>{log}"
    script = f"{says}; until test -e {go}; do sleep 0.02; done; echo ends >>{log}"
    program = shutil.which("git-session")
    assert program is not None

    def lines() -> list[str]:
        return log.read_text().splitlines() if log.exists() else []

    with subprocess.Popen(
        [program, "watch", "--", "sh", "-c", script], cwd=bench.root, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as watching:  # fmt: skip
        assert watching.stderr is not None and watching.stderr.readline() == "watching session day\n"
        bench.edit("a.txt", "line 2\n", "line two\n")
        wait_for(lambda: lines() == ["a.txt", "begins"])
        later = ["new.txt", "other.txt", "src/b.txt"]
        for path in later:
            bench.write(path, f"{path}\n")
            bench.status()  # each is a step of its own
        assert lines() == ["a.txt", "begins"]
        go.touch()
        wait_for(lambda: set(later) <= set(lines()) and lines()[-1] == "ends")
        turns = [line for line in lines() if line in ("begins", "ends")]
        assert turns == ["begins", "ends"] * (len(turns) // 2) and len(lines()) == len(turns) + 4
        go.unlink()
        bench.write("last.txt", "last\n")
        wait_for(lambda: lines()[-2:] == ["last.txt", "begins"])
        os.killpg(watching.pid, number)
        assert watching.wait(20) == 128 + number
        assert lines()[-1] == "begins" and "Traceback" not in watching.stderr.read()
