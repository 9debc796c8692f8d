"""Series in the repository: what plain git sees of each patch."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from gitsessiond.actions.assigning import assign_edits
from gitsessiond.actions.context import Asked
from gitsessiond.actions.patches import depend_patch
from gitsessiond.actions.series import ground_of, remake_series
from gitsessiond.model.errors import NotFound, Refused
from gitsessiond.model.series import plan_series
from gitsessiond.store.chain import read_commit
from tests.actions.desk import P1, Q1, Desk, both_dirty, desk, numbered, text_at
from tests.actions.test_adoption import begin, rebase
from tests.conftest import git

__all__ = ["both_dirty", "desk"]


@pytest.fixture
def it(both_dirty: Desk) -> Desk:
    """One commit over p (a.txt line 2) and q (a.txt line 9, src/b.txt)."""
    both_dirty.git("commit", "-qam", "both")
    return both_dirty


def tip(it: Desk, name: str) -> str:
    return it.named(name).series[-1].oid


def test_refs_name_the_tips(it: Desk) -> None:
    """`refs/gitsession/patches/<sid>/<pid>` is each series' last commit, whole and durable in the repository."""
    for name in ("p", "q"):
        ref = f"refs/gitsession/patches/{it.session.id}/{it.named(name).id}"
        assert it.head(ref) == tip(it, name)
    assert git(it.root, "diff", "--name-only", it.session.base, tip(it, "p")) == b"a.txt\n"
    assert git(it.root, "diff", "--name-only", it.session.base, tip(it, "q")) == b"a.txt\nsrc/b.txt\n"


def test_remaking_changes_nothing(it: Desk) -> None:
    """Made again from the same chain and owners, every series has the same ids."""
    state = it.live.state
    assert remake_series(it.ctx, state) is state


def test_assign_moves_a_committed_edit(it: Desk) -> None:
    """`assign src/b.txt --patch p` moves a committed edit from one series to the other; the branch stays."""
    head = it.head()
    assign_edits(it.ctx, Asked("assign", {"what": "src/b.txt", "patch": "p"}, it.who))
    assert it.head() == head
    assert text_at(it, tip(it, "p"), "src/b.txt") == "q\n"
    assert git(it.root, "diff", "--name-only", it.session.base, tip(it, "q")) == b"a.txt\n"
    it.check()


def test_assign_a_whole_commit(it: Desk) -> None:
    """`assign COMMIT --patch p`: p's series is the chain's own commit, q's is empty."""
    assign_edits(it.ctx, Asked("assign", {"what": it.head()[:10], "patch": "p"}, it.who))
    assert (tip(it, "p"), it.named("q").series) == (it.head(), ())
    it.check()


def test_assign_a_commit_by_any_name(it: Desk) -> None:
    """`assign HEAD~1`, `assign BRANCH`: any revision that git takes, if it is a commit of the session."""
    it.save("src/b.txt", "q\nagain\n", "q")
    it.git("commit", "-qam", "more of q")
    first, last = it.session.chain[-2:]
    for name, oid in (("HEAD", last), ("HEAD~1", first), (it.session.branch, last)):
        assign_edits(it.ctx, Asked("assign", {"what": name, "patch": "p"}, it.who))
        assert it.named("p").series[-1].of == oid
        assign_edits(it.ctx, Asked("assign", {"what": oid, "patch": "q"}, it.who))
    with pytest.raises(NotFound, match="not a commit of session x") as refused:
        assign_edits(it.ctx, Asked("assign", {"what": "main", "patch": "p"}, it.who))
    it.git(*shlex.split(refused.value.hint or "")[1:])
    it.check()


def test_declared_dependency(it: Desk) -> None:
    """`patch depend q --on p` puts q's series on p's; `--remove` puts it back, with the ids it had."""
    before = it.named("q").series
    depend_patch(it.ctx, Asked("patch.depend", {"patch": "q", "on": "p"}, it.who))
    assert git(it.root, "rev-parse", f"{tip(it, 'q')}~1").decode().strip() == tip(it, "p")
    it.check()
    depend_patch(it.ctx, Asked("patch.depend", {"patch": "q", "on": "p", "remove": True}, it.who))
    assert it.named("q").series == before


def test_save_never_renews_a_series(it: Desk) -> None:
    """An uncommitted edit beside another patch's line makes a dependency, and leaves both series as they are."""
    before = {name: it.named(name).series for name in ("p", "q")}
    it.save("a.txt", numbered(P1, Q1, (10, "p beside")), "p")
    assert it.needs("p") | it.needs("q")
    it.git("commit", "-q", "--allow-empty", "-m", "so that all is made again")
    assert {name: it.named(name).series for name in ("p", "q")} == before
    it.git("commit", "-qam", "beside")
    it.check()


def test_rename_of_a_patch_renews_nothing(it: Desk) -> None:
    """Series do not hold a patch's name."""
    before = it.named("q").series
    patch = it.named("q").model_copy(update={"name": "other"})
    state = it.live.state.__class__(**{**vars(it.live.state), "patches": {**it.live.state.patches, patch.id: patch}})
    assert remake_series(it.ctx, state).patches[patch.id].series == before


def test_words_in_another_encoding(it: Desk) -> None:
    """A commit message that is no UTF-8 is copied byte for byte, with its encoding."""
    it.save("a.txt", numbered(P1, (9, "q second")), "q")
    git(it.root, "-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-qam", b"Gr\xfc\xdfe")
    it.look()
    raw = git(it.root, "cat-file", "commit", tip(it, "q"))
    assert b"\nencoding ISO-8859-1\n" in raw
    assert b"\n\nGr\xfc\xdfe\n\nSession-Id: " in raw


# Must hold for every series: it can be made again from nothing, and carried away by git alone.


def ids(it: Desk) -> dict[str, list[str]]:
    return {patch.name: [one.oid for one in patch.series] for patch in it.live.state.patches.values()}


def made_from_nothing(it: Desk) -> dict[str, list[str]]:
    """The ids that chain, owners and base alone give, without any commit made before."""
    found = plan_series(replace(ground_of(it.ctx, it.live.state), former={}))
    it.store.drop_pending()
    return {it.live.state.patches[pid].name: [one.oid for one in series] for pid, series in found.items()}


def mailed(it: Desk, name: str) -> str:
    """The tree that a patch's series makes of the base as mail: `git format-patch | git am` in another repository."""
    far = it.root.parent / f"far-{name}"
    git(it.root.parent, "clone", "-q", "--no-checkout", str(it.root), str(far))
    git(far, "fetch", "-q", "origin", "refs/gitsession/*:refs/gitsession/*")
    git(far, "checkout", "-q", "--detach", it.session.base)
    mail = git(far, "format-patch", "--stdout", "--full-index", f"{it.session.base}..{tip(it, name)}")
    git(far, "-c", "core.autocrlf=false", "am", "-q", "--keep-cr", "--committer-date-is-author-date", stdin=mail)
    return git(far, "rev-parse", "HEAD^{tree}").decode().strip()


@pytest.fixture
def many(desk: Desk) -> Desk:
    """Patches p; q, beside it; r on both; s on r by word alone; each with several commits, some over several."""
    p2, p5, q9, r5 = (2, "p 1"), (5, "p 2"), (9, "q 1"), (6, "r beside p")
    desk.save("a.txt", numbered(p2), "p")
    desk.git("commit", "-qam", "p 1\n\nWith a body.\n\nReviewed-by: Bob <bob@example.org>")
    desk.save("a.txt", numbered(p2, q9), "q")
    desk.save("src/b.txt", "q 1\r\nno newline", "q")
    desk.git("commit", "-qam", "q 1")
    desk.patch("r")
    desk.save("a.txt", numbered(p2, p5, q9), "p")
    desk.save("a.txt", numbered(p2, p5, r5, q9), "r")
    desk.save("r.bin", "\0\1\2", "r")
    (desk.root / "README").rename(desk.root / "README.md")
    desk.look("README", "README.md")
    desk.git("add", "-A", look=False)
    desk.git("commit", "-qm", "p and r: [PATCH] in brackets")
    depend_patch(desk.ctx, Asked("patch.depend", {"patch": "r", "on": "q"}, desk.who))
    desk.patch("s")
    depend_patch(desk.ctx, Asked("patch.depend", {"patch": "s", "on": "r"}, desk.who))
    desk.save("s.txt", "s\n", "s")
    desk.save("src/b.txt", "q 2\r\nno newline", "q")
    desk.git("add", "-A", look=False)
    desk.git("commit", "-qm", "s and q")
    desk.check()
    return desk


def test_rebuilt_from_nothing(many: Desk) -> None:
    """All patch refs deleted, and what only they held: `doctor --fix` makes the same twins, whole and in git."""
    before = ids(many)
    assert all(before.values()) and made_from_nothing(many) == before
    refs = git(many.root, "for-each-ref", "--format=%(refname)", "refs/gitsession").decode().split()
    patch_refs = [ref for ref in refs if "/patches/" in ref]
    assert len(patch_refs) == 4
    for ref in patch_refs:
        git(many.root, "update-ref", "-d", ref)
    many.mend()
    again = {name: git(many.root, "rev-parse", ref).decode().strip() for name, ref in refs_of(many).items()}
    assert again == {name: series[-1] for name, series in before.items()} and ids(many) == before
    for ref in refs:
        git(many.root, "update-ref", "-d", ref)
    git(many.root, "gc", "--prune=now", "-q")
    many.mend()
    assert ids(many) == before
    git(many.root, "fsck", "--strict", "--no-dangling")
    many.check()


def refs_of(it: Desk) -> dict[str, str]:
    patches = it.live.state.patches.values()
    return {patch.name: f"refs/gitsession/patches/{it.session.id}/{patch.id}" for patch in patches}


@pytest.mark.soak
def test_mailed_to_somebody_else(many: Desk) -> None:
    """`git format-patch | git am` onto the base gives each patch's tree, those it needs included, byte for byte."""
    for name in ("p", "q", "r", "s"):
        assert mailed(many, name) == git(many.root, "rev-parse", f"{tip(many, name)}^{{tree}}").decode().strip(), name


@pytest.mark.soak
def test_author_date_and_words_are_the_commits(many: Desk) -> None:
    """A twin has author, dates and words of the chain's commit, its trailers in one block with ours."""
    for patch in many.live.state.patches.values():
        for one in patch.series:
            if one.of is None:
                continue
            facts, own = read_commit(many.store, one.oid), read_commit(many.store, one.of)
            assert (facts.author, facts.committer) == (own.author, own.committer)
            assert facts.message.startswith(own.message.rstrip(b"\n"))
    made = git(many.root, "log", "-1", "--format=%(trailers:only,keyonly)", f"{tip(many, 'q')}").decode().split()
    assert made == ["Session-Id", "Patch-Id"]
    assign_edits(many.ctx, Asked("assign", {"what": many.session.chain[0], "patch": "q"}, many.who))
    (twin,) = [one.oid for one in many.named("q").series if one.of == many.session.chain[0]]
    made = git(many.root, "log", "-1", "--format=%(trailers:only,keyonly)", twin).decode().split()
    assert twin == many.session.chain[0] or made == ["Reviewed-by", "Session-Id", "Patch-Id"]


REBASES = {
    "reorder": ("pick q: first\npick p: first\npick both", {"p": ["p: first", "both"], "q": ["q: first", "both"]}),
    "fixup": ("pick p: first\npick q: first\nfixup both", {"p": ["p: first", "q: first"], "q": ["q: first"]}),
    "drop": ("pick p: first\npick q: first\ndrop both", {"p": ["p: first"], "q": ["q: first"]}),
    "reword": (
        "pick p: first\nexec GIT_COMMITTER_DATE=2030-01-01T00:00:00Z git commit -q --amend -m 'p: again'\n"
        "pick q: first\npick both", {"p": ["p: again", "both"], "q": ["q: first", "both"]},
    ),
    "split": (
        "pick p: first\npick q: first\npick both\nexec git reset -q HEAD~1 && git commit -qm 'both: a' a.txt && "
        "git commit -qm 'both: b' src/b.txt", {"p": ["p: first", "both: a"], "q": ["q: first", "both: a", "both: b"]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "how", [pytest.param(how, marks=[] if how == "split" else [pytest.mark.soak]) for how in REBASES]
)
def test_moved_by_rebase_i(desk: Desk, how: str) -> None:
    """`rebase -i`: each series has the commits of the new chain its patch has a part in, as from nothing; owners kept."""
    it = begin(desk)
    it.git("commit", "-qam", "both")
    owners, kept = {name: it.edits(name) for name in ("p", "q")}, ids(it)
    todo, wanted = REBASES[how]
    rebase(it, todo)
    assert {name: it.subjects(name) for name in ("p", "q")} == wanted
    if how == "drop":
        assert it.edits("p") == [("a.txt", (2, 2))] and [path for path, _ in it.edits("q")] == ["src/b.txt"]
    else:
        assert {name: it.edits(name) for name in ("p", "q")} == owners
    for name in ("p", "q"):
        bare = [(read_commit(it.store, oid).tree, read_commit(it.store, oid).message) for oid in ids(it)[name]]
        fresh = [
            (read_commit(it.store, oid).tree, read_commit(it.store, oid).message) for oid in made_and_kept(it)[name]
        ]
        assert bare == fresh
        assert mailed(it, name) == git(it.root, "rev-parse", f"{tip(it, name)}^{{tree}}").decode().strip()
    lowest = [oid for name in ("p", "q") for oid in ids(it)[name] if oid in it.session.chain]
    assert lowest[0] == it.session.chain[0]
    if how == "fixup":
        assert kept["p"][0] == ids(it)["p"][0]
    it.check()


def made_and_kept(it: Desk) -> dict[str, list[str]]:
    """As :func:`made_from_nothing`, its commits still to be read."""
    found = plan_series(replace(ground_of(it.ctx, it.live.state), former={}))
    return {it.live.state.patches[pid].name: [one.oid for one in series] for pid, series in found.items()}


@pytest.mark.soak
def test_dropped_when_no_longer_needed(desk: Desk) -> None:
    """A dependency goes with the edits it came from; the series stands on the base again, as if it had never been."""
    desk.save("a.txt", numbered((2, "p")), "p")
    desk.git("commit", "-qam", "p")
    desk.save("a.txt", numbered((2, "p"), (3, "q")), "q")
    desk.git("commit", "-qam", "q")
    assert desk.needs("q") == {"p"}
    desk.git("reset", "-q", "--soft", "HEAD~1")
    desk.save("a.txt", numbered((2, "p"), (9, "q")), "q")
    desk.git("commit", "-qam", "q")
    assert desk.needs("q") == set()
    assert git(desk.root, "rev-parse", f"{tip(desk, 'q')}~1").decode().strip() == desk.session.base
    desk.check()


@pytest.mark.soak
def test_circles_are_refused(many: Desk) -> None:
    """A dependency that closes a circle of any length is refused, and nothing is stored."""
    before = ids(many)
    for below, above in (("p", "p"), ("q", "r"), ("q", "s"), ("p", "s")):
        with pytest.raises(Refused):
            depend_patch(many.ctx, Asked("patch.depend", {"patch": below, "on": above}, many.who))
    assert ids(many) == before
    depend_patch(many.ctx, Asked("patch.depend", {"patch": "s", "on": "r"}, many.who))
    assert ids(many) == before
