"""The stories of plain git once more, through the installed command and a real daemon, with our hooks and without.

Each story of ``tests/actions/test_adoption.py`` and ``test_more_stories.py`` is told in four ways: the daemon alive all the time, or killed before
everything a person does and started by the next question; and our hooks installed, or not. At its end git judges the
invariants; HEAD, index, status and files are what git alone left. Every run tells one story of each number in EVERY_RUN
in one way, the next in the next way. `pytest -m soak` tells every story in all ways, one after the other, and compares
how they end: the same commits, owners and series. Beside the first of them, and beside those with hooks in every run,
plain git tells the story in a copy of the repository without us: each command must print the same there, and status,
index, files, stash, refs and their logs, all worktrees and what is under way must be the same in the end.
"""

from __future__ import annotations

import inspect
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.actions import test_adoption, test_more_stories
from tests.actions.desk import numbered
from tests.actions.test_adoption import P1, P2
from tests.scenarios.live_desk import LiveDesk, Seen, Stage

Story = Callable[..., None]
Telling = tuple[str, bool]  # how the daemon is, and whether our hooks are installed

# Told below in their own words: there the session's worktree itself goes, and a desk in the recorder looks on.
OWN = {"test_45_worktree_moved", "test_46_worktree_removed_and_added_again", "test_46_first_checkout_gone"}
GIVEN = {"it", "desk", "tmp_path"}
EVERY_RUN = {*range(1, 11), 15, *range(19, 25), *range(26, 33), 35, *range(38, 42), 46, 47, 48, 54, 56}
WAYS = ("alive", "dead")
TELLINGS = tuple(product(WAYS, (False, True)))
DEAD = TELLINGS[2]


def ways(every_run: Telling | None) -> list[Any]:
    """All ways; but for one they are told in long runs only."""
    return [
        pytest.param(one, marks=[] if one == every_run else [pytest.mark.soak], id=word_of(one)) for one in TELLINGS
    ]


def word_of(telling: Telling) -> str:
    way, hooked = telling
    return f"{way}-hooks" if hooked else way


def told() -> list[Any]:
    """Every numbered story with every set of its parameters, for long runs; one of each number for every run."""
    found: list[Any] = []
    told_once: set[int] = set()
    for name, story in [*vars(test_adoption).items(), *vars(test_more_stories).items()]:
        number = re.match(r"test_(\d\d)_", name)
        if number is None or name in OWN:
            continue
        is_told = int(number[1]) in EVERY_RUN - told_once
        every_run = TELLINGS[len(told_once) % len(TELLINGS)]
        told_once |= {int(number[1])} & EVERY_RUN
        marks = [mark for mark in getattr(story, "pytestmark", []) if mark.name == "parametrize"]
        words = [mark.args[0] for mark in marks]
        unknown = inspect.signature(story).parameters.keys() - GIVEN - set(words)
        assert not unknown, f"{name} needs {unknown}: give it, or tell the story here in its own words"
        tellings = TELLINGS  # with other parameters, two of them: alive without hooks, and dead with
        for values in product(*[mark.args[1] for mark in marks]):
            said = "-".join(["".join(map(str, value)) if isinstance(value, list) else str(value) for value in values])
            given = dict(zip(words, values, strict=True))
            title = "-".join(filter(None, (name[5:], said)))
            if is_told:
                found.append(pytest.param(story, given, (every_run,), id=f"{title}-{word_of(every_run)}"))
            found.append(pytest.param(story, given, tellings, id=f"{title}-all", marks=pytest.mark.soak))
            is_told, tellings = False, TELLINGS[::3]
    return found


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stories")


STAGES: dict[Path, Stage] = {}


@pytest.fixture
def stage(place: Path, repo: Path) -> Iterator[Stage]:
    """The stage, made by the first story; the daemon of a story ends with it."""
    if place not in STAGES:
        made = Stage(place)
        made.make(repo)
        STAGES[place] = made
    yield STAGES[place]
    STAGES[place].end()


@pytest.mark.parametrize(("story", "params", "tellings"), told())
def test_story(
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    story: Story,
    params: dict[str, Any],
    tellings: tuple[Telling, ...],
) -> None:
    """The story holds, git judges the invariants, nothing but git moved anything, and all ways it is told end alike."""
    wanted = inspect.signature(story).parameters
    ends: list[Seen] = []
    for way, hooked in tellings:
        beside = not ends and (hooked or len(tellings) > 1)
        desk = stage.begin("it" if "it" in wanted else "desk", way == "dead", hooked, beside)
        aside = tmp_path / f"{way}{hooked:d}"
        aside.mkdir()
        desk.here.append((aside, tmp_path / "aside"))
        if desk.twin is not None:
            desk.twin.also(aside, tmp_path / "twin")
        for module in (test_adoption, test_more_stories):
            monkeypatch.setattr(module, "git", desk.elsewhere)
        given = {"it": desk, "desk": desk, "tmp_path": aside} | params
        story(**{name: given[name] for name in wanted})
        ends.append(desk.judge())
        stage.end()
    for end in ends[1:]:
        differing = {word: (ends[0][word], end[word]) for word in end if end[word] != ends[0][word]}
        assert not differing, differing


@pytest.fixture(params=ways(DEAD))
def aside(stage: Stage, request: pytest.FixtureRequest) -> LiveDesk:
    """A second session y in a worktree of its own, from main; p is committed and dirty there."""
    way, hooked = request.param
    first = stage.begin("it", False, hooked)
    root = stage.ground / "aside"
    first.bench.json("start", "y", "--worktree", str(root), "--target", "main")
    desk = LiveDesk(root, way == "dead", None, hooked)
    desk.patch("p")
    desk.save("a.txt", numbered(P1))
    desk.git("commit", "-qam", "p: first")
    desk.save("a.txt", numbered(P1, P2))
    desk.ask("status")
    return desk


@pytest.mark.soak
def test_45_worktree_moved(aside: LiveDesk) -> None:
    """`worktree move`: the session goes on at the new place, with its id."""
    wid, goal = aside.session.worktree_id, aside.root.with_name("elsewhere")
    aside.before_an_act()
    aside.bench.at(aside.root.with_name("shop")).git("worktree", "move", str(aside.root), str(goal))
    aside.stand_in(goal)
    assert (aside.session.worktree, aside.session.worktree_id) == (str(goal), wid)
    assert aside.edits("p") == [("a.txt", (2, 2)), ("a.txt", (5, 5))]
    aside.save("README", "there\n")
    assert aside.edits("p") == [("README", (1, 1)), ("a.txt", (2, 2)), ("a.txt", (5, 5))]
    aside.judge()


@pytest.mark.parametrize("how", [["worktree", "remove", "--force"], pytest.param(["rm"], marks=pytest.mark.soak)])
def test_46_worktree_removed_and_added_again(aside: LiveDesk, how: list[str]) -> None:
    """A removed worktree leaves the session open with series and last save; added again, it resumes."""
    old, gone, shop = aside.named("p").series, aside.root, aside.bench.at(aside.root.with_name("shop"))
    aside.before_an_act()
    if how == ["rm"]:
        shutil.rmtree(gone)
        shop.git("worktree", "prune")
    else:
        shop.git(*how, str(gone))
    session = shop.json("status", "y")["session"]
    assert (session["status"], session["state"]) == ("open", "no worktree")
    assert shop.json("patch", "show", "p", "-s", "y")["series"] == [vars(one) for one in old]
    aside.stand_in(shop.root)
    aside.runs = True
    aside.before_an_act()
    shop.git("worktree", "add", "-q", str(gone), "session/y")
    aside.stand_in(gone)
    assert aside.session.state == "live"
    assert (aside.named("p").series, aside.edits("p")) == (old, [("a.txt", (2, 2))])
    aside.save("a.txt", numbered(P1, P2))
    assert aside.edits("p") == [("a.txt", (2, 2)), ("a.txt", (5, 5))]
    aside.judge()


def standing(desk: LiveDesk) -> tuple[Any, ...]:
    """All that a refused git command must leave as it was."""
    session, patches = desk.session, [desk.named(name) for name in ("p", "q")]
    return (
        desk.head(), desk.git("status", "--porcelain", look=False), session.base, session.chain, session.parked,
        [(one.status, one.series) for one in patches], desk.edits("p"), desk.edits("q"), desk.unassigned(),
    )  # fmt: skip


@pytest.mark.parametrize("telling", ways(None))
def test_26_refused_without_autostash(stage: Stage, telling: Telling) -> None:
    """main moved; a rebase refuses the dirty files: nothing changes, and `status` says how far behind and what to do.

    That done, all is as `git rebase --autostash` makes it, and every edit is whose it was.
    """
    desk = stage.begin("it", telling[0] == "dead", telling[1])
    main = desk.bench.at(stage.ground / "main")
    desk.git("worktree", "add", "-q", str(main.root), "main")
    main.write("README", "others\n")
    main.git("commit", "-qam", "others")
    desk.look()
    before = standing(desk)
    desk.before_an_act()
    refused = desk.bench.git("rebase", "main", check=False)
    assert refused.code and "unstaged changes" in refused.err
    desk.look()
    assert standing(desk) == before
    status = desk.bench.status()
    assert status["session"]["behind"] == 1 and "git session update" in status["hints"]
    edits, unassigned, subjects = (desk.edits("p"), desk.edits("q")), desk.unassigned(), desk.chain()
    files = {path: desk.bench.read(path) for path in ("a.txt", "b.txt") if (desk.root / path).exists()}
    assert desk.tell("update")["updated"]
    desk.left = desk.bystanders()
    assert ((desk.edits("p"), desk.edits("q")), desk.unassigned(), desk.chain()) == (edits, unassigned, subjects)
    assert {path: desk.bench.read(path) for path in files} == files and desk.bench.read("README") == "others\n"
    assert desk.head("HEAD~2") == desk.head("main") == desk.session.base
    desk.judge()


@pytest.mark.parametrize("telling", ways(None))
def test_40_switch_to_the_target(stage: Stage, telling: Telling) -> None:
    """`switch main` refuses while main is checked out elsewhere: nothing changes."""
    desk = stage.begin("it", telling[0] == "dead", telling[1])
    desk.git("worktree", "add", "-q", str(stage.ground / "main"), "main")
    before = standing(desk)
    desk.before_an_act()
    refused = desk.bench.git("switch", "main", check=False)
    assert refused.code and ("already" in refused.err), refused
    desk.look()
    assert standing(desk) == before
    desk.judge()


@pytest.mark.parametrize("telling", ways(None))
def test_48_what_clean_took_can_be_restored(stage: Stage, telling: Telling) -> None:
    """`clean -fdx` takes n.txt and .gitsession/: the one can be restored, the other is made again."""
    desk = stage.begin("it", telling[0] == "dead", telling[1])
    desk.git("clean", "-qfdx")
    assert desk.unassigned() == []
    desk.judge_bystanders()
    assert desk.tell("restore", "n.txt")["restored"] == ["n.txt"]
    assert (desk.root / "n.txt").read_text() == "n\n"
    desk.look()
    assert [path for path, _ in desk.unassigned()] == ["n.txt"]
    desk.judge()


@pytest.mark.parametrize("telling", ways(None))
@pytest.mark.parametrize("how", ["merge", "squash", "cherry-pick"])
def test_54_landed_by_hand_in_main(stage: Stage, how: str, telling: Telling) -> None:
    """In main: `merge session/x`, `merge --squash`: both patches are merged; q's commits picked: q alone."""
    desk = stage.begin("it", telling[0] == "dead", telling[1])
    desk.git("commit", "-qam", "both")
    picked = [one.oid for one in desk.named("q").series]
    main = stage.ground / "main"
    desk.git("worktree", "add", "-q", str(main), "main")
    at = desk.bench.at(main)
    if how == "cherry-pick":
        at.git("cherry-pick", *picked)
    else:
        at.git("merge", "-q", *(["--no-ff", "-m", "landed"] if how == "merge" else ["--squash"]), "session/x")
        at.git("commit", "-q", *(["--amend", "--no-edit"] if how == "merge" else ["-m", "landed"]))
    desk.look()
    assert desk.named("q").status == "merged"
    assert desk.named("p").status == ("draft" if how == "cherry-pick" else "merged")
    desk.judge()


@pytest.mark.parametrize("telling", ways(None))
def test_52_pushed(stage: Stage, telling: Telling) -> None:
    """`push --mirror` publishes every save unless our hook is there; the session's branch goes out only by name, as meant."""
    hooked = telling[1]
    desk = stage.begin("it", telling[0] == "dead", hooked)
    hub = stage.ground / "hub.git"
    desk.git("init", "-q", "--bare", str(hub))
    desk.git("remote", "add", "origin", str(hub))
    before = standing(desk)
    desk.before_an_act()
    for words in (["--all"], ["--mirror"]):
        pushed = desk.bench.git("push", "-q", *words, "origin", check=False)
        assert (pushed.code != 0) == hooked
        assert ("belongs to a session and is not for a remote" in pushed.err) == hooked
    there = desk.bench.git("ls-remote", str(hub)).out
    assert ("refs/gitsession/" in there) == ("refs/heads/session/x" in there) == (not hooked)
    desk.git("push", "-q", "origin", "main")
    desk.git("-c", "gitsession.publish=true", "push", "-q", "origin", "session/x")
    desk.look()
    assert standing(desk) == before
    desk.judge()


@pytest.mark.parametrize("telling", ways(None))
def test_55_landed_and_deleted(stage: Stage, telling: Telling) -> None:
    """One patch whose own commits were merged by hand: git lets its branch go; with twins or unlanded commits it refuses."""
    desk = stage.begin("desk", telling[0] == "dead", telling[1], beside=True)
    desk.save("a.txt", numbered(P1), "p")
    desk.git("commit", "-qam", "p: first")
    main = stage.ground / "main"
    desk.git("worktree", "add", "-q", str(main), "main")
    desk.elsewhere(main, "branch", "-d", "session/x", check=False)
    assert desk.head("session/x") == desk.head()
    desk.elsewhere(main, "merge", "-q", "--ff-only", "session/x")
    desk.look()
    assert desk.named("p").status == "merged"
    desk.git("switch", "-q", "--detach")
    desk.git("branch", "-q", "-d", "session/x")
    assert str(desk.session.parked).startswith("HEAD is detached")
    desk.judge_beside_git()


def test_every_number_is_told_in_all_ways() -> None:
    """Some stories of each number in all four ways, in the long runs; those of every run as evenly as can be."""
    numbers, all_ways, every_run = set[str](), set[str](), dict[Telling, int]()
    for story, _, tellings in (one.values for one in told()):
        number = story.__name__[5:7]
        numbers.add(number)
        if tellings == TELLINGS:
            all_ways.add(number)
        elif len(tellings) == 1:
            every_run[tellings[0]] = every_run.get(tellings[0], 0) + 1
    assert numbers == all_ways and len(numbers) > 45
    assert sum(every_run.values()) == len(numbers & {f"{number:02d}" for number in EVERY_RUN})
    assert max(every_run.values()) - min(every_run[one] for one in TELLINGS) <= 1
