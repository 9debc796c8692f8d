"""Damaged states, made by hand: one plain error with a hint, everything as before, and a way back.

Each case says what a command answers, what ``doctor`` and ``doctor --fix`` answer, and that work goes on then.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gitsessiond.model.values import REGULAR, Entry
from gitsessiond.store.repository import open_repository
from gitsessiond.store.store import RefMove, open_store
from gitsessiond.store.trees import edit_tree, entry_at
from tests.bench import SCRIPT, Result, Workbench, wait_for
from tests.conftest import git

FILES = ("a.txt", "src/b.txt", "README", "new.txt")


class Damaged(Workbench):
    """A day's work, stopped, with something broken in it."""

    @property
    def state(self) -> Path:
        return self.root / ".git" / "gitsession"

    @property
    def store(self) -> Path:
        return self.state / "store.git"

    def any(self, *args: str, env: dict[str, str] | None = None) -> Result:
        """Run a command, however it ends; not through git, which some damages stop first."""
        full = {**os.environ, **(env or {})}
        done = Result(
            subprocess.run([SCRIPT, *args], cwd=self.root, stdin=subprocess.DEVNULL, capture_output=True, env=full)
        )
        assert "Traceback" not in done.err + done.out, done
        return done

    def sid(self) -> str:
        return self.git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/gitsession/sessions").out.split()[0]

    def as_is(self) -> dict[str, Any]:
        """What no refused command may change: refs, HEAD, index, files, and what the store keeps."""
        git_dir = self.root / ".git"
        kept = {
            str(path.relative_to(git_dir)): path.read_bytes()
            for top in (git_dir / "refs", self.store / "refs", self.store / "objects" / "pack")
            for path in sorted(top.rglob("*"))
            if path.is_file()
        }
        path = self.state / "format"
        kept["format"] = path.read_bytes() if path.is_file() else b""
        return {**kept, **self.theirs()}

    def theirs(self) -> dict[str, bytes]:
        """What is the user's: HEAD, index, branches, files."""
        git_dir = self.root / ".git"
        paths = [git_dir / "HEAD", git_dir / "index", git_dir / "packed-refs", *(git_dir / "refs/heads").rglob("*")]
        paths += [self.root / name for name in FILES]
        return {str(path): path.read_bytes() for path in paths if path.is_file()}


def broken_off(root: Path) -> None:
    """A session with a committed patch, a patch with an edit, an unassigned file; saves in packs and in the journal."""
    bench = Workbench(root)
    bench.run("start", "day")
    bench.write("new.txt", "nobody's\n")
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 2\n", "line two\n")
    bench.run("commit", "-m", "two")
    bench.run("patch", "new", "q")
    bench.edit("src/b.txt", "b 5\n", "b five\n")
    bench.checkpoint()
    bench.edit("src/b.txt", "b 9\n", "b nine\n")
    bench.run("status")
    bench.stop()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where the day is made, once, and where a copy of it is kept."""
    home = tmp_path_factory.mktemp("damage")
    return {"root": home / "shop", "kept": home / "kept"}


@pytest.fixture
def day(template: dict[str, Path]) -> Iterator[Damaged]:
    """The day's work in the same place as always, fresh."""
    root, kept = template["root"], template["kept"]
    if not kept.exists():
        (root / "src").mkdir(parents=True)
        git(root, "init", "-q", "-b", "main")
        (root / "a.txt").write_text("".join(f"line {n}\n" for n in range(1, 11)))
        (root / "src" / "b.txt").write_text("".join(f"b {n}\n" for n in range(1, 11)))
        (root / "README").write_text("shop\n")
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", "first")
        broken_off(root)
        shutil.copytree(root, kept, symlinks=True)
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(kept, root, symlinks=True)
    made = Damaged(root)
    yield made
    made.stop()


def plain(done: Result) -> None:
    """One error in plain words, and one hint."""
    lines = done.err.splitlines()
    assert lines and lines[0].startswith("error: ") and lines[-1].startswith("hint: "), done
    assert "Traceback" not in done.err and "Traceback" not in done.out, done


def garble(path: Path, start: int = 0) -> None:
    """Other bytes from ``start`` to the end."""
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data[:start] + bytes(255 - byte for byte in data[start:]))


def cut(path: Path) -> None:
    """Half of it is gone."""
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size // 2)


# -- the damages -----------------------------------------------------------------------------------------------


def journal_garbage(day: Damaged) -> None:
    garble(day.state / "journal.db")


def journal_cut(day: Damaged) -> None:
    cut(day.state / "journal.db")


def journal_empty(day: Damaged) -> None:
    (day.state / "journal.db").write_bytes(b"")


def journal_gone(day: Damaged) -> None:
    for path in day.state.glob("journal.db*"):
        path.unlink()


def journal_newer(day: Damaged) -> None:
    db = sqlite3.connect(day.state / "journal.db")
    db.execute("PRAGMA user_version = 99")
    db.commit()
    db.close()


def store_gone(day: Damaged) -> None:
    shutil.rmtree(day.store)


def state_gone(day: Damaged) -> None:
    shutil.rmtree(day.state)


def store_emptied(day: Damaged) -> None:
    shutil.rmtree(day.store / "objects")


def pack_gone(day: Damaged) -> None:
    for path in (day.store / "objects" / "pack").iterdir():
        path.unlink()


def index_cut(day: Damaged) -> None:
    for path in (day.store / "objects" / "pack").glob("*.idx"):
        cut(path)


def pack_cut(day: Damaged) -> None:
    for path in (day.store / "objects" / "pack").glob("*.pack"):
        cut(path)


def pack_garbled(day: Damaged) -> None:
    for path in (day.store / "objects" / "pack").glob("*.pack"):
        garble(path, 20)


def ref_garbage(day: Damaged) -> None:
    (day.store / "refs" / "sessions" / day.sid()).write_text("not an id\n")


def ref_bytes(day: Damaged) -> None:
    (day.store / "refs" / "sessions" / day.sid()).write_bytes(b"\xff\x00\n" * 9)


def ref_nowhere(day: Damaged) -> None:
    db = sqlite3.connect(day.state / "journal.db")
    db.execute("DELETE FROM moves")
    db.commit()
    db.close()
    (day.store / "refs" / "sessions" / day.sid()).write_text("1" * 40 + "\n")


def ref_foreign_in_store(day: Damaged) -> None:
    (day.store / "refs" / "sessions" / "not-a-session").write_text("1" * 40 + "\n")


def ref_foreign(day: Damaged) -> None:
    day.git("update-ref", "refs/gitsession/sessions/somebody", "HEAD")
    day.git("update-ref", "refs/gitsession/sessions/zzzzzzzzzzzz", "HEAD")
    day.git("update-ref", "refs/gitsession/patches/x/y", "HEAD")
    day.git("update-ref", "refs/gitsession/other", "HEAD")


def object_empty(day: Damaged) -> None:
    for ref in day.git("for-each-ref", "--format=%(objectname)", "refs/gitsession").out.split():
        path = day.root / ".git" / "objects" / ref[:2] / ref[2:]
        path.chmod(0o644)
        os.truncate(path, 0)


def put_record(day: Damaged, change: Callable[[bytes], bytes], sid: str | None = None) -> None:
    """Another last step, whose session.json is changed."""
    with open_store(open_repository(str(day.root))) as store:
        name = f"refs/sessions/{sid or day.sid()}"
        tip = store.ref(name)
        assert tip is not None
        data = store.read(tip).data
        tree = data.split(b"\n", 1)[0].split(b" ")[1].decode()
        entry = entry_at(store, tree, b"session.json")
        assert entry is not None
        record = change(store.blob(entry.oid))
        edited = edit_tree(store, tree, {b"session.json": Entry(REGULAR, store.put("blob", record))})
        step = store.put("commit", data.replace(tree.encode(), edited.encode(), 1))
        store.commit([RefMove(name, tip, step)])


def step_newer(day: Damaged) -> None:
    put_record(day, lambda record: record.replace(b'"format":1', b'"format":2', 1))


def step_garbage(day: Damaged) -> None:
    put_record(day, lambda record: record[: len(record) // 2])


def format_newer(day: Damaged) -> None:
    (day.state / "format").write_text("2\n")


def format_garbage(day: Damaged) -> None:
    (day.state / "format").write_bytes(b"\xff\xfe?")


def format_empty(day: Damaged) -> None:
    (day.state / "format").write_text("")


def format_gone(day: Damaged) -> None:
    (day.state / "format").unlink()


def wid_garbage(day: Damaged) -> None:
    (day.root / ".git" / "gitsession-wid").write_bytes(b"\xff../../x\n")


def wid_empty(day: Damaged) -> None:
    (day.root / ".git" / "gitsession-wid").write_text("")


def wid_gone(day: Damaged) -> None:
    (day.root / ".git" / "gitsession-wid").unlink()


def wid_directory(day: Damaged) -> None:
    wid_gone(day)
    (day.root / ".git" / "gitsession-wid").mkdir()


def pointer_garbage(day: Damaged) -> None:
    (day.state / "sock").write_bytes(b"\xff\x00/nowhere\n\n")


def pointer_directory(day: Damaged) -> None:
    (day.state / "sock").mkdir()


def socket_stale(day: Damaged) -> None:
    found = os.stat(day.root / ".git")
    path = Path(os.environ["XDG_RUNTIME_DIR"], "gitsessiond", f"{found.st_dev}-{found.st_ino}.sock")
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    (day.state / "sock").write_text(f"{path}\n{found.st_dev}:{found.st_ino}\n")


def lock_garbage(day: Damaged) -> None:
    (day.state / "lock").write_bytes(b"\xff\x00" * 100)


def alive_garbage(day: Damaged) -> None:
    (day.state / "alive").write_bytes(b"\xff\xfe\x00\n")


def alive_no_zone(day: Damaged) -> None:
    (day.state / "alive").write_text("2026-01-01T00:00:00\n")


def alive_directory(day: Damaged) -> None:
    (day.state / "alive").unlink()
    (day.state / "alive").mkdir()


def sequence_garbage(day: Damaged) -> None:
    (day.state / "seq").write_bytes(b"\xff-1")


def cookies_file(day: Damaged) -> None:
    shutil.rmtree(day.state / "cookies", ignore_errors=True)
    (day.state / "cookies").write_text("")


def logs_file(day: Damaged) -> None:
    shutil.rmtree(day.state / "logs")
    (day.state / "logs").write_text("")


def intents_file(day: Damaged) -> None:
    shutil.rmtree(day.state / "intents")
    (day.state / "intents").write_text("")


def intent_garbage(day: Damaged) -> None:
    (day.state / "intents" / "kkkkkkkkkkkk.json").write_text("{half")


def intent_newer(day: Damaged) -> None:
    (day.state / "intents" / "kkkkkkkkkkkk.json").write_text('{"format": 2}\n')


def intent_draft(day: Damaged) -> None:
    (day.state / "intents" / "kkkkkkkkkkkk.json.tmp-1").write_text("{half")


def intent_of_nobody(day: Damaged) -> None:
    """A landing of a session that is not here."""
    head = day.git("rev-parse", "main").out.strip()
    intent = {
        "format": 1, "id": "kkkkkkkkkkkk", "session": "kkkkkkkkkkkk", "patch": "llllllllllll", "target": "main",
        "old": head, "new": "1" * 40, "worktree": None, "at": "2026-01-02T03:04:05Z", "by": "Ann <ann@example.org>",
    }  # fmt: skip
    (day.state / "intents" / "kkkkkkkkkkkk.json").write_text(json.dumps(intent))


def commit_intent_garbage(day: Damaged) -> None:
    (day.root / ".git" / "gitsession-commit").write_bytes(b"\xff{half")


def exclude_gone(day: Damaged) -> None:
    shutil.rmtree(day.root / ".git" / "info")


def exclude_directory(day: Damaged) -> None:
    (day.root / ".git" / "info" / "exclude").unlink()
    (day.root / ".git" / "info" / "exclude").mkdir()


def state_a_file(day: Damaged) -> None:
    shutil.rmtree(day.state)
    day.state.write_text("")


def control_files_a_file(day: Damaged) -> None:
    shutil.rmtree(day.root / ".gitsession", ignore_errors=True)
    (day.root / ".gitsession").write_text("")


def head_garbage(day: Damaged) -> None:
    (day.root / ".git" / "HEAD").write_bytes(b"\xffgarbage\n")


def index_garbage(day: Damaged) -> None:
    garble(day.root / ".git" / "index")


def config_garbage(day: Damaged) -> None:
    with open(day.root / ".git" / "config", "a") as file:
        file.write("[half\n")


def branch_gone(day: Damaged) -> None:
    (day.root / ".git" / "refs" / "heads" / "session" / "day").unlink()


def branch_garbage(day: Damaged) -> None:
    (day.root / ".git" / "refs" / "heads" / "session" / "day").write_text("not an id\n")


def after_hint(day: Damaged) -> None:
    """The hint is a command: run it."""
    done = day.any("status")
    subprocess.run(["sh", "-c", done.err.splitlines()[-1].removeprefix("hint: ")], cwd=day.root, check=True)


def after_hint_of_commit(day: Damaged) -> None:
    """The session is parked, and ``commit`` says how to end that."""
    done = day.any("commit", "-m", "x", "--patch", "q")
    plain(done)
    subprocess.run(["sh", "-c", done.err.splitlines()[-1].removeprefix("hint: ")], cwd=day.root, check=True)


def put_back(name: str) -> Callable[[Damaged], None]:
    """Put a file of the git directory back as it was."""

    def mend(day: Damaged) -> None:
        path, kept = day.root / ".git" / name, day.root.parent / "kept" / ".git" / name
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        if kept.is_file():
            shutil.copyfile(kept, path)
        else:
            path.unlink()

    return mend


class Case(NamedTuple):
    """A damage and what is answered to it."""

    damage: Callable[[Damaged], None]
    code: int = 0  # of `status` and of `patch new`
    doctor: int = 0
    fixed: int = 0  # of `doctor --fix`
    mend: Callable[[Damaged], None] | None = None  # what the user does where doctor cannot help
    again: bool = False  # and then `doctor --fix`
    quick: bool = False  # in the default tier too

    def __str__(self) -> str:
        return self.damage.__name__


CASES = [
    Case(journal_garbage, 14, 1, quick=True),
    Case(journal_cut, 14, 1),
    Case(journal_empty, 14, 1),
    Case(journal_gone, 14, 1),
    Case(journal_newer, 14, 14, 14, put_back("gitsession/journal.db")),
    Case(store_gone, 14, 1, quick=True),
    Case(state_gone, 10, 1),
    Case(store_emptied, 14, 1),
    Case(pack_gone, 14, 1),
    Case(pack_cut, 14, 1),
    Case(pack_garbled, 14, 1),
    Case(index_cut, 14, 1),
    Case(ref_garbage, 0, 1),
    Case(ref_bytes, 0, 1),
    Case(ref_nowhere, 14, 1),
    Case(ref_foreign_in_store, 0, 1),
    Case(ref_foreign),
    Case(object_empty, 0, 1, quick=True),
    Case(step_garbage, 14, 1),
    Case(step_newer, 14, 14, 14, put_back("gitsession/journal.db")),
    Case(format_newer, 14, 14, 14, put_back("gitsession/format")),
    Case(format_garbage, 14, 1),
    Case(format_empty, 14, 1),
    Case(format_gone),
    Case(wid_garbage),
    Case(wid_empty),
    Case(wid_gone),
    Case(wid_directory, 15, 15, 15, after_hint),
    Case(pointer_garbage),
    Case(pointer_directory, 15, 15, 15, after_hint),
    Case(socket_stale),
    Case(lock_garbage),
    Case(alive_garbage),
    Case(alive_no_zone),
    Case(alive_directory),
    Case(sequence_garbage),
    Case(cookies_file),
    Case(logs_file, 15, 15, 15, after_hint),
    Case(intents_file, 15, 15, 15, after_hint),
    Case(intent_garbage, 14, 1),
    Case(intent_newer, 14, 14, 14, put_back("gitsession/intents/kkkkkkkkkkkk.json")),
    Case(intent_draft),
    Case(intent_of_nobody),
    Case(commit_intent_garbage),
    Case(exclude_gone),
    Case(exclude_directory, 0, 1, 1, put_back("info/exclude")),
    Case(state_a_file, 15, 15, 15, after_hint, again=True),
    Case(control_files_a_file, mend=put_back("../.gitsession")),
    Case(branch_gone, mend=after_hint_of_commit),
    Case(branch_garbage, mend=put_back("refs/heads/session/day")),
    Case(head_garbage, 10, 10, 10, put_back("HEAD")),
    Case(index_garbage, 0, 1, 1, put_back("index")),
    Case(config_garbage, 15, 15, 15, put_back("config")),
]


@pytest.mark.parametrize("case", [case for case in CASES if case.quick], ids=str)
def test_a_damaged_state_is_told_and_mended(day: Damaged, case: Case) -> None:
    """One error with a hint, nothing changed; doctor mends it or says why not; then work goes on."""
    damaged(day, case)


@pytest.mark.soak
@pytest.mark.parametrize("case", [case for case in CASES if not case.quick], ids=str)
def test_every_damaged_state_is_told_and_mended(day: Damaged, case: Case) -> None:
    """The same for all other damages."""
    damaged(day, case)


def damaged(day: Damaged, case: Case) -> None:
    """The whole way of one case."""
    theirs = day.theirs()
    case.damage(day)
    before, broken = day.as_is(), day.theirs()
    asked = [["status"], ["status", "--json"], ["patch", "new", "z"], ["commit", "-m", "x"], ["merge", "p", "--ready"]]
    for words in asked if case.code else asked[:2]:
        done = day.any(*words)
        assert done.code == case.code, (done, day.logs())
        if case.code and "--json" not in words:
            plain(done)
        elif case.code:
            assert json.loads(done.out)["error"]["hint"], done
        assert (day.as_is() == before) if case.code > 10 else (day.theirs() == broken), words
    if case.damage is state_gone:
        assert "hint: git session doctor" in day.any("status").err
    assert examined(day, case.doctor, "doctor").code == case.doctor
    assert day.theirs() == broken
    assert examined(day, case.fixed, "doctor", "--fix").code == case.fixed
    assert day.theirs() == broken or case.damage is object_empty
    if case.mend is not None:
        case.mend(day)
    if case.again:
        examined(day, 0, "doctor", "--fix")
    assert day.theirs() == theirs
    works(day)


@pytest.mark.parametrize("way", ["record", *(pytest.param(way, marks=pytest.mark.soak) for way in ("ref", "ended"))])
def test_a_damaged_session_blocks_only_itself(day: Damaged, way: str) -> None:
    """The other sessions go on, and say which one cannot be read; doctor brings it back."""
    day.run("start", "other", "--worktree")
    status = day.json("status", "-s", "other")["session"]
    other = day.at(status["worktree"])
    if way == "ended":
        day.run("abandon", "--yes", "-s", "other")
    day.checkpoint()
    day.stop()
    if way == "ref":
        (day.store / "refs" / "sessions" / status["id"]).write_text("not an id\n")
    else:
        put_record(day, lambda record: record[: len(record) // 2], status["id"])

    for done in (day.any("status"), day.any("list")):
        assert done.code == 0 and "session other cannot be read: " in done.out, done
        assert "git session doctor" in done.out
    assert [one["name"] for one in day.json("list")["unreadable"]] == ["other"]
    day.run("patch", "new", "z")
    day.edit("README", "shop\n", "a shop\n")
    day.run("commit", "-m", "shop")
    day.run("merge", "p", "--ready")
    plain(day.run("status", "-s", "other", code=14))
    plain(day.run("uninstall", "--hard", "--yes", code=14))
    if way != "ended":
        plain(other.run("status", code=14))
        plain(other.run("patch", "new", "stray", code=14))
        plain(other.run("start", "again", code=14))
        plain(day.run("start", "other", code=14))

    examined(day, 0, "doctor", "--fix")
    assert day.json("status", "-s", "other")["session"]["worktree"] == status["worktree"]
    assert "cannot be read" not in day.run("status").out
    assert day.any("doctor").code == 0


@pytest.mark.soak
def test_a_damaged_index_is_told(day: Damaged) -> None:
    """Recording goes on without it; the panel says that git itself cannot."""
    index_garbage(day)
    assert "git's index here is damaged" in day.any("status").out


@pytest.mark.soak
def test_a_session_that_fails_at_a_look_blocks_only_itself(day: Damaged) -> None:
    """What its commits hold is gone from the repository: the others say so and go on."""
    day.run("start", "other", "--worktree")
    other = day.at(day.json("status", "-s", "other")["session"]["worktree"])
    other.run("patch", "new", "o")
    day.stop()
    other.write("n.txt", "one\n")
    other.git("add", "n.txt")
    other.git("commit", "-q", "-m", "n")
    blob = other.git("rev-parse", "HEAD^{tree}").out.strip()
    path = day.root / ".git" / "objects" / blob[:2] / blob[2:]
    path.unlink()

    assert day.any("status").code == 0
    assert "session other cannot be brought up to date" in day.any("status").out
    day.run("patch", "new", "z")
    assert day.any("status", "-s", "other").code in (14, 15)


def examined(day: Damaged, code: int, *words: str) -> Result:
    """``doctor`` says what is wrong: as a check of its own, or as an error where it cannot look at all."""
    done = day.any(*words)
    assert done.code == code, (done, day.logs())
    if code == 1:
        assert "fail " in done.out, done
    elif code:
        plain(done)
    return done


def works(day: Damaged) -> None:
    """The session is there with its patches, and the day goes on."""
    status = day.status()
    assert status["session"]["name"] == "day" and {"p", "q"} <= {patch["name"] for patch in status["patches"]}
    assert day.patch("p")["commits"] == 1
    day.run("patch", "new", "afterwards")
    day.edit("README", "shop\n", "shop, mended\n")
    day.run("commit", "-m", "afterwards")
    assert day.git("show", "--format=", "--name-only", "HEAD").out.split() == ["README"]
    assert day.any("doctor").code == 0, day.any("doctor")
    day.judge(full=False)


# -- surroundings that refuse ----------------------------------------------------------------------------------


def mounted(*words: str) -> None:
    """mount(8), or no test here."""
    done = subprocess.run(["mount", *words], capture_output=True)
    if done.returncode:
        pytest.skip(f"mount is not allowed here: {done.stderr.decode().strip()}")


def test_a_full_disk(tmp_path: Path) -> None:
    """No room: exit 15, nothing half-written; with room again everything goes on, and no save is lost.

    Locks go on in memory meanwhile, and keep others out.
    """
    root = tmp_path / "shop"
    root.mkdir()
    mounted("-t", "tmpfs", "-o", "size=6m", "tmpfs", str(root))
    day = Damaged(root)
    try:
        git(root, "init", "-q", "-b", "main")
        for name in ("a.txt", "src/b.txt"):
            day.write(name, "".join(f"{name[0].removeprefix('s') or 'b'} {n}\n" for n in range(1, 11)))
        day.write("README", "shop\n")
        day.edit("a.txt", "a 1\n", "line 1\nline 2\n")
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", "first")
        broken_off(root)
        day.run("status")
        day.run("lock", "src/b.txt")
        day.edit("README", "shop\n", "a shop\n")
        with (
            open(root / ".git" / "filler", "wb", buffering=0) as filler,
            pytest.raises(OSError, match="No space"),
        ):
            while True:
                filler.write(bytes(4096))
        before = day.theirs()
        for words in (["patch", "new", "z"], ["commit", "-m", "x"], ["merge", "p", "--ready"], ["checkpoint"]):
            done = day.any(*(["daemon", *words] if words == ["checkpoint"] else words))
            assert done.code == 15, (words, done, day.logs())
            plain(done)
            assert day.theirs() == before, words
        names = (f"n{number}" for number in range(40))  # more than goes into what is left of the journal's last block
        held = day.any("--client", "one", "lock", "a.txt", *names)
        assert held.code == 0 and "degraded: locks are in memory only" in held.err, held
        assert day.any("--client", "two", "lock", "a.txt").code == 11
        (root / ".git" / "filler").unlink()
        wait_for(lambda: "degraded" not in day.daemon()["locks"], why="for the locks to be written down")
        day.edit("README", "a shop\n", "shop\n")
        works(day)
    finally:
        day.stop()
        subprocess.run(["umount", "-l", str(root)], check=True)


def test_a_read_only_disk(day: Damaged) -> None:
    """A state directory that cannot be written: exit 15 with what the system said; then it goes on."""
    mounted("--bind", str(day.state), str(day.state))
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(day.state)], check=True)
        before = day.as_is()
        for words in (["status"], ["patch", "new", "z"], ["doctor", "--fix"], ["daemon", "start"]):
            done = day.any(*words)
            assert done.code == 15 and "Read-only file system" in done.err, done
            plain(done)
        assert day.as_is() == before
    finally:
        day.stop()
        subprocess.run(["umount", "-l", str(day.state)], check=True)
    works(day)


def test_no_git_on_the_path(day: Damaged, tmp_path: Path) -> None:
    """The daemon cannot find git: exit 15, and the next command with a better PATH works."""
    for words in (["status"], ["commit", "-m", "x"], ["doctor"]):
        done = day.any(*words, env={"PATH": str(tmp_path)})
        assert done.code == 15 and "git" in done.err, done
        plain(done)
    works(day)


def test_no_identity(day: Damaged, sealed: Path) -> None:
    """git knows nobody's name: commit is refused in git's words, all else works."""
    config = sealed / ".gitconfig"
    kept = config.read_text()
    config.write_text(kept.replace("\tname = Ann\n", "").replace("[user]", "[user]\n\tuseConfigOnly = true"))
    day.edit("src/b.txt", "b 2\n", "b two\n")
    before = day.as_is()
    done = day.any("commit", "-m", "x")
    assert done.code in (4, 15) and "git config" in done.err, done
    plain(done)
    assert {k: v for k, v in day.as_is().items() if k in day.theirs()} == {
        k: v for k, v in before.items() if k in day.theirs()
    }
    config.write_text(kept)
    day.run("commit", "-m", "x")
    works(day)


@pytest.mark.parametrize(
    "lock",
    [
        "HEAD.lock",
        *(pytest.param(lock, marks=pytest.mark.soak) for lock in ("index.lock", "refs/heads/session/day.lock")),
    ],
)
def test_a_lock_that_a_killed_git_left(day: Damaged, lock: str) -> None:
    """commit says whose lock is in the way and changes nothing; without the lock it works."""
    path = day.root / ".git" / lock
    path.touch()
    before = day.theirs()
    done = day.any("commit", "-m", "x")
    assert done.code in (4, 15) and ".lock" in done.err, done
    plain(done)
    assert day.theirs() == before
    path.unlink()
    works(day)


@pytest.mark.soak
def test_a_worktree_that_was_deleted(day: Damaged) -> None:
    """A session's worktree is gone: it says so, other sessions go on, and it can be abandoned."""
    day.run("start", "other", "--worktree")
    where = Path(day.json("switch", "other")["worktree"])
    day.stop()
    shutil.rmtree(where)
    status = day.json("status", "-s", "other")
    assert status["session"]["state"] == "no worktree"
    plain(day.any("commit", "-m", "x", "-s", "other"))
    day.run("abandon", "--yes", "-s", "other")
    works(day)


def test_another_repositorys_daemon_is_never_asked(day: Damaged, bench: Workbench) -> None:
    """A pointer that leads to the daemon of another repository: nothing is done there."""
    bench.run("start", "elsewhere")
    theirs = (bench.root / ".git" / "gitsession" / "sock").read_text().splitlines()[0]
    found = os.stat(day.root / ".git")
    (day.state / "sock").write_text(f"{theirs}\n{found.st_dev}:{found.st_ino}\n")
    before = bench.status()
    done = day.any("patch", "new", "stray")
    if done.code:
        plain(done)
    else:
        assert "stray" in [patch["name"] for patch in day.status()["patches"]]
    assert bench.status()["patches"] == before["patches"] == []
    works(day)


@pytest.mark.soak
def test_killed_processes_leave_nothing_in_the_way(day: Damaged) -> None:
    """kill -9 of the recorder, of front, of both: the next command goes on and knows every save."""
    for number, who in enumerate((["recorder_pid"], ["pid"], ["pid", "recorder_pid"])):
        day.run("status")
        pids = day.daemon()
        day.edit("src/b.txt", f"b {number + 1}\n", f"b {number + 1}!\n")
        for name in who:
            os.kill(pids[name], signal.SIGKILL)
        wait_for(lambda pids=pids, who=who: not any(runs(pids[name]) for name in who))
        assert day.status()["session"]["name"] == "day"
    works(day)


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
