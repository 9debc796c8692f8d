"""Packing: nothing is lost whenever the process dies, and packs stay few, small and readable by plain git."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pygit2
import pytest

from gitsessiond.model.errors import StateUnreadable, StoreFailed
from gitsessiond.store import housekeeping, layout
from gitsessiond.store import packed as packed_module
from gitsessiond.store.housekeeping import Job, Packer, packs_to_merge
from gitsessiond.store.objects import pack_entry
from gitsessiond.store.ours import PACKS_OPEN, OwnPacks
from gitsessiond.store.packs import index_oids, merge_packs, pack_records
from gitsessiond.store.steps import State, history, load_state, read_session_refs, session_ref
from gitsessiond.store.store import Store
from tests.conftest import git
from tests.store.dying import lived
from tests.store.kit import SID, first_state, is_sound, oid_at, opened, record, saved, store_git

WAIT = 30.0  # seconds a packing child may take on a busy machine


def finish(store: Store) -> None:
    """Let upkeep come to rest."""
    until = time.monotonic() + WAIT
    while store.tend(quiet=True):
        assert time.monotonic() < until, "upkeep does not come to rest"
        time.sleep(0.01)


def many(store: Store, state: State, count: int) -> State:
    """Saves of one file of 200 lines, another line changed in each."""
    lines = [b"%08x\n" % (line * 2654435761 % 2**32) for line in range(200)]
    for number in range(count):
        lines[(state.number * 7) % 200] = b"step %d\n" % state.number
        state = saved(store, state, b"src/b.txt", b"".join(lines), number)
    return state


def packs_of(store: Store) -> list[str]:
    return sorted(name for name in os.listdir(os.path.join(store.git_dir, "objects", "pack")))


def bytes_of_packs(store: Store) -> int:
    where = os.path.join(store.git_dir, "objects", "pack")
    return sum(os.path.getsize(os.path.join(where, name)) for name in packs_of(store) if name.endswith(".pack"))


def test_a_checkpoint_is_what_plain_git_reads(repo: Path) -> None:
    """Before it git sees nothing, after it everything; the journal is empty, the pack verifies."""
    with opened(repo) as store:
        state = many(store, record(store, None, first_state(repo)), 20)
        assert store_git(store, "for-each-ref") == ""
        store.checkpoint()
        assert store_git(store, "rev-parse", session_ref(SID)).strip() == state.step
        assert store_git(store, "rev-list", "--count", "--first-parent", session_ref(SID)).strip() == "22"
        assert is_sound(store)
        (index,) = [name for name in packs_of(store) if name.endswith(".idx")]
        store_git(store, "verify-pack", os.path.join(store.git_dir, "objects", "pack", index))
        assert len(store.journal) == 0 and store.journal.moved == {}
        before = packs_of(store)
        store.checkpoint()
        assert packs_of(store) == before


def test_the_writer_goes_on_while_a_child_packs(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps written between the child's start and its end are kept, and only those are left in the journal."""
    monkeypatch.setattr("gitsessiond.store.packed.CHECKPOINT_RECORDS", 5)
    with opened(repo) as store:
        state = many(store, record(store, None, first_state(repo)), 3)
        assert not store.tend()
        state = many(store, state, 2)
        assert store.tend()
        state = many(store, state, 3)
        until = time.monotonic() + WAIT
        while store.journal.waiting() != 3:
            store.tend()
            assert time.monotonic() < until
        assert store.ref(session_ref(SID)) == state.step
        assert len(list(history(store, SID))) == 9
    with opened(repo) as store:
        assert read_session_refs(store) == {SID: state.step}
        store.checkpoint()
        assert is_sound(store)


def test_four_packs_become_one_small_one(repo: Path) -> None:
    """Every object of the four is in the one, as deltas; old files go; all is still readable by the open store."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        for _ in range(4):
            state = many(store, state, 25)
            store.checkpoint()
        oids = {oid for name in packs_of(store) if name.endswith(".idx") for oid in pack_index_of(store, name)}
        size = bytes_of_packs(store)
        finish(store)
        assert list(store.journal.packs().values()) == [1]
        (index,) = [name for name in packs_of(store) if name.endswith(".idx")]
        assert set(pack_index_of(store, index)) == oids
        assert bytes_of_packs(store) < size / 3
        assert [step.number for step in history(store, SID)] == list(range(101, 0, -1))
        assert is_sound(store)
    with opened(repo) as store:
        assert load_state(store, state.step or "").work == state.work
        assert store.damage == ()


def pack_index_of(store: Store, name: str) -> list[str]:
    return index_oids(os.path.join(store.git_dir, "objects", "pack", name))


def test_there_are_never_many_packs(repo: Path) -> None:
    """After any number of checkpoints at most three of each level are left."""
    levels: dict[str, int] = {}
    for number in range(1000):
        levels[f"p{number}"] = 0
        while (found := packs_to_merge(levels)) is not None:
            for name in found[0]:
                del levels[name]
            levels[f"m{number}.{found[1]}"] = found[1]
        assert len(levels) <= 15
    assert packs_to_merge({f"p{level}": level for level in range(60)}) is not None


def test_an_unreachable_object_survives_the_merge_of_packs(repo: Path) -> None:
    """An object nobody names yet may be named by the very next step, because the store said that it has it."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        oid = store.put("blob", b"named later\n")
        for number in range(4):
            state = saved(store, state, b"a.txt", b"%d\n" % number)
            store.checkpoint()
        until = time.monotonic() + WAIT
        assert store.tend(quiet=True)
        state = saved(store, state, b"later", b"named later\n")
        while store.tend(quiet=True):
            assert time.monotonic() < until
        assert store.blob(oid) == b"named later\n"
        store.checkpoint()
        assert is_sound(store)


def test_a_full_disk_stops_a_checkpoint_and_nothing_else(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 15; the journal keeps everything, no draft is left, and the next checkpoint goes through."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        real = os.fsync

        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StoreFailed, match="No space left") as caught:
            store.checkpoint()
        monkeypatch.setattr(os, "fsync", real)
        assert caught.value.exit_code == 15
        assert packs_of(store) == []
        assert load_state(store, store.ref(session_ref(SID)) or "").number == state.number
        store.checkpoint()
        assert is_sound(store)


def test_a_garbled_object_is_not_packed(repo: Path) -> None:
    """A journal row that is not what its id says stops the checkpoint and stays where it is."""
    with opened(repo) as store:
        record(store, None, first_state(repo))
        store.journal._db.execute("UPDATE objects SET entry = ? WHERE n = 1", (pack_entry("blob", b"other"),))
        with pytest.raises(StateUnreadable, match="garbled"):
            store.checkpoint()
        assert packs_of(store) == []
        assert store.tend(quiet=True)
        with pytest.raises(StoreFailed, match="garbled"):
            finish(store)
        assert store.journal.waiting() == 1


def test_a_killed_packing_child_costs_nothing(repo: Path) -> None:
    """The next upkeep starts another, and its draft is removed at the next start."""
    with opened(repo) as store:
        state = many(store, record(store, None, first_state(repo)), 30)
        assert store.tend(quiet=True)
        assert store.packed.packer.child is not None
        os.kill(store.packed.packer.child.pid, signal.SIGKILL)
        with pytest.raises(StoreFailed, match="packing failed"):
            finish(store)
        finish(store)
        assert store.journal.waiting() == 0
        assert is_sound(store)
    (repo / ".git" / "gitsession" / "store.git" / "objects" / "pack" / "tmp_pack_x").write_bytes(b"half")
    with opened(repo) as store:
        assert read_session_refs(store) == {SID: state.step}
        assert not [name for name in packs_of(store) if name.startswith("tmp")]


def test_a_pack_that_was_never_finished_goes_away(repo: Path) -> None:
    """A crash between pack and index: the rows are still in the journal, and make the same pack again."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
    packs = repo / ".git/gitsession/store.git/objects/pack"
    (packs / f"pack-{'a' * 40}.pack").write_bytes(b"PACK")
    with opened(repo) as store:
        assert not list(packs.iterdir())
        store.checkpoint()
        assert read_session_refs(store) == {SID: state.step} and is_sound(store)


def test_a_lock_left_in_our_store_goes_away(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed `git update-ref` of a checkpoint does not block the store for ever."""
    monkeypatch.setattr(layout, "_LOCK_TIME", 0.1)
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
    (repo / ".git/gitsession/store.git/refs/sessions" / f"{SID}.lock").touch()
    with opened(repo) as store:
        store.checkpoint()
        assert store_git(store, "rev-parse", session_ref(SID)).strip() == state.step


def test_a_shallow_clone_can_be_recorded(repo: Path, tmp_path: Path) -> None:
    """Plain git on the store knows where a shallow history ends, and learns when it no longer does."""
    for number in range(3):
        subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", str(number)], cwd=repo, check=True)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{repo}", str(clone)], check=True)
    with opened(clone) as store:
        state = record(store, None, first_state(clone))
        store.checkpoint()
        assert is_sound(store)
        subprocess.run(["git", "fetch", "-q", "--unshallow"], cwd=clone, check=True)
        saved(store, state, b"a.txt", b"more\n")
        store.checkpoint()
        assert is_sound(store)
        assert not os.path.exists(os.path.join(store.git_dir, "shallow"))


def test_where_a_shallow_history_ends_is_copied_without_what_is_beyond(repo: Path, tmp_path: Path) -> None:
    """The base moves to a new shallow end, from which the old one cannot be reached: the old one is copied."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "second"], cwd=repo, check=True)
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{repo}", str(clone)], check=True)
    with opened(clone) as store:
        state = record(store, None, first_state(clone))
        for number in range(2):
            subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", str(number)], cwd=repo, check=True)
        subprocess.run(["git", "fetch", "-q", "--depth=1", "origin", "main"], cwd=clone, check=True)
        subprocess.run(["git", "reset", "-q", "--hard", "FETCH_HEAD"], cwd=clone, check=True)
        session = state.session.model_copy(update={"base": oid_at(clone, "HEAD")})
        record(store, state, replace(state, session=session, work=oid_at(clone, "HEAD^{tree}")))
        store.checkpoint()
        assert store.own_has(state.session.base)


# -- death between any two writes -------------------------------------------------------------------------------


class Inline(Packer):
    """Packs in the process itself, so that it can die there too."""

    name: str | None = None

    def start(self, job: Job) -> None:
        merging = job.words[0] == "merge"
        made = merge_packs(job.words[1], job.words[2:]) if merging else pack_records(*asked(job.words))
        self.job, self.name = job, made

    def running(self) -> bool:
        return self.job is not None

    def done(self) -> bool:
        return self.running()

    def result(self) -> tuple[Job, str | None]:
        assert self.job is not None
        done, self.job = (self.job, self.name), None
        return done


def inline() -> None:
    setattr(packed_module, "Packer", Inline)  # noqa: B010 - mypy would want it exported


def asked(words: Sequence[str]) -> tuple[str, int, str]:
    return words[1], int(words[2]), words[3]


def life(repo: Path, told: int) -> None:
    """What the dying process does; it tells of each step once the store said that it is recorded."""
    state: State | None = None
    with opened(repo) as store:
        for content in (b"", b"one\n", b"two\n", b"three\n"):
            state = saved(store, state, b"a.txt", content) if state else record(store, None, first_state(repo))
            os.write(told, f"{state.number} {state.step}\n".encode())
            if content in (b"one\n", b"two\n"):
                store.checkpoint()
        finish(store)


@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.soak)])
def test_death_between_any_two_writes_loses_nothing_told(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    """kill -9 before each single write of creating, recording, checkpoints and merging packs: the store opens, every
    step that was told of is there, and after a checkpoint plain git finds it sound.
    """
    monkeypatch.setattr(housekeeping, "MERGE_AT", 2)
    before, ended = 0, False
    while not ended:
        copy = tmp_path / f"copy{before}"
        shutil.copytree(repo, copy, symlinks=True)
        ended, steps = lived(life, copy, before, inline)
        with opened(copy) as store:
            assert store.damage == ()
            tip = store.ref(session_ref(SID))
            assert tip is not None or not steps
            if tip is not None:
                state = load_state(store, tip)
                numbers = {f"{step.number} {step.step}" for step in history(store, SID)}
                assert set(steps) <= numbers, before
                assert state.number in (len(steps), len(steps) + 1)
                saved(store, state, b"a.txt", b"afterwards\n")
            store.checkpoint()
            assert is_sound(store), before
        shutil.rmtree(copy)
        before += stride
    assert before > 80


def test_packs_do_not_stay_open_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many packs were read and forgotten, no more than the limit stay open."""
    assert pygit2.settings.mwindow_file_limit == PACKS_OPEN
    monkeypatch.setattr(pygit2.settings, "mwindow_file_limit", 8)
    git(tmp_path, "init", "-q")
    objects = tmp_path / ".git" / "objects"
    for n in range(18):
        oid = git(tmp_path, "hash-object", "-w", "--stdin", stdin=b"%d\n" % n).decode().strip()
        git(tmp_path, "pack-objects", "-q", str(objects / "pack" / "pack"), stdin=oid.encode())
        (objects / oid[:2] / oid[2:]).unlink()
        assert OwnPacks(str(tmp_path / ".git")).read(oid) is not None
    held = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    assert sum(str(tmp_path) in path for path in held) <= 8
