"""The journal: whole records, durably, and an in-memory view that is always right."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gitsessiond.model.errors import StateUnreadable, StoreFailed
from gitsessiond.store.journal import Journal, read_records
from gitsessiond.store.objects import oid_of, pack_entry, read_entry
from gitsessiond.store.refs import RefMove


def entry(content: bytes) -> tuple[str, bytes]:
    return oid_of("blob", content), pack_entry("blob", content)


def journal_at(tmp_path: Path) -> Journal:
    return Journal(str(tmp_path / "journal.db"))


def test_a_record_is_there_after_opening_again(tmp_path: Path) -> None:
    """Objects and moves come back; small ones from memory, large ones from their row."""
    large = os.urandom(100_000)
    objects = dict([entry(b"small"), entry(large)])
    journal = journal_at(tmp_path)
    assert journal.append(objects, [RefMove("refs/x", None, "1" * 40)]) == 1
    assert journal.append({}, [RefMove("refs/x", "1" * 40, "2" * 40), RefMove("refs/y", None, "3" * 40)]) == 2
    journal.close()
    journal = journal_at(tmp_path)
    for content in (b"small", large):
        oid = oid_of("blob", content)
        found = journal.entry(oid)
        assert oid in journal and found is not None and read_entry(found, oid).data == content
    assert journal.entry("4" * 40) is None
    assert journal.moved == {"refs/x": "2" * 40, "refs/y": "3" * 40}
    assert journal.moves_up_to(1) == {"refs/x": "1" * 40}
    assert (journal.last_record, journal.waiting()) == (2, 2)
    assert journal.check() is None
    journal.close()


def test_forgetting_keeps_what_came_later(tmp_path: Path) -> None:
    """After a checkpoint up to record 1, record 2 is still there and the view shows it alone."""
    journal = journal_at(tmp_path)
    one, two = entry(b"one"), entry(b"two")
    journal.append(dict([one]), [RefMove("refs/x", None, one[0])])
    journal.append(dict([two]), [RefMove("refs/x", one[0], two[0])])
    journal.forget(1, {"pack-1": 0})
    assert one[0] not in journal and two[0] in journal
    assert journal.moved == {"refs/x": two[0]}
    assert journal.packs() == {"pack-1": 0}
    assert list(read_records(journal.path, 9)) == [two]
    assert journal.waiting() == 1
    journal.replace_packs(["pack-1"], {"pack-2": 1})
    assert journal.packs() == {"pack-2": 1}
    journal.close()


def test_a_child_can_read_while_the_writer_writes(tmp_path: Path) -> None:
    """Reading records neither blocks nor sees what is being written."""
    journal = journal_at(tmp_path)
    journal.append(dict([entry(b"one")]), [])
    reading = read_records(journal.path, 9)
    assert next(reading) == entry(b"one")
    journal.append(dict([entry(b"two")]), [])
    journal.forget(1, {})
    assert list(reading) == []
    journal.close()


def test_a_failed_write_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    """A full disk in the middle of a record: StoreFailed, and neither objects nor moves of it are there."""
    journal = journal_at(tmp_path)
    journal.append(dict([entry(b"one")]), [RefMove("refs/x", None, "1" * 40)])
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreFailed, match="full") as caught:
        journal.append(dict([entry(os.urandom(100_000))]), [RefMove("refs/x", "1" * 40, "2" * 40)])
    assert caught.value.exit_code == 15
    assert (len(journal), journal.moved, journal.last_record) == (1, {"refs/x": "1" * 40}, 1)
    journal._db.execute("PRAGMA max_page_count=1000000")
    assert journal.append(dict([entry(os.urandom(100_000))]), []) == 2
    journal.close()


@pytest.mark.parametrize("damage", ["garbage", "newer"])
def test_a_journal_that_is_not_ours_is_refused(tmp_path: Path, damage: str) -> None:
    """Damage and newer formats end in exit 14 and change nothing."""
    path = tmp_path / "journal.db"
    if damage == "garbage":
        path.write_bytes(os.urandom(9000))
    else:
        db = sqlite3.connect(path)
        db.execute("PRAGMA user_version=2")
        db.close()
    before = path.read_bytes()
    with pytest.raises(StateUnreadable) as caught:
        journal_at(tmp_path)
    assert caught.value.exit_code == 14
    assert path.read_bytes() == before


def test_a_damaged_page_is_found(tmp_path: Path) -> None:
    """A journal with a garbled page in its middle is unreadable, not shorter."""
    journal = journal_at(tmp_path)
    for number in range(40):
        journal.append(dict([entry(os.urandom(3000) + b"%d" % number)]), [])
    journal.close()
    path = tmp_path / "journal.db"
    data = bytearray(path.read_bytes())
    data[4096 * 4 : 4096 * 12] = os.urandom(4096 * 8)
    path.write_bytes(data)
    with pytest.raises(StateUnreadable):
        journal = journal_at(tmp_path)
        assert journal.check() is None
        for oid, found in read_records(journal.path, 99):
            read_entry(found, oid)
        raise AssertionError("nothing noticed the damage")


def test_the_space_of_a_burst_is_given_back(tmp_path: Path) -> None:
    """An emptied journal does not stay at the size of its largest burst."""
    journal = journal_at(tmp_path)
    for number in range(40):
        journal.append(dict([entry(os.urandom(2_000_000) + b"%d" % number)]), [])
    journal.forget(journal.last_record, {})
    journal.append(dict([entry(b"small")]), [])
    journal.close()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 1_000_000


def test_one_record_costs_one_sync(tmp_path: Path) -> None:
    """The commit of a record is exactly one fdatasync, as strace counts it where there is one."""
    script = (
        "import sys; from gitsessiond.store.journal import Journal\n"
        "journal = Journal(sys.argv[1]); journal.append({'1' * 40: b'x'}, [])\n"
        "print('begin', flush=True)\n"
        "for number in range(10): journal.append({f'{number:040x}': b'x' * 500}, [])\n"
        "print('end', flush=True)\n"
    )
    words = [sys.executable, "-c", script, str(tmp_path / "journal.db")]
    try:
        done = subprocess.run(
            ["strace", "-f", "-e", "trace=fsync,fdatasync,write", *words], capture_output=True, text=True
        )
    except FileNotFoundError:
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0
        return
    between = done.stderr.split('"begin')[1].split('"end')[0]
    assert between.count("sync(") == 10
