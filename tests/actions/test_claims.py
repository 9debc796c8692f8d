"""Claims: edits of claimed paths go to the patch that holds them; another one is refused; and how they end."""

from __future__ import annotations

import pytest

from gitsessiond.model.errors import Locked, NotFound
from tests.actions.asking import Asking, it

__all__ = ["it"]


@pytest.fixture
def two(it: Asking) -> Asking:
    """Patches p and q, q in use; p has claimed src."""
    it.env = {"GITSESSION_USER": "Ann <a@b>"}
    for name in ("p", "q"):
        it.ask("patch.new", name=name)
    it.ask("patch.use", patch="p", paths=["src"])
    return it


def held(it: Asking) -> dict[str, list[str]]:
    """Who holds what, as the panel is told."""
    return {one["patch"]["name"]: one["paths"] for one in it.ask("session.status")["claims"]}


def paths_of(it: Asking, name: str) -> set[str]:
    return {op["path"] for op in it.ask("patch.ops", patch=name)["ops"]}


def test_edits_of_claimed_paths_go_to_their_patch(two: Asking) -> None:
    """What is below a claimed directory is its patch's, new files too; the rest goes to the patch in use."""
    two.edit("src/b.txt", two.root.joinpath("src/b.txt").read_text(), "other\n")
    (two.root / "src/new.txt").write_text("new\n")
    two.edit("a.txt", "line 2\n", "LINE 2\n")
    two.look()
    assert paths_of(two, "p") == {"src/b.txt", "src/new.txt"} and paths_of(two, "q") == {"a.txt"}


def test_another_patch_is_refused_until_they_are_released(two: Asking) -> None:
    """Exit 11, who holds it and how it is released; nothing of the request is claimed."""
    for path in ("src", "src/b.txt", "src/not/there.txt", "."):
        with pytest.raises(Locked) as refused:
            two.ask("patch.use", patch="q", paths=["a.txt", path])
        assert refused.value.exit_code == 11 and refused.value.reason == "claimed"
        assert "claimed for p, by Ann <a@b>" in refused.value.message
        assert refused.value.hint == "git session patch use - src"
    assert held(two) == {"p": ["src"]}
    two.ask("patch.use", patch="p", paths=["src/b.txt", "src", "a.txt", "b.txt"])  # what is held is not held twice
    assert [one["paths"] for one in two.ask("session.status")["claims"]] == [["src"], ["a.txt", "b.txt"]]
    with pytest.raises(NotFound, match=r"src/b\.txt is claimed with src") as part:
        two.ask("patch.use", patch="-", paths=["src/b.txt"])
    assert part.value.hint == "git session patch use - src"
    with pytest.raises(NotFound, match=r"nobody claims c\.txt"):
        two.ask("patch.use", patch="-", paths=["src", "c.txt"])
    two.ask("patch.use", patch="-", paths=["a.txt"])
    two.edit("a.txt", "line 2\n", "LINE 2\n")
    two.look()
    assert paths_of(two, "q") == {"a.txt"}
    two.ask("patch.use", patch="q", paths=["a.txt"])
    claims = two.ask("session.status")["claims"]
    assert [(one["patch"]["name"], one["paths"]) for one in claims] == [
        ("p", ["src"]),
        ("p", ["b.txt"]),
        ("q", ["a.txt"]),
    ]
    two.ask("patch.use", patch="-", paths=["."])
    assert held(two) == {}


def test_a_strict_patch_claims_what_nobody_claims_by_name(two: Asking) -> None:
    """It neither refuses the claims of others nor loses to them; what `restore --patch P` brings back is P's."""
    two.ask("patch.use", patch="q", paths=[], strict=True)
    two.ask("patch.use", patch="p", paths=["a.txt"])
    two.edit("a.txt", "line 2\n", "LINE 2\n")
    (two.root / "new.txt").write_text("new\n")
    two.look()
    assert paths_of(two, "p") == {"a.txt"} and paths_of(two, "q") == {"new.txt"}
    step = two.ask("session.status")["session"]["step"]
    (two.root / "new.txt").unlink()
    two.look()
    two.ask("restore", path="new.txt", at=str(step), patch="p")
    assert paths_of(two, "p") == {"a.txt", "new.txt"} and paths_of(two, "q") == set()


def test_a_claim_outlives_the_daemon_and_ends_with_its_patch(two: Asking) -> None:
    """It is recorded with the session; abandoned or merged, a patch holds nothing."""
    two.restart()
    assert held(two) == {"p": ["src"]}
    two.ask("patch.abandon", patch="p")
    assert held(two) == {}
    two.ask("patch.use", patch="q", paths=["a.txt"])
    two.edit("a.txt", "line 2\n", "LINE 2\n")
    assert two.merge("q")["merged"] and held(two) == {}
