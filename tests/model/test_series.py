"""Series planned from the chain: trees, parents, the chain's own commits, what is kept."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field

from gitsessiond.model.commits import CommitFacts, trailer_values, with_our_trailers
from gitsessiond.model.graph import graph_of
from gitsessiond.model.holdings import held_back, parts_of, rows_brought
from gitsessiond.model.ownership import (
    How,
    Owners,
    Tools,
    add_patch,
    empty_owners,
    learn_commit,
    remap_commits,
    set_state,
    sort_save,
    versions,
)
from gitsessiond.model.records import SeriesCommit
from gitsessiond.model.series import Ground, Line, TreeAt, plan_series
from gitsessiond.model.values import REGULAR, Change, Entry
from gitsessiond.store.text import diff_lines, merge_text

P, Q, R = "kkkkkkkkkkkk", "llllllllllll", "mmmmmmmmmmmm"
BASE = "b" * 40
Files = dict[bytes, bytes]


def sha(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@dataclass
class Bench:
    """A session without disk and git: files, chain and series as values."""

    base: Files
    blobs: dict[str, bytes] = field(default_factory=dict)
    trees: dict[str, Files] = field(default_factory=dict)
    commits: dict[str, CommitFacts] = field(default_factory=dict)
    owners: Owners = field(default_factory=empty_owners)
    chain: list[CommitFacts] = field(default_factory=list)
    series: dict[str, tuple[SeriesCommit, ...]] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        ids = itertools.count()
        self.tools = Tools(
            diff=diff_lines,
            merge3=merge_text,
            read=self.blobs.__getitem__,
            write=self.blob,
            new_id=lambda: f"file{next(ids)}",
        )
        self.disk = dict(self.base)
        for pid in (P, Q, R):
            self.owners = add_patch(self.owners, pid)

    def blob(self, content: bytes) -> str:
        self.blobs[sha(content)] = content
        return sha(content)

    def entry(self, files: Files, path: bytes) -> Entry | None:
        return Entry(REGULAR, self.blob(files[path])) if path in files else None

    def tree(self, files: Files) -> str:
        found = sha(repr(sorted(files.items())).encode())
        self.trees[found] = dict(files)
        return found

    def how(self, claim: str | None = None) -> How:
        return How(current=None, claim=lambda path: claim, tools=self.tools)

    def save(self, claim: str, **texts: str) -> None:
        """Save files for a patch; a keyword is a path without its dots."""
        changes = []
        for name, text in texts.items():
            path = name.encode()
            before = self.entry(self.disk, path)
            self.disk[path] = text.encode()
            changes.append(Change(path, before, self.entry(self.disk, path)))
        self.owners = sort_save(self.owners, changes, self.how(claim)).owners

    def commit(self, words: str, files: Files | None = None, time: int = 0) -> CommitFacts:
        """A commit of these files (everything on disk) on top of the chain."""
        held = dict(self.disk if files is None else files)
        parent = self.chain[-1].oid if self.chain else BASE
        when = b"Ann <ann@example.org> %d +0000" % (1000 + len(self.chain) + time)
        facts = CommitFacts("", self.tree(held), (parent,), when, when, words.encode() + b"\n")
        facts = facts._replace(oid=sha(repr(facts).encode()))
        self.commits[facts.oid] = facts
        before = self.trees[self.chain[-1].tree] if self.chain else self.base
        paths = [path for path in before.keys() | held.keys() if before.get(path) != held.get(path)]
        self.owners = learn_commit(
            self.owners,
            len(self.chain),
            paths,
            lambda path: self.entry(held, path),
            lambda path: self.entry(self.base, path),
            self.how(),
        ).owners
        self.chain.append(facts)
        return facts

    def at(self, *pids: str) -> Files:
        """The disk as these patches alone make it."""
        return self.with_overlay(versions(self.owners, frozenset(pids), self.tools))

    def with_overlay(self, overlay: dict[bytes, Entry | None]) -> Files:
        files = dict(self.base)
        for path, entry in overlay.items():
            if entry is None:
                files.pop(path, None)
            else:
                files[path] = self.blobs[entry.oid]
        return files

    def tree_at(self, wanted: TreeAt) -> str:
        owners = held_back(self.owners, wanted.held, wanted.bit) if wanted.held else self.owners
        return self.tree(self.with_overlay(versions(owners, wanted.owners, self.tools, wanted.bit)))

    def write(self, facts: CommitFacts) -> str:
        oid = sha(repr(facts).encode())
        self.commits[oid] = facts._replace(oid=oid)
        self.written.append(oid)
        return oid

    def plan(self, merged: tuple[str, ...] = ()) -> dict[str, tuple[SeriesCommit, ...]]:
        """Plan, and remember the series as the ones made before."""
        graph = graph_of(self.owners)
        ground = Ground(
            sid="s" * 12,
            base=BASE,
            base_tree=self.tree(self.base),
            chain=tuple(self.chain),
            lines=tuple(Line(pid, self.series.get(pid, ()), pid in merged) for pid in graph.order()),
            closure={pid: graph.closure(pid) for pid in (P, Q, R)},
            parts=parts_of(self.owners, len(self.chain)),
            former={one.oid: self.commits[one.oid] for series in self.series.values() for one in series},
            tree=self.tree_at,
            write=self.write,
        )
        self.series = plan_series(ground)
        return self.series

    def tip_files(self, pid: str) -> Files:
        return self.trees[self.commits[self.series[pid][-1].oid].tree]

    def subjects(self, pid: str) -> list[str]:
        return [self.commits[one.oid].subject for one in self.series[pid] if one.of is not None]

    def parents(self, oid: str) -> tuple[str, ...]:
        return self.commits[oid].parents


def numbered(*changed: tuple[int, str]) -> str:
    text = {number: f"line {number}" for number in range(1, 21)} | dict(changed)
    return "".join(f"{line}\n" for line in text.values())


def bench() -> Bench:
    return Bench({b"a": numbered().encode(), b"b": b"b\n"})


def test_one_patch_has_the_chain_itself() -> None:
    """The series of the only patch is the chain, same ids, nothing written."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    one = it.commit("first")
    it.save(P, a=numbered((2, "two"), (9, "nine")))
    two = it.commit("second")
    assert it.plan()[P] == (SeriesCommit(oid=one.oid, of=one.oid), SeriesCommit(oid=two.oid, of=two.oid))
    assert it.series[Q] == ()
    assert it.written == []


def test_twin_on_the_base() -> None:
    """An independent patch's commit becomes a twin on the base: author, dates, words kept, trailers added."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    one = it.commit("p: first")
    it.save(Q, a=numbered((2, "two"), (15, "q")))
    two = it.commit("q: first")
    series = it.plan()
    assert [commit.oid for commit in series[P]] == [one.oid]
    (twin,) = (it.commits[commit.oid] for commit in series[Q])
    assert twin.oid != two.oid
    assert (twin.author, twin.committer, twin.subject) == (two.author, two.committer, "q: first")
    assert twin.parents == (BASE,)
    assert it.trees[twin.tree] == {b"a": numbered((15, "q")).encode(), b"b": b"b\n"}
    assert trailer_values(twin.message, "Patch-Id") == [Q]
    assert trailer_values(twin.message, "Session-Id") == ["s" * 12]


def test_twins_say_what_their_own_patch_depends_on() -> None:
    """A commit made for q by us says what q needs: so does q's twin, while p's part of it does not."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    it.save(Q, a=numbered((2, "two"), (15, "q")), b="q\n")
    it.commit(with_our_trailers(b"both", "s" * 12, Q, ["k" * 12]).decode())
    series = it.plan()
    told = {pid: trailer_values(it.commits[series[pid][0].oid].message, "Depends-On") for pid in (P, Q)}
    assert told == {P: [], Q: ["k" * 12]}


def test_commit_over_two_patches_is_split() -> None:
    """One commit over two patches gives each its own part."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    it.save(Q, a=numbered((2, "two"), (15, "q")), b="q\n")
    it.commit("both")
    it.plan()
    assert it.subjects(P) == it.subjects(Q) == ["both"]
    assert it.tip_files(P) == it.at(P)
    assert it.tip_files(Q) == it.at(Q)
    assert rows_brought(it.owners, 0) == {P: 1, Q: 2}


def test_uncommitted_edits_are_in_no_series() -> None:
    """A partial commit gives a commit to the patch whose edits it has, and to no other."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    it.save(Q, b="q\n")
    held = dict(it.disk)
    it.save(P, a=numbered((2, "two"), (9, "later")))
    it.commit("partial", {**held, b"b": b"b\n"})
    it.plan()
    assert it.subjects(P) == ["partial"]
    assert it.series[Q] == ()
    assert it.tip_files(P)[b"a"] == numbered((2, "two")).encode()


def test_dependent_stands_on_its_dependency() -> None:
    """A patch on another's lines has that one's tip as its first parent, and the chain's own commit if equal."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    one = it.commit("p")
    it.save(Q, a=numbered((2, "two and q")))
    two = it.commit("q")
    series = it.plan()
    assert graph_of(it.owners).closure(Q) == {P}
    assert series[Q] == (SeriesCommit(oid=two.oid, of=two.oid),)
    assert it.parents(two.oid) == (one.oid,)


def test_dependency_that_grew_is_joined_first() -> None:
    """A dependency that grew gets a context merge, so that each series commit shows its patch's edits only."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    it.commit("p1")
    it.save(Q, a=numbered((2, "two and q")))
    it.commit("q1")
    it.save(P, a=numbered((2, "two and q"), (12, "p again")))
    it.commit("p2")
    it.save(Q, a=numbered((2, "two and q"), (12, "p again"), (19, "q again")))
    it.commit("q2")
    it.plan()
    first, joined, second = it.series[Q]
    p_tip = it.series[P][-1].oid
    assert joined.of is None
    assert it.parents(joined.oid) == (first.oid, p_tip)
    assert it.parents(second.oid) == (joined.oid,)
    before = it.trees[it.commits[joined.oid].tree]
    assert before[b"a"] == numbered((2, "two and q"), (12, "p again")).encode()
    assert it.tip_files(Q) == it.at(P, Q)


def test_dependency_growing_in_the_same_commit() -> None:
    """A commit in which both grow: the context merge has the dependency's growth, the next commit only ours."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    it.commit("p1")
    it.save(Q, a=numbered((2, "two and q")))
    it.commit("q1")
    it.save(P, a=numbered((2, "two and q"), (12, "p again")))
    it.save(Q, a=numbered((2, "two and q"), (12, "p again"), (19, "q again")))
    it.commit("both")
    it.plan()
    _, joined, _ = it.series[Q]
    before = it.trees[it.commits[joined.oid].tree]
    assert before[b"a"] == numbered((2, "two and q"), (12, "p again")).encode()
    assert it.tip_files(Q) == it.at(P, Q)


def test_two_dependencies_are_joined_in_id_order() -> None:
    """A patch on two others begins with a context merge of both tips, with their lines and no more."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    it.commit("p")
    it.save(Q, a=numbered((2, "two"), (15, "q")))
    it.commit("q")
    it.save(R, a=numbered((2, "two r"), (15, "q r")))
    it.commit("r")
    it.plan()
    joined, commit = it.series[R]
    assert it.parents(joined.oid) == (it.series[P][-1].oid, it.series[Q][-1].oid)
    assert it.trees[it.commits[joined.oid].tree] == it.at(P, Q)
    assert it.parents(commit.oid) == (joined.oid,)
    assert it.tip_files(R) == it.at(P, Q, R)


def test_planning_again_writes_nothing() -> None:
    """The same chain and owners give the same series, without a new commit."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    it.save(Q, b="q\n")
    it.commit("both")
    first = it.plan()
    it.written.clear()
    assert it.plan() == first
    assert it.written == []


def test_rewrite_that_keeps_parent_tree_and_words_keeps_the_twin() -> None:
    """A chain commit rewritten only in its committer date keeps its twin."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    it.commit("p")
    it.save(Q, b="q\n")
    it.commit("q")
    it.plan()
    twin = it.series[Q][-1].oid
    last = it.chain[-1]
    rewritten = last._replace(oid="d" * 40, committer=b"Ann <ann@example.org> 9999 +0000")
    it.chain[-1] = it.commits[rewritten.oid] = rewritten
    assert it.plan()[Q] == (SeriesCommit(oid=twin, of="d" * 40),)


def test_commit_taken_off_the_chain() -> None:
    """A reset takes the last commit off a series; without commits a series is empty."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    it.commit("one")
    it.save(P, a=numbered((2, "two"), (9, "nine")))
    it.commit("two")
    it.plan()
    it.chain.pop()
    it.owners = remap_commits(it.owners, {0: 0})
    assert [commit.of for commit in it.plan()[P]] == [it.chain[0].oid]
    it.chain.pop()
    it.owners = remap_commits(it.owners, {})
    assert it.plan()[P] == ()


def test_commit_that_reverts() -> None:
    """A commit that takes a patch's edits back is a commit of that patch."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    it.commit("p")
    it.save(P, a=numbered())
    it.commit('Revert "p"')
    it.plan()
    assert it.subjects(P) == ["p", 'Revert "p"']
    assert it.tip_files(P) == it.base


def test_merged_patch_keeps_its_series() -> None:
    """A merged patch's series stays; what depends on it stands on its tip."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    it.commit("p")
    frozen = it.plan()[P]
    it.owners = set_state(it.owners, P, "merged")
    it.save(Q, a=numbered((2, "two and q")))
    it.commit("q")
    it.plan(merged=(P,))
    assert it.series[P] == frozen
    assert it.parents(it.series[Q][-1].oid) == (frozen[-1].oid,)


def test_held_back_touches_one_patch_and_one_commit() -> None:
    """What one patch holds is as one commit before; other patches and commits are as they were."""
    it = bench()
    it.save(P, a=numbered((2, "two")))
    it.commit("one")
    it.save(P, a=numbered((2, "two"), (9, "nine")))
    it.save(Q, b="q\n")
    it.commit("two")
    held = held_back(it.owners, P, 1)
    both = frozenset({P, Q})
    assert it.with_overlay(versions(held, both, it.tools, 1)) == {b"a": numbered((2, "two")).encode(), b"b": b"q\n"}
    assert versions(held, both, it.tools, 0) == versions(it.owners, both, it.tools, 0)
    assert versions(held_back(it.owners, P, 0), frozenset({P}), it.tools, 0) == {}
