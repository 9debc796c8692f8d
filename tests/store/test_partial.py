"""A partial clone: objects that only the remote has are fetched when they are needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitsessiond.model.errors import StateUnreadable
from gitsessiond.store.theirs import TheirObjects
from tests.conftest import git


@pytest.fixture
def partial(repo: Path, tmp_path: Path) -> Path:
    """A clone without blobs, nothing of it checked out."""
    git(repo, "config", "uploadpack.allowFilter", "true")
    git(repo, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(repo, "clone", "-q", "--filter=blob:none", "--no-checkout", repo.as_uri(), str(tmp_path / "partial"))
    return tmp_path / "partial"


def test_a_promised_object_is_fetched(repo: Path, partial: Path) -> None:
    """A blob that is not here is read all the same; one that nobody has is none."""
    theirs = TheirObjects(str(partial / ".git"))
    oid = git(repo, "rev-parse", "HEAD:a.txt").decode().strip()
    assert not theirs.has(oid)
    found = theirs.read(oid)
    assert found is not None and found.data == (repo / "a.txt").read_bytes()


def test_a_remote_that_is_gone_is_said(repo: Path, partial: Path) -> None:
    """The object is not called missing: it could not be fetched."""
    oid = git(repo, "rev-parse", "HEAD:a.txt").decode().strip()
    repo.rename(repo.with_name("elsewhere"))
    with pytest.raises(StateUnreadable, match="this is a partial clone") as caught:
        TheirObjects(str(partial / ".git")).read(oid)
    assert caught.value.hint == "git fetch"
