"""Help, completion, and the line a person sees while something takes long."""

from __future__ import annotations

import io
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from gitsessiond.faces.cli.agentpage import PAGE
from gitsessiond.faces.cli.app import main, root
from gitsessiond.faces.cli.completing import candidates
from gitsessiond.faces.cli.manual import commands
from gitsessiond.faces.cli.progress import Waiting
from gitsessiond.faces.cli.shells import SCRIPTS
from gitsessiond.wire.client import Talk
from gitsessiond.wire.frames import encode
from tests.bench import Workbench
from tests.faces import replies
from tests.faces.test_app import ANSWERS


def found(*words: str, **changes: object) -> list[str]:
    return [value for value, _ in candidates(root, list(words), replies.FakeClient(ANSWERS | changes).dial)]


def test_commands_options_and_names_are_completed() -> None:
    """The last word becomes a command, an option, or the name of what the command is about."""
    assert {"start", "status"} <= set(found("st")) and "complete" not in found("")
    assert "validate" in found("patch", "")
    assert "--ready" in found("merge", "--r")
    assert found("merge", "val") == ["validation-enhancements"]
    assert found("patch", "depend", "x", "--on", "perf") == ["performance-optimizations"]
    assert found("switch", "") == found("status", "-s", "") == ["user-improvements"]
    assert found("resolve", "") == [replies.conflict()["id"]]
    assert found("merge", "--strategy", "s") == ["squash"]
    assert {"merge", "agent"} <= set(found("help", "")) and "complete" not in found("help", "")
    assert found("help", "patch", "val") == ["validate"] and found("help", "merge", "") == []


@pytest.mark.parametrize("words", [["no", "such"], ["patch", "nothing", ""], ["assign", ""], ["--what"], []])
def test_nothing_to_complete(words: list[str]) -> None:
    """Words that make no sense, and those only a person knows, have no completion; nothing fails."""
    assert main(["complete", "--", *words], replies.FakeClient({}).dial) == 0


def test_the_page_for_agents_names_only_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Each command in `help agent` exists with the options it is shown with."""
    assert main(["help", "agent"], replies.FakeClient({}).dial) == 0
    assert capsys.readouterr().out == PAGE
    known = {path.removeprefix("git session").strip(): command for path, command in commands(root)}
    for line in re.findall(r"`git session ([^`]+)`", PAGE):
        words = [word for word in re.split(r"[ |\[]+", line) if word]
        name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        if name.startswith("-"):
            continue
        options = {opt for one in known[name].params for opt in (*one.opts, *one.secondary_opts)} | {"-h", "--json"}
        wanted = {word.strip("]") for word in words if word.startswith("-") and word not in ("-", "--")}
        assert wanted <= options, line


def test_help_of_any_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`help WORDS` is `WORDS -h`; without words, that of git session itself."""
    for path, _ in commands(root):
        words = path.split()[2:]
        assert main(["help", *words], replies.FakeClient({}).dial) == 0
        told = capsys.readouterr().out
        assert main([*words, "-h"], replies.FakeClient({}).dial) == 0
        assert told.split() == capsys.readouterr().out.split(), path
    assert main(["help", "patch", "news"], replies.FakeClient({}).dial) == 2
    assert main(["help", "merge", "p"], replies.FakeClient({}).dial) == 10


@pytest.mark.soak
def test_bash_completes(bench: Workbench) -> None:
    """bash, with git's way of calling and alone: names with blanks come quoted; gscd goes to the worktree."""
    bench.run("start", "x")
    bench.run("patch", "new", "my patch")
    script = SCRIPTS["bash"] + (
        'COMP_WORDS=(git session merge my); COMP_CWORD=3; _git_session; echo "$COMPREPLY"\n'
        'COMP_WORDS=(git-session patch validate ""); COMP_CWORD=3; _git_session_alone; echo "$COMPREPLY"\n'
        "cd /; cd -; cd src; gscd x; pwd\n"
        'COMP_WORDS=(gscd ""); COMP_CWORD=1; _gscd; echo "$COMPREPLY"; complete -p gscd\n'
    )
    done = subprocess.run(["bash", "-c", script], cwd=bench.root, capture_output=True, text=True)
    told = [r"my\ patch"] * 2 + [str(bench.root)] * 2 + ["x", "complete -F _gscd gscd"]
    assert (done.stdout.splitlines(), done.stderr) == (told, "")


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_fish_completes(bench: Workbench) -> None:
    """fish: commands and names without files between them, files where only a path can stand; gscd knows sessions."""
    bench.run("start", "x")
    bench.run("patch", "new", "mine")
    (bench.root / "meadow").write_text("")
    script = (
        SCRIPTS["fish"] + "complete -C 'git session merge m'\ncomplete -C 'git session assign m'\ncomplete -C 'gscd '\n"
    )
    done = subprocess.run(["fish", "-c", script], cwd=bench.root, capture_output=True, text=True)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["mine", "meadow", "x"], done.stderr


@pytest.mark.soak
def test_a_person_at_a_terminal_sees_that_it_takes_long(bench: Workbench) -> None:
    """While the recorder is held up a line says so on the terminal; it is gone before the answer. Not in a pipe."""
    bench.run("start", "x")
    recorder = bench.daemon()["recorder_pid"]
    os.kill(recorder, signal.SIGSTOP)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(bench.root)
        os.execvpe("git", ["git", "session", "status"], {**os.environ, "TERM": "xterm"})
    said = b""
    while b"working (2 s)" not in said:
        said += os.read(terminal, 4096)
    os.kill(recorder, signal.SIGCONT)
    with suppress(OSError):  # the end of a terminal
        while piece := os.read(terminal, 4096):
            said += piece
    assert os.waitpid(pid, 0)[1] == 0
    before, _, answer = said.rpartition(b"\r\x1b[K")
    assert b"git session: working (1 s)" in before and b"Session:" in answer
    assert bench.run("status").err == ""


def test_waiting_is_told_each_second_and_cleared() -> None:
    """After a second without an answer a line says so; it goes when the answer comes. A quick answer shows nothing."""
    stream = io.StringIO()
    waiting = Waiting(stream)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        told: list[float] = []

        def tell(seconds: float) -> None:
            told.append(seconds)
            waiting.waited(seconds, 1234)
            theirs.sendall(encode({"v": 1, "id": 1, "ok": {}}))

        Talk(ours).receive(lambda: None, tell)
        assert told and told[0] >= 1.0
        assert "recording, 1,234 files left (1 s)" in stream.getvalue()
        waiting.over()
        assert stream.getvalue().endswith("\r\033[K")
    quick = io.StringIO()
    Waiting(quick).over()
    assert quick.getvalue() == ""


@pytest.mark.parametrize(("typed", "near"), [("nope", ""), ("comit", "commit"), ("mrge", "merge"), ("lst", "list")])
def test_only_what_is_near_is_proposed(typed: str, near: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A slip of the finger finds its command; any other word the list of them."""
    assert main([typed], replies.FakeClient({}).dial) == 2
    hint = capsys.readouterr().err.splitlines()[1]
    assert hint == (
        f"hint: did you mean `git session {near}`?" if near else "hint: `git session -h` lists the commands"
    )


def test_a_repository_named_by_the_environment_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """GIT_DIR, as `git --git-dir=X session` sets it: it is said, and the hint does not make a repository there."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "x.git"))
    monkeypatch.chdir(tmp_path)
    assert main(["status"]) == 10
    told = capsys.readouterr().err
    assert "GIT_DIR is not followed" in told and "git init" not in told


@pytest.mark.parametrize("words", [["patch", "-"], ["patch", "--what"], ["no"]])
def test_help_of_no_command_is_an_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Also a word that looks like an option, in a group."""
    assert main(["help", *words], replies.FakeClient({}).dial) in (2, 10)
    assert "no " in capsys.readouterr().err
