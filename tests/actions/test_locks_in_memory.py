"""Daemons whose disk refuses now and then, and that are killed, at random: nobody has what another was told to have."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gitsessiond.actions import locking
from gitsessiond.actions.locking import Failed, Locking
from gitsessiond.model.errors import StoreFailed
from gitsessiond.model.locks import Acquired, Released
from gitsessiond.model.resources import resource
from gitsessiond.store import lockjournal
from gitsessiond.store.lockjournal import LockJournal
from tests.model.locked import asked

CLIENTS, NAMES = ["ann", "bob", "cat"], ["path/a", "path/b", "path/"]


class Journal(LockJournal):
    """On a disk that refuses while it is ``full``."""

    full = False

    def _write(self) -> None:
        if self.full:
            raise StoreFailed("no room")
        super()._write()

    def _fence(self, bound: int) -> None:
        if self.full:
            raise StoreFailed("no room")
        super()._fence(bound)


class Daemons(RuleBasedStateMachine):
    """One after the other in one repository. ``believed``: what clients were told to have, by token."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.now, self.highest, self.pending = 0.0, 0, False
        self.believed: dict[int, tuple[str, str, str]] = {}
        self.begin()

    def begin(self) -> None:
        self.journal = Journal(self.directory.name)
        self.locking = Locking(self.journal)
        self.locking.take_up(self.now, fresh=True)

    def turn(self) -> None:
        """What was done is written, or is not, and told; grants that were taken back let in others."""
        self.pending, fresh = False, []
        for one in [one for _ in range(4) for one in self.locking.commit(self.now)]:
            assert not isinstance(one, Failed) or self.journal.full
            if isinstance(one, Released):
                self.believed.pop(one.hold.token, None)
            elif isinstance(one, Acquired):
                for hold in one.replaced:
                    self.believed.pop(hold.token, None)
                fresh += one.fresh
                self.believed |= {hold.token: (hold.client, hold.resource.name, hold.mode) for hold in one.fresh}
        for hold in fresh:
            assert hold.token > self.highest
        self.highest = max([self.highest, *(hold.token for hold in fresh)])

    @rule(
        client=st.sampled_from(CLIENTS),
        name=st.sampled_from(NAMES),
        mode=st.sampled_from("SX"),
        wait=st.booleans(),
        ends=st.booleans(),
    )
    def acquire(self, client: str, name: str, mode: str, wait: bool, ends: bool) -> None:
        until = self.now + 5.0 if wait else None
        self.locking.acquire(asked(client, f"{mode} {name}", until=until, ttl=1e6), self.now)
        self.pending = True
        if ends:
            self.turn()

    @rule(client=st.sampled_from(CLIENTS), name=st.sampled_from([*NAMES, None]), ends=st.booleans())
    def release(self, client: str, name: str | None, ends: bool) -> None:
        self.locking.release(client, None if name is None else [resource(name)], self.now)
        self.pending = True
        if ends:
            self.turn()

    @rule(client=st.sampled_from(CLIENTS))
    def dies(self, client: str) -> None:
        self.locking.gone(client, self.now)
        self.turn()

    @rule(full=st.booleans())
    def disk(self, full: bool) -> None:
        self.turn()
        self.journal.full = full

    @rule(seconds=st.sampled_from([0.1, 2.0]))
    def later(self, seconds: float) -> None:
        self.now += seconds
        self.locking.look(self.now)
        self.turn()

    @rule(orderly=st.booleans())
    def end(self, orderly: bool) -> None:
        """Killed, or asked to leave; what was in memory only is lost, and its holders may still believe in it."""
        self.turn()
        written = self.locking.trouble is None
        if orderly:
            self.locking.close()
        self.begin()
        if written:
            assert set(self.held()) == set(self.believed)
        self.believed = self.held()

    def held(self) -> dict[int, tuple[str, str, str]]:
        return {one.token: (one.client, one.resource.name, one.mode) for one in self.locking.table.holds}

    @invariant()
    def after_a_turn_all_is_as_it_was_told(self) -> None:
        if self.pending:
            return
        assert self.held() == self.believed
        for client, name, mode in self.believed.values():
            for other, theirs, how in self.believed.values():
                meet = name == theirs or "path/" in (name, theirs)
                assert client == other or not meet or (mode == how == "S")
        if self.locking.trouble is None:
            assert self.journal.faults(self.locking.table.holds.by_token) == []

    def teardown(self) -> None:
        self.locking.close()
        self.directory.cleanup()


@pytest.fixture(autouse=True)
def few_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that they come to an end; a try takes no time."""
    monkeypatch.setattr(lockjournal, "BLOCK", 8)
    monkeypatch.setattr(lockjournal, "write_durably", lambda path, data: Path(path).write_bytes(data))
    monkeypatch.setattr(locking, "AGAIN_TIMES", 0)


@pytest.mark.parametrize("examples", [20, pytest.param(400, marks=pytest.mark.soak)])
def test_daemons_with_a_bad_disk(examples: int) -> None:
    run_state_machine_as_test(Daemons, settings=settings(max_examples=examples, stateful_step_count=25, deadline=None))


def test_nobody_is_refused_for_a_disk_that_has_room_again() -> None:
    """Where no tokens are set apart there is nothing to go on with: each request tries the disk."""
    daemons = Daemons()
    daemons.disk(full=True)
    daemons.acquire(client="ann", name="path/a", mode="S", wait=False, ends=True)
    assert not daemons.believed
    daemons.disk(full=False)
    daemons.acquire(client="ann", name="path/a", mode="S", wait=False, ends=True)
    assert daemons.believed
    daemons.teardown()
