"""Commits put on another commit one by one, as ``git rebase`` and ``git cherry-pick`` do, without a worktree.

What a patch changed is known exactly, so the ancestor of each merge is the commit's own parent, never a merge base
that git would look for: where a patch below landed by rebase or squash, the target has what it did, but not its
commits.
"""

from __future__ import annotations

from typing import NamedTuple

from gitsessiond.model.commits import CommitFacts, commit_data, parse_commit
from gitsessiond.model.errors import Refused
from gitsessiond.store.authoring import Asker, made_by_git
from gitsessiond.store.git import run_git
from gitsessiond.store.identity import asker_env
from gitsessiond.store.layers import LandingLayer, objects_lacking
from gitsessiond.store.merge import TreeMerge, git_merge_trees
from gitsessiond.store.repository import Repository
from gitsessiond.store.walk import disjoint_merge


class Pick(NamedTuple):
    """A commit that is made again, and the tree it has in its new place."""

    facts: CommitFacts
    tree: str


class Three(NamedTuple):
    """The trees of a merge: what ``theirs`` was made from, where it is to go, and itself."""

    base: str
    ours: str
    theirs: str


def merge_on(repository: Repository, layer: LandingLayer, three: Three, labels: tuple[str, str], cwd: str) -> TreeMerge:
    """Merge trees of the layer; what is made goes into the layer.

    Raises:
        StoreFailed: git failed; a conflict is no failure.
    """
    merge = disjoint_merge(layer, *three)
    if merge is None:
        merge = git_merge_trees(repository, *three, objects=objects_lacking(layer, three), labels=labels, cwd=cwd)
    layer.made.update(merge.made)
    return merge


def write_picks(layer: LandingLayer, onto: str, picks: tuple[Pick, ...], asker: Asker, *, sign: bool) -> CommitFacts:
    """The picked commits on top of ``onto``, durably in the repository: authors, their dates and words as before.

    The committer is the asker, now. Returns the last one.

    Raises:
        Refused: git knows no identity, or could not sign.
        StoreFailed: the disk refused.
    """
    committer = b"" if sign else committer_now(asker)
    tip, facts = onto, parse_commit(onto, layer.read(onto).data)
    for pick in picks:
        wanted = in_utf8(pick.facts)._replace(
            tree=pick.tree, parents=(tip, *pick.facts.parents[1:]), committer=committer
        )
        if sign:
            author = as_author(asker, wanted.author)
            facts = made_by_git(layer, wanted.tree, wanted.parents, wanted.message, author, sign=True)
            tip = facts.oid
        else:
            tip = layer.put("commit", commit_data(wanted))
            facts = wanted._replace(oid=tip)
    layer.to_repository([tip])
    return facts


def committer_now(asker: Asker) -> bytes:
    """The committer line git would write for the asker now.

    Raises:
        Refused: git knows no identity.
    """
    told = run_git(["var", "GIT_COMMITTER_IDENT"], cwd=asker.cwd, env=asker_env(asker.env), check=False)
    if told.code != 0:
        raise Refused(f"git does not know who commits: {told.words()}", hint="git config --global user.email ADDRESS")
    return told.out.rstrip(b"\n")


def as_author(asker: Asker, line: bytes) -> Asker:
    """The asker, told to make a commit of the author and date in an author line."""
    person, _, when = line.rpartition(b"> ")
    name, _, email = person.rpartition(b"<")
    said = {"NAME": name.strip(), "EMAIL": email, "DATE": b"@" + when}
    named = {f"GIT_AUTHOR_{what}": value.decode("utf-8", "surrogateescape") for what, value in said.items()}
    return asker._replace(env={**asker.env, **named})


def in_utf8(facts: CommitFacts) -> CommitFacts:
    """A commit whose words were in another encoding, in git's own; as it is where these cannot be read."""
    if facts.encoding is None:
        return facts
    name = facts.encoding.decode("ascii", "replace")
    try:
        author, message = (part.decode(name).encode() for part in (facts.author, facts.message))
    except (LookupError, UnicodeError):
        return facts
    return facts._replace(author=author, message=message, encoding=None)


def is_signed(commit: bytes) -> bool:
    """Whether a commit object has a signature."""
    return b"\ngpgsig " in commit.partition(b"\n\n")[0]
