"""Remotes and upstreams of the user's repository, from its configuration and remote-tracking refs: no network."""

from __future__ import annotations

from typing import NamedTuple

from gitsessiond.model.errors import BadRequest, NotFound, Refused
from gitsessiond.store.chain import LOCAL, REMOTE, CommitGraph, commits_apart
from gitsessiond.store.config import Config
from gitsessiond.store.git import run_git


class Standing(NamedTuple):
    """A local branch beside its upstream, as last fetched."""

    name: str  # as git abbreviates it: ``origin/main``
    ahead: int
    behind: int


def standing_of(common_dir: str, branch: str) -> Standing | None:
    """How far a branch is from its upstream; None: it has none, or that was never fetched."""
    graph = CommitGraph(common_dir)
    name, ours = graph.upstream_name(branch), graph.ref(LOCAL + branch)
    theirs = graph.ref(name) if name is not None else None
    if name is None or ours is None or theirs is None:
        return None
    short = name.removeprefix(REMOTE).removeprefix(LOCAL)
    return Standing(short, *commits_apart(common_dir, ours, theirs))


def remotes_of(config: Config) -> list[str]:
    """The names of the configured remotes, in the order of the configuration."""
    keys = [key.split(".", 1)[1].rpartition(".") for key in config.keys("remote.") if key.count(".") > 1]
    return list(dict.fromkeys(name for name, _, what in keys if what in ("url", "pushurl")))


def is_text(name: str) -> bool:
    """Whether a name can be handed to git and kept: UTF-8 without NUL."""
    return "\0" not in name and not any("\udc80" <= letter <= "\udcff" for letter in name)


def is_remote(config: Config, name: str) -> bool:
    """Whether this is a configured remote, or a URL or path."""
    return is_text(name) and (name in remotes_of(config) or any(sign in name for sign in "/:"))


def push_remote(config: Config, branch: str, wanted: str = "") -> str:
    """The remote to push to: as named, else as git's own push finds it for a branch.

    That is ``branch.<name>.pushRemote``, ``remote.pushDefault``, the upstream's remote, the only remote, ``origin``
    (git-config(1), branch.<name>.remote).

    Raises:
        NotFound: none of that name.
        Refused: there is no remote, or none that git would choose.
    """
    remotes = remotes_of(config)
    if wanted:
        if is_remote(config, wanted):
            return wanted
        raise NotFound(f"there is no remote {wanted!r}", hint="git remote -v")
    for key in (f"branch.{branch}.pushRemote", "remote.pushDefault", f"branch.{branch}.remote"):
        found = config.get(key)
        if found and found != ".":
            return found
    if len(remotes) == 1:
        return remotes[0]
    if "origin" in remotes:
        return "origin"
    if not remotes:
        raise Refused("this repository has no remote", hint="git remote add origin URL")
    raise Refused(f"there are several remotes: {', '.join(remotes)}", hint="git config remote.pushDefault NAME")


def review_tip(graph: CommitGraph, config: Config, branch: str, remote: str) -> tuple[str, str] | None:
    """The commit that a branch's upstream was at when it was last fetched, with the upstream's short name.

    Without an upstream, the branch of the same name on ``remote``; None: neither was ever fetched.
    """
    name = graph.upstream_name(branch)
    if name is None or not name.startswith(REMOTE):
        name = f"{REMOTE}{remote}/{branch}" if remote in remotes_of(config) else None
    tip = graph.ref(name) if name is not None else None
    return (tip, name.removeprefix(REMOTE)) if name is not None and tip is not None else None


def check_branch_name(name: str) -> str:
    """The name, without ``refs/heads/``, of a branch that may be pushed to.

    Raises:
        BadRequest: git has no such names.
    """
    short = name.removeprefix(LOCAL)
    if not is_branch_name(short):
        raise BadRequest(f"{name!r} is no name of a branch", hint="see `git help check-ref-format`")
    return short


def is_branch_name(name: str) -> bool:
    """Whether git takes a branch of this name."""
    if not name or name == "HEAD" or not is_text(name):
        return False
    return run_git(["check-ref-format", "--branch", name], cwd="/", check=False).code == 0
