"""Series in the repository: what plain git sees of each patch."""

from __future__ import annotations

import pytest

from gitsessiond.actions.assigning import assign_edits
from gitsessiond.actions.context import Asked
from gitsessiond.actions.patches import depend_patch
from gitsessiond.actions.series import remake_series
from tests.actions.desk import Desk, desk, numbered, text_at
from tests.conftest import git

__all__ = ["desk"]

P1, Q1 = (2, "p first"), (9, "q first")


@pytest.fixture
def it(desk: Desk) -> Desk:
    """One commit over p (a.txt line 2) and q (a.txt line 9, src/b.txt)."""
    desk.save("a.txt", numbered(P1), "p")
    desk.save("a.txt", numbered(P1, Q1), "q")
    desk.save("src/b.txt", "q\n")
    desk.git("commit", "-qam", "both")
    return desk


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
