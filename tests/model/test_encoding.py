"""What is stored of a file is read back as it was, and nothing else is accepted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsessiond.model.encoding import blob_oid, decode_file, encode_file
from gitsessiond.model.errors import StateUnreadable
from gitsessiond.model.files import Fact, File, live_version
from gitsessiond.model.values import REGULAR, Entry
from gitsessiond.model.weave import EVERY_COMMIT, Run, live, weave_from
from tests.model.many_files import Blobs, Desk, tools_with
from tests.model.test_ownership import TEN, line

KEYS = ("id", "base_path", "base", "path", "mode", "content", "weave", "whole")


def same(one: File, other: File) -> bool:
    return all(getattr(one, key) == getattr(other, key) for key in KEYS)


def test_every_file_of_a_session_comes_back() -> None:
    """Text, binary, renamed, deleted, new and committed files are read as they were stored."""
    desk = Desk({"a": TEN, "b": b"\0one", "c": TEN, "d": b"no newline"})
    desk.save({"a": line(2, b"two\n"), "n": b"", "b": b"\0two", "c": None}, current="p")
    desk.commit()
    desk.save({"a": line(8, b""), "e": b"no newline\nnow", "n": b"\0"}, claim="q", renames={"e": "d"})
    assert len(desk.owners.files) == 5
    for file in desk.owners.files.values():
        found = decode_file(*encode_file(file), desk.blobs.__getitem__)
        assert same(found, file)
        assert live_version(found, desk.tools) == live_version(file, desk.tools)


owners = st.sampled_from(["base", "kkkkkkkkkkkk", "llllllllllll", "~none", "~over kkkkkkkkkkkk llllllllllll"])
masks = st.sampled_from([0, 1, 5, 1 << 80])
lines = st.lists(st.sampled_from([b"one\n", b"\n", b"two\r\n", b"\0\xff\n", b"bare"]), min_size=1, max_size=4).map(
    tuple
)


@given(st.lists(st.tuples(owners, st.none() | owners, masks, masks, lines), max_size=8), st.booleans())
def test_any_weave_comes_back(rows: list[tuple[str, str | None, int, int, tuple[bytes, ...]]], deleted: bool) -> None:
    """Whatever the marks, masks and bytes of the lines are, the weave is read back exactly."""
    runs = []
    for ins, gone, ins_in, gone_in, text in rows:
        whole = tuple(one if one.endswith(b"\n") or i == len(text) - 1 else one + b"\n" for i, one in enumerate(text))
        runs.append(Run(ins, gone, EVERY_COMMIT if ins == "base" else ins_in, gone_in if gone else 0, whole))
    weave = weave_from(runs)
    path = (Fact("kkkkkkkkkkkk", None, 3),) if deleted else ()
    blobs = Blobs()
    base = Entry(REGULAR, blobs.put(b"base"))
    file = File("zzzzzzzzzzzz", b"d\xffir/a", base, path=path, weave=weave)
    blobs.put(live(weave))
    assert same(decode_file(*encode_file(file), blobs.__getitem__), file)


def test_a_record_that_is_not_one_is_refused() -> None:
    """A newer format, an unknown field, a missing line or a mask that is none are never read as something else."""
    desk = Desk({"a": TEN})
    desk.save({"a": line(2, b"two\n")}, current="p")
    data, dead = encode_file(next(iter(desk.owners.files.values())))
    stored = json.loads(data)
    read = desk.blobs.__getitem__

    def refused(change: dict[str, object], dead: bytes = dead) -> None:
        with pytest.raises(StateUnreadable):
            decode_file(json.dumps(stored | change).encode(), dead, read)

    refused({"format": 2})
    refused({"more": 1})
    refused({"runs": [[0, None, "*", "", 0]]})
    refused({"runs": [[9, None, "*", "", 1]]})
    refused({"runs": [[0, None, "0x", "", 10]]})
    refused({"owners": []})
    refused({"base": {**stored["base"], "path": '"open'}})
    refused({}, b"")
    refused({}, dead + b"more\n")
    with pytest.raises(StateUnreadable):
        decode_file(data[:-5], dead, read)


def test_blob_ids_are_gits() -> None:
    """A blob's id is the one git gives it."""
    assert blob_oid(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert tools_with(Blobs()).write(b"one\n") == "5626abf0f72e58d7a153368ba57db4c673c0e171"
