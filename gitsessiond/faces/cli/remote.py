"""The commands that talk to a remote: publish, push. git itself does the talking, as a child of the command."""

from __future__ import annotations

import os
from typing import Any

import click

from gitsessiond.faces.cli import gitpush, remotelines
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face
from gitsessiond.faces.cli.terminal import note
from gitsessiond.faces.cli.words import command
from gitsessiond.model.errors import Locked, Moved
from gitsessiond.wire.place import find_place
from gitsessiond.wire.turns import PushTurn

TRIES = 3
MERGES = 10  # of several who push at once, one gets in at a time
NO_ATOMIC = "the receiving end does not support --atomic push"

Reply = dict[str, Any]


@click.command("publish", cls=SessionCommand)
@click.argument("name", metavar="P")
@click.option("--branch", metavar="B", help="The branch to publish it as.  [default: as before, or the patch's name]")
@click.option("--remote", metavar="R", help="The remote.  [default: as before, or where git would push the target]")
@click.option("--replace", metavar="COMMIT", help="Replace what others pushed to the branch, if it is at COMMIT.")
@click.option("--no-verify", is_flag=True, help="Skip the pre-push hook.")
@pass_face
def publish(
    face: Face, *, name: str, branch: str | None, remote: str | None, replace: str | None, no_verify: bool
) -> int:
    """Push the commits of a patch to a branch of its own on a remote, for review

    The open patches it needs go first, each to its own branch. Again after changes, it replaces what it
    pushed before, and only that: exits 12 if somebody else pushed to the branch. Addresses that the remote
    answers are shown.
    """
    asked: Reply = {"patch": name, "branch": branch, "remote": remote, "replace": replace}
    options = ["--no-verify"] if no_verify else []
    with turn(face, command("publish", name)):
        plan, pushed = publish_planned(face, asked, options)
    reply = remotelines.published_reply(plan, pushed)
    face.show(reply, remotelines.publish_lines(reply), reply["notes"])
    return 0


def publish_planned(face: Face, asked: Reply, options: list[str]) -> tuple[Reply, gitpush.Pushed]:
    """Plan, push, record; once more with what the remote has, when it is not what was expected.

    Raises:
        GitSessionError: what the daemon answers, or what the remote does.
    """
    heads: dict[str, str | None] | None = None
    for _ in range(TRIES):
        plan = face.call("publish", **asked, heads=heads)
        if plan["ask"]:
            heads = gitpush.heads_at(plan["remote"], plan["ask"], quiet=face.json)
            continue
        pushed = push_branches(face, plan, options)
        record(face, plan, pushed)
        if not pushed.stale:
            break
        heads = gitpush.heads_at(plan["remote"], [row["branch"] for row in plan["branches"]], quiet=face.json)
    else:
        raise Moved(f"the branches of {plan['remote']} keep moving", hint=command("publish", asked["patch"]))
    if not all(one.landed for one in results(plan, pushed).values()):
        what = " and ".join(row["branch"] for row in plan["branches"])
        raise gitpush.failure(pushed, plan["remote"], what, command("publish", asked["patch"]), quiet=face.json)
    return plan, pushed


def push_branches(face: Face, plan: Reply, options: list[str]) -> gitpush.Pushed:
    """Push every branch of a plan, all or none; one after the other where the remote cannot do that."""
    rows = plan["branches"]
    specs = [f"{row['commit']}:refs/heads/{row['branch']}" for row in rows]
    leases = [f"--force-with-lease=refs/heads/{row['branch']}:{row['expected'] or ''}" for row in rows]
    if len(rows) == 1:
        return gitpush.push(plan["remote"], specs, [*options, *leases], quiet=face.json)
    pushed = gitpush.push(plan["remote"], specs, ["--atomic", *options, *leases], quiet=face.json)
    if NO_ATOMIC not in pushed.complaints:
        return pushed
    refs: tuple[gitpush.RefResult, ...] = ()
    said: tuple[str, ...] = ()
    for spec, lease in zip(specs, leases, strict=True):
        pushed = gitpush.push(plan["remote"], [spec], [*options, lease], quiet=face.json)
        refs, said = refs + pushed.refs, said + pushed.said
        if pushed.code:
            break
    return pushed._replace(refs=refs, said=said)


def results(plan: Reply, pushed: gitpush.Pushed) -> dict[str, gitpush.RefResult]:
    """branch -> what became of it; one git said nothing of did not land."""
    lost = gitpush.RefResult("!", "", "", "")
    goals = {row["branch"]: pushed.of(f"refs/heads/{row['branch']}") for row in plan["branches"]}
    return {branch: one or lost for branch, one in goals.items()}


def record(face: Face, plan: Reply, pushed: gitpush.Pushed) -> None:
    """Have the daemon remember what became of each branch that was begun; of some the end may not be known."""
    told = []
    for row in plan["branches"]:
        one = pushed.of(f"refs/heads/{row['branch']}")
        if row["begun"] and (one is not None or pushed.refused_here):
            fact = {"patch": row["patch"]["id"], **{name: row[name] for name in ("branch", "commit", "tip")}}
            told.append(fact | {"landed": one is not None and one.landed})
    if told:
        urls = remotelines.urls_for(plan["branches"][-1]["branch"], pushed.urls)
        asked = {"patch": plan["patch"]["id"], "remote": plan["remote"], "url": urls[0] if urls else None}
        plan["patch"] = face.call("published", **asked, results=told)["patch"]


@click.command("push", cls=SessionCommand)
@click.argument("remote", metavar="[R]", required=False)
@click.option("--no-verify", is_flag=True, help="Skip the pre-push hook, and commit-msg where both sides are merged.")
@pass_face
def push(face: Face, *, remote: str | None, no_verify: bool) -> int:
    """Push the session's target branch to its remote

    If the remote has commits that the target lacks, they are fetched and merged into it, and it is pushed
    again; nothing is ever forced. Exits 3, and moves nothing, if they clash. One push at a time: the next
    one waits for its turn.
    """
    with turn(face, "git session push"):
        reply = push_target(face, remote, no_verify)
    face.show(reply, remotelines.push_lines(reply), remotelines.push_hints(reply))
    return 0


def push_target(face: Face, wanted: str | None, no_verify: bool) -> Reply:
    """Push; where the remote is ahead, have its commits merged, and push again.

    Raises:
        GitSessionError: what the daemon answers, or what the remote does.
    """
    merged: str | None = None
    output: list[str] = []
    for number in range(1, MERGES + 1):
        plan = face.call("push", remote=wanted)
        remote, target = plan["remote"], plan["target"]
        options = ["--no-verify"] if no_verify else []
        pushed = gitpush.push(remote, [f"refs/heads/{target}"], options, quiet=face.json)
        output += pushed.said
        reply = plan | {"merged": merged, "behind": 0, "pull": None, "tries": number}
        reply |= {"urls": pushed.urls, "output": output}
        mine = [one for one in pushed.refs if one.source == f"refs/heads/{target}"]
        if not pushed.outrun:
            if pushed.code or not mine:
                again = command("push", *([wanted] if wanted else []))
                raise gitpush.failure(pushed, remote, target, again, quiet=face.json)
            return remotelines.pushed_reply(reply, mine[0])
        goal = mine[0].goal
        try:
            theirs = gitpush.fetch(remote, goal, quiet=face.json)
            branch = goal.removeprefix("refs/heads/")
            done = face.call("push.merge", commit=theirs, remote=remote, branch=branch, no_verify=no_verify)
        finally:
            gitpush.let_go()
        merged = done["commit"] if done["merged"] else merged
        if done["behind"]:
            return remotelines.pushed_reply(reply | {"behind": done["behind"], "pull": done["pull"]}, mine[0])
    raise Moved(f"{remote} moved {MERGES} times while {target} was pushed", hint=command("push"))


def turn(face: Face, words: str) -> PushTurn:
    """This command's turn at the remote; while another one's lasts, that is told.

    The turn raises Locked when taken where the other one waits for the very hook that this was called from.
    """

    def waiting(holder: str) -> None:
        if os.environ.get(gitpush.INSIDE):
            raise Locked(f"{words} was called from a hook of {holder}", hint="run it after that push")
        if not face.json:
            note(f"waiting for {holder}")

    return PushTurn(find_place(os.getcwd()), words, waiting)


COMMANDS = (publish, push)
