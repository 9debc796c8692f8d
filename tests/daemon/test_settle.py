"""When names are quiet: the rule itself, with time passed in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitsessiond.daemon.mailbox import Notice
from gitsessiond.daemon.settle import COPY_WAIT, LONGEST_HOLD, WAIT, Known, Settled, Settling


def settling(*known: bytes) -> Settling:
    names = Known()
    for name in known:
        names.add(name)
    return Settling(names)


def saw(one: Settling, what: str, path: bytes, now: float, other: bytes = b"") -> None:
    one.saw(Notice(what, "/w", path, other), now)  # type: ignore[arg-type]


def names(one: Settling, now: float) -> set[bytes]:
    found = one.take(now)
    return set(found.paths) if found else set()


def test_known_name_goes_at_once() -> None:
    """A known file that was closed, or replaced by a rename, is a batch without waiting."""
    one = settling(b"a", b"b")
    saw(one, "closed", b"a", 1.0)
    assert one.next_look() == 1.0
    assert names(one, 1.0) == {b"a"}
    saw(one, "moved_in", b"b", 2.0, b"b.tmp")
    assert names(one, 2.0) == {b"b"}
    assert one.next_look() is None


def test_saves_apart_are_batches_apart() -> None:
    """n saves of a known file 200 ms apart are n batches."""
    one = settling(b"a")
    batches = 0
    for n in range(20):
        saw(one, "closed", b"a", n * 0.2)
        batches += bool(one.take(n * 0.2))
    assert batches == 20


def test_new_name_waits() -> None:
    """A name nobody knew goes 50 ms after it appeared, and at once from then on."""
    one = settling()
    saw(one, "created", b"a", 1.0)
    saw(one, "closed", b"a", 1.01)
    assert names(one, 1.02) == set()
    assert one.next_look() == 1.0 + WAIT
    assert names(one, 1.0 + WAIT) == {b"a"}
    saw(one, "closed", b"a", 2.0)
    assert names(one, 2.0) == {b"a"}


def test_growing_file_does_not_wait_for_ever() -> None:
    """A new file that is saved again and again goes 50 ms after its first appearance."""
    one = settling()
    for n in range(4):
        saw(one, "closed", b"a", 1.0 + n * 0.01)
    assert names(one, 1.0 + WAIT) == {b"a"}


def test_what_came_and_went_never_was() -> None:
    """A temporary file causes no batch; the next one carries its name along, so that nothing rests on the guess."""
    one = settling(b"f")
    saw(one, "created", b"4913", 1.0)
    saw(one, "closed", b"4913", 1.001)
    saw(one, "gone", b"4913", 1.002)
    assert names(one, 9.0) == set()
    saw(one, "closed", b"f", 10.0)
    assert names(one, 10.0) == {b"f", b"4913"}


def test_vanished_name_waits_for_its_return() -> None:
    """A known file that goes and comes back within 50 ms, as git checkout does, is one batch; else it is gone."""
    one = settling(b"f", b"g")
    saw(one, "gone", b"f", 1.0)
    saw(one, "created", b"f", 1.001)
    saw(one, "closed", b"f", 1.002)
    assert names(one, 1.002) == {b"f"}
    assert one.next_look() is None
    saw(one, "gone", b"g", 2.0)
    assert names(one, 2.0) == set()
    assert names(one, 2.0 + WAIT) == {b"g"}
    saw(one, "closed", b"g", 3.0)
    assert names(one, 3.0) == set(), "a deleted name is new again"


def test_rename_is_one_batch() -> None:
    """Both names of a renamed file settle together."""
    one = settling(b"f")
    saw(one, "gone", b"f", 1.0)
    saw(one, "moved_in", b"g", 1.0, b"f")
    assert names(one, 1.04) == set()
    assert names(one, 1.0 + WAIT) == {b"f", b"g"}


def test_backup_waits_for_its_file() -> None:
    """vim: f is renamed to f~, f is written anew (however slow the disk is), f~ is deleted: f~ is never told alone."""
    one = settling(b"f")
    saw(one, "gone", b"f", 1.0)
    saw(one, "moved_in", b"f~", 1.0, b"f")
    saw(one, "created", b"f", 1.001)
    now = 1.001
    while now < 1.3:
        assert b"f~" not in names(one, now)
        now += 0.01
    saw(one, "closed", b"f", 1.3)
    assert names(one, 1.3) == {b"f"}
    saw(one, "gone", b"f~", 1.31)
    assert names(one, 2.0) == set()


def test_copied_backup_waits_longer() -> None:
    """f is copied to f~, f is slowly written in place, f~ is deleted: f~ is never told alone; one that stays is told."""
    one = settling(b"f")
    saw(one, "created", b"f~", 1.0)
    saw(one, "closed", b"f~", 1.001)
    assert names(one, 1.3) == set()
    saw(one, "closed", b"f", 1.3)
    assert names(one, 1.3) == {b"f"}
    saw(one, "gone", b"f~", 1.31)
    assert names(one, 2.0) == set()
    saw(one, "created", b"f~", 3.0)
    saw(one, "closed", b"f~", 3.001)
    assert names(one, 3.0 + COPY_WAIT) == {b"f~"}
    saw(one, "created", b"g~", 4.0)
    assert names(one, 4.0 + WAIT) == {b"g~"}, "a backup of nothing is a name like any other"


def test_backup_of_the_next_save_is_not_told_either() -> None:
    """f~ came and went with one save, and is there again when the next one closes f: that batch must not name it."""
    one = settling(b"f")
    for now in (1.0, 2.0, 3.0):
        saw(one, "created", b"f~", now)
        saw(one, "closed", b"f~", now)
        saw(one, "closed", b"f", now + 0.1)
        assert names(one, now + 0.1) == {b"f"}
        saw(one, "gone", b"f~", now + 0.11)
    saw(one, "closed", b"f", 4.0)
    assert names(one, 4.0) == {b"f", b"f~"}


def test_a_command_in_the_middle_of_a_save_sees_none_of_it() -> None:
    """f is at f~ and not written anew yet: no flush tells of either; soon each is told by what became of it."""
    one = settling(b"f", b"g")
    saw(one, "gone", b"f", 1.0)
    saw(one, "moved_in", b"f~", 1.0, b"f")
    assert one.flush(1.001) is None
    saw(one, "created", b"f", 1.002)
    saw(one, "closed", b"g", 1.002)
    found = one.flush(1.003)
    assert found is not None and found.paths == (b"g",)
    saw(one, "closed", b"f", 1.2)
    assert names(one, 1.2) == {b"f"}
    assert names(one, 1.2 + WAIT) == {b"f~"}, "the backup was kept"
    saw(one, "gone", b"g", 2.0)
    saw(one, "moved_in", b"g~", 2.0, b"g")
    assert one.flush(2.001) is None
    assert names(one, 2.0 + WAIT) == {b"g", b"g~"}, "it was moved, and that is all"


def test_kept_backup_is_told_in_the_end() -> None:
    """A backup that stays is a file like any other; so is one whose original is never closed."""
    one = settling(b"f", b"h")
    saw(one, "gone", b"f", 1.0)
    saw(one, "moved_in", b"f~", 1.0, b"f")
    saw(one, "created", b"f", 1.001)
    saw(one, "closed", b"f", 1.2)
    assert names(one, 1.2) == {b"f"}
    assert names(one, 1.2 + WAIT) == {b"f~"}
    saw(one, "gone", b"h", 2.0)
    saw(one, "moved_in", b"h~", 2.0, b"h")
    saw(one, "created", b"h", 2.001)
    names(one, 2.06)
    assert names(one, 2.002 + LONGEST_HOLD) == {b"h~"}


def test_barrier_takes_all() -> None:
    """flush hands out what settles still, known or not, and the doorbell."""
    one = settling(b"a")
    saw(one, "closed", b"new", 1.0)
    saw(one, "gone", b"a", 1.0)
    saw(one, "created", b"t", 1.0)
    saw(one, "gone", b"t", 1.0)
    one.saw(Notice("rang"), 1.0)
    found = one.flush(1.001)
    assert found is not None
    assert (set(found.paths), found.git) == ({b"new", b"a", b"t"}, True)
    assert one.flush(1.002) is None
    assert one.next_look() is None


def test_doorbell_rings_once() -> None:
    """Many doorbells within 50 ms are one batch that says so."""
    one = settling()
    for n in range(10):
        one.saw(Notice("rang"), 1.0 + n / 1000)
    found = one.take(1.0 + WAIT)
    assert found is not None
    assert (found.paths, found.git) == ((), True)
    assert one.take(9.0) is None


def test_a_hook_does_not_wait() -> None:
    """A hook says that git has done its work: the batch goes at once, and the doorbells before it are in it."""
    one = settling()
    one.saw(Notice("rang"), 1.0)
    assert one.take(1.001) is None
    one.saw(Notice("hook"), 1.002)
    found = one.take(1.002)
    assert found is not None and found.git
    assert one.take(9.0) is None


whats = st.sampled_from(["closed", "created", "gone", "attrib", "moved_in"])
paths = st.sampled_from([b"a", b"b", b"a~"])


@given(st.lists(st.tuples(whats, paths, paths, st.sampled_from([0.0, 0.01, 0.06]))), st.sets(paths))
def test_no_name_is_lost(seen: list[tuple[str, bytes, bytes, float]], known: set[bytes]) -> None:
    """Every name is told after its last notice by the next flush, a save in the making soon after; no alarm is late."""
    one, now, told = settling(*known), 1.0, set(paths_of(seen))
    last: dict[bytes, int] = {}
    for index, (what, path, other, step) in enumerate(seen):
        now += step
        alarm = one.next_look()
        if alarm is not None and alarm <= now:
            for name in names(one, now):
                last[name] = -1
        saw(one, what, path, now, other if what == "moved_in" else b"")
        last[path] = index
    found = paths_in(one.flush(now)) | paths_in(one.flush(now + 2 * LONGEST_HOLD))
    waiting = {name for name, index in last.items() if index >= 0}
    assert waiting <= found <= told
    assert one.next_look() is None


def paths_in(settled: Settled | None) -> set[bytes]:
    return set(settled.paths) if settled else set()


def paths_of(seen: list[tuple[str, bytes, bytes, float]]) -> list[bytes]:
    return [path for _, path, _, _ in seen]
