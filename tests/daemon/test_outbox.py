"""What waits for the recorder: order, one thing at a time, joined only when there is much of it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gitsessiond.daemon.outbox import MOST_APART, MOST_NAMES, READ_WAITS_S, Ask, Batch, Outbox


def ask(number: int, *, reads: bool = False, since: float = 0.0) -> Ask:
    return Ask(number, {"verb": "v", "args": {}}, reads, since)


def drain(outbox: Outbox, now: float = 0.0) -> list[dict[str, Any]]:
    found = []
    while (message := outbox.next(now)) is not None:
        found.append(message)
        outbox.done()
    return found


def test_one_thing_at_a_time() -> None:
    """Nothing is handed on while the recorder is at work."""
    outbox = Outbox()
    outbox.put_batch(Batch("/w", ("a",)))
    outbox.put_ask(ask(1))
    assert outbox.next(0) == {"batch": {"n": 1, "worktree": "/w", "paths": ["a"], "scan": False, "git": False}}
    assert outbox.next(0) is None
    assert outbox.done() == Batch("/w", ("a",))
    assert outbox.next(7) == {"verb": "v", "args": {}, "id": 1, "left": 0, "editors": []}
    assert not outbox.idle and outbox.busy_s(9.5) == 2.5
    outbox.done()
    assert outbox.idle and outbox.busy_s(9.5) == 0


def test_saves_apart_stay_apart_until_there_are_many() -> None:
    """A few batches of one worktree wait side by side; more are joined into the newest, none is lost."""
    outbox = Outbox()
    for n in range(20):
        outbox.put_batch(Batch("/w", (f"f{n}",)))
        outbox.put_batch(Batch("/other", ("x",)))
    sent = [message["batch"] for message in drain(outbox)]
    mine = [batch["paths"] for batch in sent if batch["worktree"] == "/w"]
    assert len(mine) == MOST_APART
    assert mine[0] == ["f0"]
    assert sorted(path for paths in mine for path in paths) == sorted(f"f{n}" for n in range(20))


def test_nothing_slips_before_a_request() -> None:
    """Batches that come after a request are not joined with those before it."""
    outbox = Outbox()
    outbox.put_batch(Batch("/w", scan=True))
    outbox.put_ask(ask(1))
    outbox.put_batch(Batch("/w", ("late",)))
    assert [next(iter(message)) for message in drain(outbox)] == ["batch", "verb", "batch"]


def test_scan_swallows_names() -> None:
    """Names of a worktree that is to be looked at whole are not told one by one, its doorbell is."""
    outbox = Outbox()
    outbox.put_batch(Batch("/w", ("a",), git=True))
    outbox.put_batch(Batch("/w", scan=True))
    outbox.put_batch(Batch("/w", ("b",)))
    assert [message["batch"] for message in drain(outbox)] == [
        {"n": 1, "worktree": "/w", "paths": [], "scan": True, "git": True}
    ]


def test_long_batches_are_cut() -> None:
    """No message holds more than so many names; together they hold all, in order."""
    outbox = Outbox()
    names = tuple(f"f{n}" for n in range(MOST_NAMES * 2 + 5))
    outbox.put_batch(Batch("/w", names, git=True))
    sent = [message["batch"] for message in drain(outbox)]
    assert [len(batch["paths"]) for batch in sent] == [MOST_NAMES, MOST_NAMES, 5]
    assert tuple(path for batch in sent for path in batch["paths"]) == names
    assert [batch["git"] for batch in sent] == [True, False, False]


def test_patience_of_readers() -> None:
    """A request that only reads passes batches after a while, and is told how many names it passed."""
    outbox = Outbox()
    outbox.put_batch(Batch("/w", ("a", "b")))
    outbox.put_batch(Batch("/w2", scan=True))
    outbox.put_ask(ask(1))
    outbox.put_ask(ask(2, reads=True))
    found = outbox.next(READ_WAITS_S)
    assert found is not None
    assert (found["id"], found["left"]) == (2, 3)
    outbox.done()
    assert [message.get("id") for message in drain(outbox, 99)] == [None, None, 1]


def test_withdrawn_and_put_back() -> None:
    """A withdrawn request is not handed on; what is put back goes first."""
    outbox = Outbox()
    outbox.put_ask(ask(1))
    outbox.put_ask(ask(2))
    outbox.withdraw(1)
    outbox.put_back(Batch("/w", scan=True))
    assert [message.get("id") for message in drain(outbox)] == [None, 2]
    outbox.put_ask(ask(3))
    outbox.put_batch(Batch("/w", ("a",)))
    assert [one.number for one in outbox.clear()] == [3]
    assert outbox.idle


items = st.one_of(
    st.builds(
        Batch,
        st.sampled_from(["/w", "/v"]),
        st.lists(st.sampled_from("abcdef"), max_size=3).map(tuple),
        st.booleans(),
        st.booleans(),
    ),
    st.integers(1, 9),
)


@given(st.lists(st.tuples(items, st.booleans()), max_size=30))
def test_every_name_is_told_before_the_requests_behind_it(puts: list[tuple[Batch | int, bool]]) -> None:
    """In any order of putting and sending, a request comes after every name, scan and doorbell put before it."""
    outbox = Outbox()
    last_put: dict[tuple[str, str], int] = {}  # worktree and name -> when it was put last
    last_told: dict[tuple[str, str], int] = {}
    promised: dict[int, dict[tuple[str, str], int]] = {}

    def send(now: int) -> None:
        message = outbox.next(0.0)
        if message is None:
            return
        outbox.done()
        if "batch" not in message:
            assert all(last_told.get(one, -1) >= put for one, put in promised[message["id"]].items())
            return
        batch = message["batch"]
        names = batch["paths"] + ["scan"] * batch["scan"] + ["git"] * batch["git"]
        if batch["scan"]:
            names += [name for worktree, name in last_put if worktree == batch["worktree"] and name != "git"]
        last_told.update({(batch["worktree"], name): now for name in names})

    for now, (item, sends) in enumerate(puts):
        if isinstance(item, Batch):
            names = [*item.paths, *["scan"] * item.scan, *["git"] * item.git]
            last_put.update({(item.worktree, name): now for name in names})
            outbox.put_batch(item)
        else:
            promised[now] = dict(last_put)
            outbox.put_ask(ask(now))
        if sends:
            send(now)
    while not outbox.idle:
        send(len(puts))
