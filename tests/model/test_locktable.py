"""The table of locks: who gets what and when; as tables, and at random beside a model that asks everybody each time."""

from __future__ import annotations

import itertools
import os
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gitsessiond.model.errors import NotFound
from gitsessiond.model.lockmodes import KEPT_OUT, STRENGTH
from gitsessiond.model.locks import Acquired, Denied, Effect, Holder
from gitsessiond.model.locktable import LockTable
from gitsessiond.model.resources import resource
from tests.model.locked import Ground, asked


@pytest.fixture
def ground() -> Ground:
    return Ground()


# -- modes and places -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "wanted", "denied"),
    [
        ("S path/a", "S path/a", False),
        ("S path/a", "U path/a", False),
        ("S path/a", "X path/a", True),
        ("U path/a", "S path/a", False),
        ("U path/a", "U path/a", True),
        ("U path/a", "X path/a", True),
        ("X path/a", "S path/a", True),
        ("X path/a", "U path/a", True),
        ("X path/a", "intent path/a", False),
        ("intent path/a", "X path/a", False),
        ("X path/a/b", "S path/a/", True),
        ("S path/a/b", "S path/", False),
        ("U path/a/b", "S path/a/", False),
        ("U path/a/b", "U path/a/", True),
        ("X path/a/", "X path/a/b/c", True),
        ("X path/a/b", "X path/a/c", False),
        ("X path/*.py", "X path/a.py", True),
        ("X path/*.py", "X path/*.txt", False),
        ("X path/*.py", "X path/a*", True),
        ("X path/*.py", "S path/", True),
        ("X path/a.py", "X path/*.py", True),
        ("X /", "X db/x", True),
        ("X db/x", "X /", True),
        ("X git/config", "X git/index@wt", False),
        ("X git", "X git/index@wt", True),
        ("X path", "X ref/refs/heads/main", False),
    ],
)
def test_who_is_in_whose_way(ground: Ground, held: str, wanted: str, denied: bool) -> None:
    ground.ask("ann", held)
    assert ground.ask("bob", wanted) == ("bob held" if denied else f"bob has {wanted.rsplit(maxsplit=1)[-1]}")


def test_a_client_is_never_in_its_own_way(ground: Ground) -> None:
    assert ground.ask("ann", "X path/a/") == "ann has path/a/"
    assert ground.ask("ann", "X path/a/b", "S /") == "ann has path/a/b /"


def test_asked_again_it_is_the_same_lock(ground: Ground) -> None:
    ground.ask("ann", "path/a", ttl=10)
    token = ground.token("ann", "path/a")
    ground.later(9)
    assert ground.ask("ann", "S path/a", ttl=10) == "ann has path/a"
    assert ground.token("ann", "path/a") == token
    assert ground.table.holds.of("ann")[0].mode == "X"
    assert ground.later(9) == ""
    assert ground.later(2) == "ann expired path/a"
    assert ground.ask("ann", "path/a") == "ann has path/a"
    assert ground.token("ann", "path/a") > token


def test_all_or_none(ground: Ground) -> None:
    ground.ask("ann", "path/b")
    assert ground.ask("bob", "path/a", "path/b", "path/c") == "bob held"
    assert ground.table.holds.of("bob") == []
    assert ground.ask("cat", "path/a", "path/c") == "cat has path/a path/c"


# -- the queue ------------------------------------------------------------------------------------------------


def test_first_come_first_served(ground: Ground) -> None:
    ground.ask("ann", "path/a")
    assert ground.ask("bob", "path/a", wait=30) == "bob waits 1"
    assert ground.ask("cat", "S path/a", wait=30) == "cat waits 2"
    assert ground.ask("dan", "S path/a", wait=30) == "dan waits 2"
    assert ground.ask("eve", "S path/b", wait=30) == "eve has path/b"
    assert ground.release("ann") == "ann released path/a, bob has path/a"
    assert ground.release("bob") == "bob released path/a, cat has path/a, dan has path/a"


def test_nobody_passes_one_who_waits_for_the_same(ground: Ground) -> None:
    """Readers could go on for ever past a writer."""
    ground.ask("ann", "S path/a")
    ground.ask("bob", "X path/", wait=30)
    assert ground.ask("cat", "S path/a") == "cat held"
    assert ground.ask("cat", "S path/a", wait=30) == "cat waits 2"
    assert ground.ask("dan", "S db/x") == "dan has db/x"
    assert ground.release("ann") == "ann released path/a, bob has path/"


def test_who_gives_up_lets_those_behind_in(ground: Ground) -> None:
    ground.ask("ann", "S path/a")
    ground.ask("bob", "X path/a", wait=5)
    ground.ask("cat", "S path/a", wait=30)
    assert ground.later(5) == "bob timeout, cat has path/a"


def test_a_wait_can_be_ended(ground: Ground) -> None:
    ground.line_up()
    ticket = next(ticket for ticket, client in ground.tickets.items() if client == "bob")
    assert ground.told(ground.table.cancel(ticket, 0)) == "bob cancelled"
    assert ground.told(ground.table.cancel(ticket, 0)) == ""
    assert ground.release("ann") == "ann released path/a, cat has path/a"


def test_a_lock_that_is_over_goes_to_who_waited_to_the_last_moment(ground: Ground) -> None:
    ground.ask("ann", "path/a", ttl=5)
    ground.ask("bob", "path/a", wait=5)
    assert ground.later(5) == "ann expired path/a, bob has path/a"


def test_the_dead_get_nothing(ground: Ground) -> None:
    ground.line_up()
    assert ground.told(ground.table.gone("bob", 0)) == "bob gone"
    assert ground.told(ground.table.gone("ann", 0)) == "ann gone path/a, cat has path/a"


# -- more of it -----------------------------------------------------------------------------------------------


def test_who_wants_more_of_a_lock_goes_first(ground: Ground) -> None:
    ground.ask("ann", "U path/a")
    ground.ask("bob", "S path/a")
    ground.ask("cat", "X path/a", wait=30)
    before = ground.token("ann", "path/a")
    assert ground.ask("ann", "X path/a", wait=30) == "ann waits 1"
    assert ground.ask("dan", "S path/a") == "dan held"
    assert ground.release("bob") == "bob released path/a, ann has path/a"
    assert ground.token("ann", "path/a") > before
    assert len(ground.table.holds.of("ann")) == 1


def test_of_two_readers_who_both_want_to_write_the_second_is_told_at_once(ground: Ground) -> None:
    ground.ask("ann", "S path/a")
    ground.ask("bob", "S path/a")
    assert ground.ask("ann", "X path/a", wait=30) == "ann waits 1"
    assert ground.ask("bob", "X path/a", wait=30) == "bob upgrade_conflict"
    assert ground.release("bob") == "bob released path/a, ann has path/a"


# -- deadlock -------------------------------------------------------------------------------------------------


def test_a_circle_of_holders(ground: Ground) -> None:
    ground.ask("ann", "path/a")
    ground.ask("bob", "path/b")
    ground.ask("ann", "path/b", wait=30)
    assert ground.ask("bob", "path/a", wait=30) == "bob deadlock"
    assert ground.release("bob") == "bob released path/b, ann has path/b"


def test_a_circle_that_goes_through_the_queue(ground: Ground) -> None:
    """No holder waits for a holder here: cat is only behind bob."""
    ground.ask("ann", "S path/a")
    ground.ask("cat", "X path/b")
    assert ground.ask("bob", "X path/a", wait=30) == "bob waits 1"
    assert ground.ask("cat", "S path/a", wait=30) == "cat waits 2"
    assert ground.ask("ann", "X path/b", wait=30) == "ann deadlock"


def test_a_person_is_not_refused_for_an_agent(ground: Ground) -> None:
    ground.ask("bot", "path/a", agent=True)
    ground.ask("ann", "path/b")
    ground.ask("bot", "path/b", wait=30, agent=True)
    assert ground.ask("ann", "path/a", wait=30) == "bot deadlock, ann waits 1"
    _, done = ground.table.acquire(asked("bot", "path/b", until=9.0, agent=True), 0)
    assert isinstance(done[-1], Denied)
    assert done[-1].why == "deadlock"


def test_a_circle_that_a_grant_closes(ground: Ground) -> None:
    """Ann asks for two things at once; with the first she has, what bob waits for is hers."""
    ground.ask("cat", "path/p")
    ground.ask("bob", "path/q")
    ground.ask("ann", "path/p", wait=30)
    ground.ask("ann", "path/q", wait=30)
    ground.ask("bob", "path/p", wait=30)
    assert ground.release("cat") == "cat released path/p, ann has path/p, ann deadlock"


def test_a_circle_of_one_who_goes_before_others(ground: Ground) -> None:
    """Bob's request was first and would not be kept out by what ann has, but by what she goes before him for."""
    ground.ask("cat", "db/e")
    ground.ask("ann", "S path/d/a")
    ground.ask("bob", "S path/d/a")
    assert ground.ask("bob", "S path/d/", "X db/e", wait=30) == "bob waits 1"
    assert ground.ask("ann", "X path/d/a", wait=30) == "ann deadlock"


def test_a_circle_by_what_was_given_back(ground: Ground) -> None:
    """Ann waits for more, and gives back a lock that she waits for too: now dan is before her, and waits for her."""
    ground.ask("ann", "path/p", "path/s")
    ground.ask("bob", "path/q")
    assert ground.ask("dan", "path/p", "path/s", wait=30) == "dan waits 1"
    assert ground.ask("ann", "path/p", "path/q", wait=30) == "ann waits 1"
    assert ground.release("ann", "path/p") == "ann released path/p, ann deadlock"
    assert ground.release("ann") == "ann released path/s, dan has path/p path/s"


def test_a_circle_of_queues_by_what_was_given_back(ground: Ground) -> None:
    """The same where ann has nothing else: hal waits behind her, has what dan wants, and dan is before her."""
    ground.ask("ann", "path/p")
    ground.ask("bob", "path/q")
    ground.ask("hal", "path/r")
    assert ground.ask("dan", "path/p", "path/r", wait=30) == "dan waits 1"
    assert ground.ask("ann", "path/p", "path/q", wait=30) == "ann waits 1"
    assert ground.ask("hal", "path/q", wait=30) == "hal waits 2"
    assert ground.release("ann") == "ann released path/p, ann deadlock"
    assert ground.release("bob") == "bob released path/q, hal has path/q"


def test_many_who_wait_are_not_looked_at_for_ever(ground: Ground) -> None:
    """A chain of two hundred, each of whom holds what the next one wants."""
    for n in range(200):
        ground.ask(f"c{n}", f"path/{n}")
    for n in range(199):
        assert ground.ask(f"c{n}", f"path/{n + 1}", wait=30) == f"c{n} waits 1"
    assert ground.ask("c199", "path/0", wait=30) == "c199 deadlock"


# -- breaking, checking, keeping ------------------------------------------------------------------------------


def test_break_and_steal(ground: Ground) -> None:
    ground.ask("ann", "path/a")
    ground.ask("bob", "path/a", wait=30)
    mine = asked("cat", "X path/a")._replace(reason="she is on leave")
    assert ground.take_from(mine, False) == "ann broken path/a, bob has path/a"
    ground.ask("dan", "path/a", wait=30)
    old = ground.token("bob", "path/a")
    assert ground.take_from(mine, True) == "bob stolen path/a, cat has path/a"
    assert ground.token("cat", "path/a") > old
    (lost,) = ground.table.lost("bob")
    assert (lost.why, lost.token, lost.by and lost.by.client, lost.reason) == ("stolen", old, "cat", "she is on leave")
    with pytest.raises(NotFound):
        ground.take_from(asked("cat", "X path/b"), False)
    assert ground.release("bob") == ""


def test_what_is_locked_as_a_whole_is_not_stolen_in_part(ground: Ground) -> None:
    ground.ask("ann", "S path/a")
    ground.ask("bob", "S path/")
    assert ground.take_from(asked("cat", "X path/a"), True) == "cat held"
    assert ground.token("ann", "path/a")


def test_a_stale_token_is_refused(ground: Ground) -> None:
    ground.ask("ann", "path/a/", ttl=5)
    old, names = ground.token("ann", "path/a/"), [resource("path/a/x")]
    assert ground.table.check("hook", names, old, ground.now).why is None
    assert ground.table.check("hook", [resource("path/b")], old, ground.now).why == "stale"
    assert ground.table.check("hook", names, None, ground.now).why == "held"
    ground.now = 6.0  # nobody has looked yet
    assert ground.table.check("hook", names, old, ground.now).why == "stale"
    ground.ask("bob", "path/a/x")
    verdict = ground.table.check("ann", names, old, ground.now)
    assert (verdict.why, verdict.lost and verdict.lost.why) == ("stale", "expired")
    assert [hold.client for hold in verdict.held] == ["bob"]
    ground.release("bob")
    assert ground.table.check("ann", names, old, ground.now).why == "stale"
    ground.ask("ann", "S path/a/")
    assert ground.table.check("ann", names, ground.token("ann", "path/a/"), ground.now).why == "stale"


def test_renewing_replaces_and_never_adds(ground: Ground) -> None:
    ground.ask("ann", "path/a", "path/b", ttl=10)
    for _ in range(5):
        ground.table.renew("ann", None, ground.now)
    ground.later(6)
    ground.table.renew("ann", [resource("path/a")], ground.now)
    assert ground.later(5) == "ann expired path/b"
    assert ground.later(5) == "ann expired path/a"
    assert ground.table.renew("ann", None, ground.now) == ([], [])


def test_where_nobody_could_renew_for_long_all_lasts_longer(ground: Ground) -> None:
    ground.ask("ann", "path/a", ttl=10)
    ground.ask("bob", "path/b", ttl=100)
    ground.now = 40.0
    assert [hold.client for hold in ground.table.put_off(40.0)] == ["ann"]
    assert ground.later(0) == ""
    assert ground.later(10) == "ann expired path/a"


def test_what_was_given_back_does_not_come_again_with_a_grant_taken_back(ground: Ground) -> None:
    """Ann had it for reading; both are hers no more, whether or not her last grant could be written down."""
    ground.ask("ann", "S path/a", "S path/b")
    _, done = ground.table.acquire(asked("ann", "X path/a", "X path/b"), 0)
    granted = [one for one in done if isinstance(one, Acquired)]
    ground.release("ann", "path/a")
    again, after = ground.table.undo(granted, 0)
    assert [(hold.resource.name, hold.mode) for hold in again] == [("path/b", "S")]
    assert [(hold.resource.name, hold.mode) for hold in ground.table.holds] == [("path/b", "S")]
    assert after == []


def test_grants_one_upon_the_other_are_taken_back_to_the_first(ground: Ground) -> None:
    """What was granted in between could be written down no more than what stands for it."""
    ground.ask("ann", "S path/a")
    done = [one for mode in "UX" for one in ground.table.acquire(asked("ann", f"{mode} path/a"), 0)[1]]
    again, _ = ground.table.undo([one for one in done if isinstance(one, Acquired)], 0)
    assert [hold.mode for hold in again] == ["S"]
    assert [hold.mode for hold in ground.table.holds] == ["S"]


def test_two_intents_on_one_path_are_told(ground: Ground) -> None:
    assert ground.ask("ann", "intent path/a") == "ann has path/a"
    _, done = ground.table.acquire(asked("bob", "intent path/a", "X path/b"), 0)
    (told,) = [one for one in done if isinstance(one, Acquired)]
    assert [(mine.client, other.client) for mine, other in told.overlaps] == [("bob", "ann")]
    assert ground.ask("ann", "X path/a") == "ann has path/a"
    assert ground.release("ann", "path/a") == "ann released path/a, ann released path/a"


# -- at random ------------------------------------------------------------------------------------------------

COVERED = {
    "/": "abcdef", "path/": "abcdf", "path/d/": "abcd", "path/d/a": "a", "path/d/b": "b", "path/d/[ab]": "ab",
    "path/*": "df", "path/**/b": "bf", "db/e": "e",
}  # fmt: skip
"""What each name covers, of six paths: path/d/a, path/d/b, path/d/c, path/d itself, db/e, path/b."""
CLIENTS = ["ann", "bob", "cat", "dan"]
WANTS = st.lists(
    st.tuples(st.sampled_from(sorted(COVERED)), st.sampled_from(["S", "U", "X"])),
    min_size=1,
    max_size=2,
    unique_by=lambda want: want[0],
)


def clash(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two locks of different clients cannot be at once."""
    return bool(set(COVERED[one[0]]) & set(COVERED[other[0]])) and one[1] in KEPT_OUT[other[1]]


class Naive:
    """The same rules, with no index and no cleverness: everybody is asked about everybody, after each step."""

    def __init__(self) -> None:
        self.holds: dict[tuple[str, str], dict[str, Any]] = {}
        self.waits: list[dict[str, Any]] = []
        self.granted: list[tuple[tuple[str, str], dict[str, Any], dict[str, Any] | None]] = []
        self.now = 0.0

    def needs(self, wait: dict[str, Any]) -> list[tuple[str, str]]:
        found = []
        for name, mode in wait["wants"]:
            mine = self.holds.get((wait["client"], name))
            if mine is None or STRENGTH[mine["mode"]] < STRENGTH[mode]:
                found.append((name, mode))
        return found

    def holders(self, wait: dict[str, Any]) -> set[str]:
        return {
            client
            for (client, name), hold in self.holds.items()
            if client != wait["client"] and any(clash((name, hold["mode"]), need) for need in self.needs(wait))
        }

    def before(self, wait: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            other
            for other in self.waits
            if other["client"] != wait["client"]
            and other["order"] < wait["order"]
            and any(clash(theirs, need) for theirs in other["wants"] for need in self.needs(wait))
        ]

    def grant(self, wait: dict[str, Any]) -> None:
        for name, mode in wait["wants"]:
            had = self.holds.get((wait["client"], name), {"mode": mode})
            best = max(had["mode"], mode, key=lambda one: STRENGTH[one])
            lasts = {"mode": best, "deadline": self.now + wait["ttl"], "ttl": wait["ttl"]}
            key = wait["client"], name
            if key in self.holds and best == had["mode"]:
                had.update(lasts)
            else:
                self.granted.append((key, lasts, self.holds.get(key)))
                self.holds[key] = lasts
        for other in [one for one in self.waits if one["client"] == wait["client"]]:
            self.untangle(other)

    def in_circle(self, wait: dict[str, Any]) -> bool:
        """Whether a request waits for itself, by the closure of all that wait for each other."""
        reached: list[dict[str, Any]] = []
        ahead = [wait]
        while ahead:
            one = ahead.pop()
            holders = self.holders(one)
            for after in [*(other for other in self.waits if other["client"] in holders), *self.before(one)]:
                if not any(after is other for other in reached):
                    reached.append(after)
                    ahead.append(after)
        return any(one is wait for one in reached)

    def untangle(self, wait: dict[str, Any]) -> None:
        if any(one is wait for one in self.waits) and self.in_circle(wait):
            self.waits = [one for one in self.waits if one is not wait]
            self.let_in()

    def let_in(self) -> None:
        for wait in sorted(self.waits, key=lambda one: one["order"]):
            if any(one is wait for one in self.waits) and not self.holders(wait) and not self.before(wait):
                self.waits = [one for one in self.waits if one is not wait]
                self.grant(wait)

    def acquire(self, ticket: int, client: str, wants: list[tuple[str, str]], ttl: float, until: float | None) -> None:
        wait: dict[str, Any] = {"client": client, "wants": wants, "ttl": ttl, "until": until, "ticket": ticket}
        needs = self.needs(wait)
        upgrades = bool(needs) and all((client, name) in self.holds for name, _ in needs)
        wait["order"] = (not upgrades, ticket)
        if not self.holders(wait) and not self.before(wait):
            self.grant(wait)
        elif until is not None:
            self.waits.append(wait)
            self.untangle(wait)

    def drop(self, keys: list[tuple[str, str]]) -> None:
        for key in keys:
            self.holds.pop(key, None)
        self.let_in()
        for wait in [one for one in self.waits if one["client"] in {client for client, _ in keys}]:
            self.untangle(wait)

    def fail(self) -> None:
        """What was granted since the last commit could not be written down."""
        granted, self.granted = self.granted, []
        taken = []
        for key, hold, before in reversed(granted):
            if self.holds.get(key) is hold:
                taken.append(key)
                del self.holds[key]
                if before is not None:
                    self.holds[key] = before
        self.let_in()
        for wait in [one for one in self.waits if one["client"] in {client for client, _ in taken}]:
            self.untangle(wait)

    def expire(self) -> None:
        self.drop([key for key, hold in self.holds.items() if hold["deadline"] <= self.now])
        for wait in list(self.waits):
            if wait["until"] <= self.now and any(one is wait for one in self.waits):
                self.waits = [one for one in self.waits if one is not wait]
                self.let_in()


class Locking(RuleBasedStateMachine):
    """The table and the naive model, step by step the same."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.naive = LockTable(), Naive()
        self.granted: list[Acquired] = []
        self.seen = 0

    def note(self, done: list[Effect]) -> None:
        """Every fresh lock has a token higher than all before it."""
        self.granted += [one for one in done if isinstance(one, Acquired) and one.fresh]
        for one in done:
            for hold in one.fresh if isinstance(one, Acquired) else ():
                assert hold.token > self.seen
                self.seen = hold.token

    @rule(
        client=st.sampled_from(CLIENTS),
        wants=WANTS,
        ttl=st.sampled_from([3.0, 50.0]),
        wait=st.sampled_from([None, 2.0, 40.0]),
    )
    def acquire(self, client: str, wants: list[tuple[str, str]], ttl: float, wait: float | None) -> None:
        until = None if wait is None else self.naive.now + wait
        request = asked(client, *(f"{mode} {name}" for name, mode in wants), until=until, ttl=ttl)
        ticket, done = self.table.acquire(request, self.naive.now)
        self.note(done)
        self.naive.acquire(ticket, client, wants, ttl, until)

    @rule(client=st.sampled_from(CLIENTS), names=st.lists(st.sampled_from(sorted(COVERED)), max_size=2, unique=True))
    def release(self, client: str, names: list[str]) -> None:
        self.note(self.table.release(client, [resource(name) for name in names] or None, self.naive.now))
        self.naive.drop([key for key in self.naive.holds if key[0] == client and (not names or key[1] in names)])

    @rule(client=st.sampled_from(CLIENTS))
    def renew(self, client: str) -> None:
        self.table.renew(client, None, self.naive.now)
        for (whose, _), hold in self.naive.holds.items():
            if whose == client:
                hold["deadline"] = self.naive.now + hold["ttl"]

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.0, 30.0]))
    def later(self, seconds: float) -> None:
        self.naive.now += seconds
        self.note(self.table.expire(self.naive.now))
        self.naive.expire()

    @precondition(lambda self: self.naive.waits)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        wait = data.draw(st.sampled_from(self.naive.waits))
        self.note(self.table.cancel(wait["ticket"], self.naive.now))
        self.naive.waits = [one for one in self.naive.waits if one is not wait]
        self.naive.let_in()

    @rule(client=st.sampled_from(CLIENTS))
    def dies(self, client: str) -> None:
        self.note(self.table.gone(client, self.naive.now))
        for wait in [one for one in self.naive.waits if one["client"] == client]:
            self.naive.waits = [one for one in self.naive.waits if one is not wait]
            self.naive.let_in()
        self.naive.drop([key for key in self.naive.holds if key[0] == client])

    @rule(client=st.sampled_from(CLIENTS), name=st.sampled_from(sorted(COVERED)))
    def breaks(self, client: str, name: str) -> None:
        theirs = [key for key in self.naive.holds if key[1] == name and key[0] != client]
        by = asked(client, f"X {name}")
        if theirs:
            broken = self.table.breakable(resource(name), by.holder, self.naive.now)
            self.note(self.table.break_off(broken, by, False, self.naive.now))
            self.naive.drop(theirs)
        else:
            with pytest.raises(NotFound):
                self.table.breakable(resource(name), by.holder, self.naive.now)

    @rule(fails=st.booleans())
    def commit(self, fails: bool) -> None:
        """The end of a turn: all that was granted in it is written down, or is none."""
        granted, self.granted = self.granted, []
        if not fails:
            self.naive.granted = []
            return
        again, done = self.table.undo(granted, self.naive.now)
        self.note(done)
        self.naive.fail()
        tokens = {hold.token for one in granted for hold in one.fresh}
        assert not tokens & self.table.holds.by_token.keys()
        assert all(hold.token not in tokens for hold in again)

    @invariant()
    def the_same(self) -> None:
        ours = {(one.client, one.resource.name): (one.mode, one.deadline) for one in self.table.holds}
        theirs = {key: (hold["mode"], hold["deadline"]) for key, hold in self.naive.holds.items()}
        assert ours == theirs
        assert sorted(one.ticket for one in self.table.waits) == sorted(one["ticket"] for one in self.naive.waits)

    @invariant()
    def nobody_beside_whom_he_keeps_out(self) -> None:
        for one, other in itertools.combinations(self.table.holds, 2):
            assert one.client == other.client or not clash(
                (one.resource.name, one.mode), (other.resource.name, other.mode)
            )

    @invariant()
    def nobody_waits_for_nothing_or_for_ever(self) -> None:
        for wait in self.naive.waits:
            assert self.naive.holders(wait) or self.naive.before(wait)
            assert not self.naive.in_circle(wait)

    @invariant()
    def nothing_is_left_in_the_trees(self) -> None:
        if not len(self.table.holds):
            assert not self.table.holds.of("ann")
            assert self.table.holds.on(resource("/")) == []

    def teardown(self) -> None:
        for client in CLIENTS:
            self.table.gone(client, self.naive.now)
        assert not len(self.table.holds)
        assert not len(self.table.waits)
        for tree in (self.table.holds._locks, self.table.waits._claims):
            assert (tree._root.count, tree._root.below, tree._root.here) == (0, {}, {})


TestLocking = Locking.TestCase
TestLocking.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


@pytest.mark.soak
def test_thousands_of_steps_beside_the_naive_model() -> None:
    examples = int(os.environ.get("GITSESSIOND_LOCK_EXAMPLES", "2500"))
    run_state_machine_as_test(Locking, settings=settings(max_examples=examples, stateful_step_count=50, deadline=None))


def test_holder_facts_travel_with_the_lock(ground: Ground) -> None:
    who = Holder("ann", who="Ann <a@b>", host="box", pid=7, branch="main")
    request = asked("ann", "path/a")._replace(holder=who, reason="release")
    ground.table.acquire(request, 0)
    (hold,) = ground.table.holds.of("ann")
    assert (hold.holder, hold.reason) == (who, "release")
