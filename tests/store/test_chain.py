"""The commits of a branch and what they stand on: compared with what git itself says."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitsessiond.model.commits import commit_data, parse_commit, subject_line
from gitsessiond.model.errors import StoreFailed
from gitsessiond.store.chain import CommitGraph, Foreign, patch_ids
from tests.conftest import git


def commit(repo: Path, name: str, text: str, message: str) -> str:
    (repo / name).write_text(text)
    git(repo, "add", name)
    git(repo, "commit", "-q", "-m", message)
    return commit_id(repo)


def commit_id(repo: Path, name: str = "HEAD") -> str:
    return git(repo, "rev-parse", name).decode().strip()


def graph_of(repo: Path) -> CommitGraph:
    return CommitGraph(str(repo / ".git"))


def is_ours(name: str) -> bool:
    return name in ("refs/heads/session/x", "refs/heads/main") or name.endswith("/session/x")


@pytest.fixture
def forked(repo: Path) -> Path:
    """main one commit ahead of the session branch, which has two of its own and is checked out."""
    git(repo, "switch", "-q", "-c", "session/x")
    commit(repo, "p.txt", "p\n", "p: first")
    commit(repo, "q.txt", "q\n", "q: first")
    git(repo, "switch", "-q", "main")
    commit(repo, "m.txt", "m\n", "main moves")
    git(repo, "switch", "-q", "session/x")
    return repo


def test_commits_read_and_written_back(repo: Path) -> None:
    """A commit taken apart and put together again has its own id, whatever its message and encoding."""
    git(repo, "commit", "-q", "--allow-empty", "-m", "subject\n\nbody\n\nKey: value\n")
    git(repo, "-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "--allow-empty", "-m", "Gr\xfc\xdfe")
    git(repo, "commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "")
    for name in ("HEAD~3", "HEAD~2", "HEAD~1", "HEAD"):
        raw = git(repo, "cat-file", "commit", name)
        oid = commit_id(repo, name)
        facts = parse_commit(oid, raw)
        assert git(repo, "hash-object", "-t", "commit", "--stdin", stdin=commit_data(facts)).decode().strip() == oid
        assert facts == graph_of(repo).commit(oid)
    assert subject_line(b"\n  \n one \ntwo\n") == "one"


def test_signature_is_not_kept(repo: Path) -> None:
    """The headers of a signature do not confuse reading, and are left out when writing."""
    raw = git(repo, "cat-file", "commit", "HEAD")
    signed = raw.replace(b"\n\n", b"\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n tree abc\n -----END\n\n", 1)
    assert commit_data(parse_commit("0" * 40, signed)) == raw


def test_chain_is_first_parents_beyond_base(forked: Path) -> None:
    """The chain is what rev-list --first-parent gives, through merges of the target too."""
    graph = graph_of(forked)
    base = commit_id(forked, "main~1")
    assert [f.subject for f in graph.chain(base, commit_id(forked))] == ["p: first", "q: first"]
    git(forked, "merge", "-q", "--no-edit", "main")
    commit(forked, "p.txt", "p2\n", "p: second")
    tip = commit_id(forked)
    for start in (base, commit_id(forked, "main"), tip):
        told = git(forked, "rev-list", "--first-parent", "--reverse", f"{start}..{tip}").decode().split()
        assert [facts.oid for facts in graph.chain(start, tip)] == told


def test_bases_and_order(forked: Path) -> None:
    """Merge bases and descent are git's; commits that do not exist have no relation."""
    graph = graph_of(forked)
    tip, main, fork = (commit_id(forked, name) for name in ("session/x", "main", "main~1"))
    assert graph.merge_base(tip, main) == fork
    assert graph.within(fork, tip)
    assert graph.within(tip, tip)
    assert not graph.within(main, tip)
    assert graph.later(fork, main) == main
    assert graph.later(main, fork) == main
    assert graph.later(tip, main) == tip
    assert graph.later(None, main) == main
    assert graph.merge_base(tip, "1" * 40) is None
    assert not graph.within(tip, "1" * 40)
    assert graph.count_beyond(fork, tip) == 2
    with pytest.raises(StoreFailed):
        graph.commit("1" * 40)


def test_unrelated_histories_have_no_base(repo: Path) -> None:
    """Two roots have no merge base."""
    main = commit_id(repo)
    git(repo, "switch", "-q", "--orphan", "zz")
    git(repo, "commit", "-q", "--allow-empty", "-m", "root")
    assert graph_of(repo).merge_base(main, commit_id(repo)) is None


def test_upstream(forked: Path, tmp_path: Path) -> None:
    """A branch's upstream is read through its config; none is none."""
    graph = graph_of(forked)
    assert graph.upstream("main") is None
    assert graph.upstream("nothing") is None
    git(forked, "init", "-q", "--bare", str(tmp_path / "hub"))
    git(forked, "remote", "add", "origin", str(tmp_path / "hub"))
    git(forked, "push", "-q", "-u", "origin", "main")
    graph = graph_of(forked)
    assert graph.upstream("main") == commit_id(forked, "main")
    assert graph.upstream_name("main") == "refs/remotes/origin/main"


def test_foreign_commits_of_a_rebase(forked: Path) -> None:
    """After `rebase other` the commits of other are foreign, ours are not, pushed or not."""
    git(forked, "switch", "-q", "-c", "other", "main~1")
    ours = [commit(forked, "o.txt", f"{n}\n", f"other {n}") for n in range(2)]
    git(forked, "switch", "-q", "session/x")
    git(forked, "update-ref", "refs/remotes/origin/session/x", "HEAD")
    git(forked, "rebase", "-q", "other")
    graph = graph_of(forked)
    base = commit_id(forked, "main~1")
    chain = graph.chain(base, commit_id(forked))
    assert graph.foreign(chain, base, is_ours) == [Foreign(oid, "other") for oid in ours]
    assert len(chain) == 4


def test_foreign_merge(forked: Path) -> None:
    """A merge of another branch is foreign with the branch's name; a merge of the target is not."""
    git(forked, "switch", "-q", "-c", "other", "main~1")
    commit(forked, "o.txt", "o\n", "other")
    git(forked, "switch", "-q", "session/x")
    git(forked, "merge", "-q", "--no-edit", "other")
    merge = commit_id(forked)
    graph = graph_of(forked)
    base = commit_id(forked, "main~1")
    assert graph.foreign(graph.chain(base, merge), base, is_ours) == [Foreign(merge, "other")]
    git(forked, "merge", "-q", "--no-edit", "main")
    base = commit_id(forked, "main")
    assert graph.foreign(graph.chain(base, commit_id(forked)), base, is_ours) == [Foreign(merge, "other")]


def test_patch_ids_survive_a_rewrite(forked: Path) -> None:
    """A commit keeps its patch id on another parent with other words; an empty commit has none."""
    old = commit_id(forked)
    git(forked, "rebase", "-q", "main")
    git(forked, "commit", "-q", "--amend", "-m", "other words")
    new = commit_id(forked)
    git(forked, "commit", "-q", "--allow-empty", "-m", "empty")
    ids = patch_ids(str(forked / ".git"), [old, new, commit_id(forked)])
    assert old != new
    assert ids[old] == ids[new]
    assert len(ids) == 2


def test_the_one_base_of_a_line(forked: Path) -> None:
    """Given where git knows one base only: not above a merge, and not where git reads another history."""
    graph, root = graph_of(forked), commit_id(forked, "main~1")
    assert graph.line_base(commit_id(forked, "main"), commit_id(forked, "session/x")) == root
    assert graph.line_base(commit_id(forked, "session/x~1"), commit_id(forked)) == commit_id(forked, "HEAD~1")
    git(forked, "replace", commit_id(forked), commit_id(forked, "HEAD~1"))
    assert graph.line_base(commit_id(forked, "main"), commit_id(forked, "session/x")) is None
    git(forked, "pack-refs", "--all")
    assert graph.line_base(commit_id(forked, "main"), commit_id(forked, "session/x")) is None
    assert graph.only_base(commit_id(forked, "main"), commit_id(forked, "session/x")) is None
    git(forked, "replace", "-d", commit_id(forked))
    (forked / ".git" / "shallow").write_text(root + "\n")
    assert graph.line_base(commit_id(forked, "main"), commit_id(forked, "session/x")) is None
    assert graph.only_base(commit_id(forked, "main"), commit_id(forked, "session/x")) == root
    (forked / ".git" / "shallow").unlink()
    assert graph.line_base(commit_id(forked, "main"), commit_id(forked, "session/x")) == root


def test_a_crossing_history_has_no_line(forked: Path) -> None:
    """Both branches merged the other: two bases, and git has to be asked."""
    git(forked, "branch", "was", "session/x")
    git(forked, "merge", "-q", "-m", "one way", "main")
    git(forked, "switch", "-q", "main")
    git(forked, "merge", "-q", "-m", "other way", "was")
    one, other = commit_id(forked, "main"), commit_id(forked, "session/x")
    assert len(git(forked, "merge-base", "--all", one, other).split()) == 2
    assert graph_of(forked).line_base(one, other) is None and graph_of(forked).only_base(one, other) is None
