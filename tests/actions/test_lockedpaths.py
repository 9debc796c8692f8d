"""What a lock covers, by the spellings that names have on disk and in the index."""

from __future__ import annotations

import pytest

from gitsessiond.actions.lockedpaths import covered, covering, path_named, specs
from gitsessiond.model.locks import Hold, Holder, Want
from gitsessiond.model.resources import resource

COMPOSED, APART = "caf\u00e9", "cafe\u0301"


def hold(name: str, *, fold: bool = False) -> Hold:
    return Hold(Want(resource(name, fold=fold), "X"), Holder("bob"), 1, 300.0, 0.0, None)


@pytest.mark.parametrize(
    ("name", "fold", "known", "wanted"),
    [
        ("path/a.py", False, ["a.py", "A.py"], ["a.py"]),
        ("path/A.PY", True, ["a.py", "A.py", "b.py"], ["a.py", "A.py"]),
        ("path/SRC", True, ["src/a", "Src/in/b", "srcs"], ["SRC", "src/a", "Src/in/b"]),
        ("path/SRC/", True, ["src/a", "b"], ["src/a"]),
        ("path/*.PY", True, ["a.py", "b"], ["a.py"]),
        (f"path/{APART}", False, [APART, f"{APART}s"], [APART]),
        (f"path/{COMPOSED}", False, [f"{APART}/a", f"{COMPOSED}/b"], [COMPOSED, f"{APART}/a", f"{COMPOSED}/b"]),
        ("path/new\\*", False, ["new"], ["new*"]),
    ],
)
def test_files_are_found_however_they_are_spelled(name: str, fold: bool, known: list[str], wanted: list[str]) -> None:
    """Also such as nobody knows yet, as the lock says it."""
    holds = [hold(name, fold=fold)]
    found = covered(holds, [one.encode() for one in known])
    assert found == {one.encode() for one in wanted}
    assert all(covering(holds, one.encode()) for one in wanted if one in known)


@pytest.mark.parametrize(
    ("name", "fold", "wanted"),
    [
        ("path/a.py", False, ["(top,literal)a.py"]),
        ("path/A.py", True, ["(top,literal,icase)A.py"]),
        ("path/A*/", True, ["(top,glob,icase)A*", "(top,glob,icase)A*/**"]),
        (f"path/{APART}", False, [f"(top,literal){COMPOSED}", f"(top,literal){APART}"]),
        ("path/a\\*", False, ["(top,literal)a*"]),
        ("path", True, ["(top)"]),
        ("/", True, ["(top)"]),
    ],
)
def test_hooks_ask_git_for_all_spellings(name: str, fold: bool, wanted: list[str]) -> None:
    found = specs(hold(name, fold=fold))
    assert [spec for kind, spec in found if kind == "path"] == [f":{one}" for one in wanted]
    assert [spec for kind, spec in found if kind == "ref"] == (["refs"] if name == "/" else [])


def test_a_lock_is_shown_as_it_was_named() -> None:
    assert path_named(resource("path/Src/A.py", fold=True)) == "Src/A.py"
