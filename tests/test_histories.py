"""The checker of lock histories finds what was planted, and nothing in what is right."""

from __future__ import annotations

import json
import random
from itertools import combinations, count
from pathlib import Path

import pytest

from tests.histories import Check, Grant, History, apart, read, violations

MODES = ("S", "U", "X", "intent")
NAMES = ("path/a", "path/b", "path/src/", "path/src/c", "/")


def right(seed: int, length: int, clients: int = 10) -> History:
    """A history of a service that does everything right: each grant begins when all that exclude it are over."""
    rng, tokens, now = random.Random(seed), count(1), 0.0
    grants: list[Grant] = []
    checks: list[Check] = []
    for _ in range(length):
        now += rng.random()
        asked = now
        one = Grant(f"c{rng.randrange(clients)}", rng.choice(NAMES), rng.choice(MODES), 0, asked, 0, 0)
        over = max((other.until for other in grants[-60:] if apart(other, one)), default=0.0)
        now = max(now, over) + rng.random() * 0.1
        one = one._replace(token=next(tokens), granted=now + rng.random() * 0.1, until=now + 0.1 + rng.random() * 5)
        grants.append(one)
        if rng.random() < 0.2:
            checks.append(Check(one.client, one.name, one.token, one.granted, (one.granted + one.until) / 2, True))
    return History(grants, checks)


def kinds(history: History) -> set[str]:
    return {found.what for found in violations(history)}


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_found_in_what_is_right(seed: int) -> None:
    """Ten clients, five resources, directories and files, in any order of the notes."""
    history = right(seed, 400)
    random.Random(seed).shuffle(history.grants)
    assert violations(history) == []


@pytest.mark.parametrize("seed", range(6))
def test_planted_overlap_is_found(seed: int) -> None:
    """One hold that lasts until after the next grant that excludes it, among hundreds that are right."""
    history, rng = right(seed, 300), random.Random(seed)
    pairs = [
        (older, newer)
        for older, newer in combinations(range(300), 2)
        if apart(history.grants[older], history.grants[newer])
    ]
    older, newer = rng.choice(pairs)
    one, other = history.grants[older], history.grants[newer]
    history.grants[older] = one._replace(until=other.granted + 0.001)
    assert "overlap" in kinds(history)


@pytest.mark.parametrize("seed", range(6))
def test_planted_disorder_is_found(seed: int) -> None:
    """Two tokens changed for each other, though the one was asked for after the other had been told."""
    history, rng = right(seed, 300), random.Random(seed)
    first = rng.randrange(200)
    second = next(n for n in range(first + 1, 300) if history.grants[n].asked > history.grants[first].granted)
    one, other = history.grants[first], history.grants[second]
    history.grants[first], history.grants[second] = one._replace(token=other.token), other._replace(token=one.token)
    assert "order" in kinds(history)


def test_token_of_another_is_found() -> None:
    """One number for two clients; the parts of one request may share one."""
    one = Grant("a", "path/x", "X", 7, 1.0, 1.1, 2.0)
    assert kinds(History([one, one._replace(name="path/y")], [])) == set()
    assert kinds(History([one, Grant("b", "path/y", "X", 7, 1.05, 1.2, 2.0)], [])) == {"twice"}


def test_stale_token_that_is_taken_is_found() -> None:
    """A paused holder's check after the next holder was told; before that nobody can say."""
    paused, after = Grant("a", "path/x", "X", 1, 0.0, 0.1, 1.0), Grant("b", "path/x", "X", 2, 0.5, 1.5, 3.0)
    check = Check("a", "path/x", 1, 2.0, 2.1, True)
    assert kinds(History([paused, after], [check])) == {"stale"}
    assert kinds(History([paused, after], [check._replace(good=False)])) == set()
    assert kinds(History([paused, after], [check._replace(asked=1.4)])) == set()
    above = after._replace(name="path/")
    assert kinds(History([paused, above], [check])) == {"stale"}
    assert kinds(History([paused._replace(mode="S"), after._replace(mode="S")], [check])) == set()


def test_good_token_that_is_refused_is_found() -> None:
    """A check while the lock is certainly held."""
    held = Grant("a", "path/x", "X", 1, 0.0, 0.1, 1.0)
    assert kinds(History([held], [Check("a", "path/x", 1, 0.2, 0.9, False)])) == {"refused"}
    assert kinds(History([held], [Check("a", "path/x", 1, 0.2, 1.1, False)])) == set()
    assert kinds(History([held._replace(mode="S")], [Check("a", "path/x", 1, 0.2, 0.9, False)])) == set()


def test_fast_check_is_the_pairwise_one() -> None:
    """On small random nonsense the sweep finds something exactly where some pair is wrong."""
    rng, found = random.Random(1), 0
    for _ in range(1500):
        grants = []
        for token in rng.sample(range(1, 20), 4):
            asked = rng.random()
            granted = asked + rng.random() * 0.3
            client, name, mode = rng.choice("abc"), rng.choice(NAMES), rng.choice(MODES)
            grants.append(Grant(client, name, mode, token, asked, granted, granted + rng.random() * 0.3 - 0.05))
        pairs = [(a, b) if a.token < b.token else (b, a) for a, b in combinations(grants, 2)]
        wrong = any(
            (apart(older, newer) and older.until > newer.granted) or newer.granted < older.asked
            for older, newer in pairs
        )
        assert bool(violations(History(grants, []))) == wrong, grants
        found += wrong
    assert 150 < found < 1350


def test_notes_of_clients_become_a_history(tmp_path: Path) -> None:
    """A lease ends its hold, a renewal extends it, a release and a kill cut it."""
    notes = {
        "a": [
            {"what": "grant", "name": "path/x", "mode": "X", "token": 1, "asked": 1.0, "granted": 1.1, "ttl": 2.0},
            {"what": "grant", "name": "path/y", "mode": "S", "token": 2, "asked": 1.2, "granted": 1.3, "ttl": 2.0},
            {"what": "renewed", "tokens": [2], "asked": 2.0, "ttl": 2.0},
            {"what": "over", "names": ["path/x"], "at": 1.5},
            {"what": "check", "name": "path/x", "token": 1, "asked": 5.0, "answered": 5.1, "good": False},
        ],
        "b": [
            {"what": "grant", "name": "path/x", "mode": "X", "token": 3, "asked": 1.6, "granted": 1.7, "ttl": 9.0},
        ],
    }
    for name, lines in notes.items():
        (tmp_path / f"{name}.notes").write_text("".join(json.dumps(line) + "\n" for line in lines))
    history = read(sorted(tmp_path.iterdir()), {"b": 2.5})
    assert {(one.token, one.until) for one in history.grants} == {(1, 1.5), (2, 4.0), (3, 2.5)}
    assert history.checks == [Check("a", "path/x", 1, 5.0, 5.1, False)]
