"""What to type next, most useful first. Pure: from the reply of ``status`` alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gitsessiond.faces.cli.words import clean, command, plural, short_of, upstream_words

Json = Mapping[str, Any]


class Step(NamedTuple):
    """A command and what it does, in a few words."""

    command: str
    what: str = ""


OVER = ("merged", "abandoned")

TOLD = {
    "git session list --all": "see all sessions",
    "git session history": "see what was recorded",
    "git session start NAME": "begin another session",
    "git fetch --unshallow": "fetch the history that is left out here",
}


def next_steps(status: Json) -> list[Step]:
    """At least one step; no command twice. What stops the session comes first, ending it comes last."""
    found: dict[str, Step] = {}
    for step in (*pressing(status), *told(status), *usual(status), *ending(status)):
        if step.command not in found or not found[step.command].what:
            found[step.command] = step
    return list(found.values())


def told(status: Json) -> Iterator[Step]:
    """What the daemon proposes."""
    yield from (Step(clean(text), TOLD.get(text, "")) for text in status["hints"])


def pressing(status: Json) -> Iterator[Step]:
    """What comes before all else: a session that cannot go on, or a patch in conflict."""
    session = status["session"]
    if session["status"] != "open":
        yield Step(command("reopen", "-s", session["id"]), "take this session up again")
        return
    if session["state"] == "no worktree":
        yield from (Step(clean(text), "bring the worktree back") for text in status["hints"][:1])
    elif session["git_at_work"]:
        command_at_work = session["git_at_work"]
        yield Step(f"git {command_at_work} --continue", f"go on with the {command_at_work} that stopped here")
        yield Step(f"git {command_at_work} --abort", "go back to before it")
    elif session["state"] == "parked":
        for text in status["hints"][:1]:
            asks = text == "git status"
            what = "see how to end that" if asks else "go back to the session's branch; sorting goes on there"
            yield Step(clean(text), what)
    ids = [conflict["id"] for conflict in status["conflicts"]]
    for conflict in status["conflicts"]:
        if conflict["status"] != "resolved" and conflict["kind"] != "resource_lock":
            yield Step(
                command("conflict", "show", short_of(conflict["id"], ids)),
                f"see the clash in {conflict['path']}",
            )
            return


def usual(status: Json) -> Iterator[Step]:
    """The work itself: merge what is ready, sort what has no patch, finish a draft, begin one.

    None of it while git itself has stopped in the middle: that comes first.
    """
    if status["session"]["status"] != "open" or status["session"]["git_at_work"]:
        return
    patches, unassigned = status["patches"], status["unassigned"]
    for patch in patches:
        if patch["ready_to_merge"] and can_merge(status):
            yield Step(command("merge", patch["name"]), "merge this ready patch alone")
        elif patch["status"] not in OVER and any(not one["current"] for one in patch["published"][-1:]):
            yield Step(command("publish", patch["name"]), "publish what has changed since")
    left = status.get("left", {})
    count = plural(len(unassigned) + left.get("unassigned", 0), "unassigned edit")
    still_open = [patch for patch in patches if patch["status"] not in OVER]
    if unassigned and not still_open:
        first = not patches and {"none"}.issuperset([*(row["code"] for row in unassigned), *left.get("codes", ())])
        what = f"a patch for {count}"
        yield Step("git session patch new NAME" if first else "git session patch new NAME --take", what)
    elif unassigned:
        yield Step("git session assign --all", f"choose a patch for {count}")
    for patch in drafts_to_finish(status) if can_merge(status) else ():
        yield Step(command("merge", patch["name"], "--ready"), "declare this patch ready and merge it")
    if status["session"].get("behind"):
        target, count = clean(status["session"]["target"]), plural(status["session"]["behind"], "new commit")
        yield Step(command("update"), f"bring {count} of {target} in")
    upstream = status["session"].get("upstream") or {}
    if upstream.get("behind") and not upstream.get("ahead"):
        words = upstream_words(status["session"])[0]
        yield Step("git session push", f"{clean(words)}: says how to bring that in")
    if not still_open and not unassigned and patches:
        yield Step("git session close", "nothing is left to merge")
    if not still_open and not unassigned:
        yield Step("git session patch new NAME", "name the change you begin; then edit with any editor")
    elif unassigned and still_open:
        yield Step("git session patch new NAME", "begin another patch")
    elif still_open and not any(patch["ops"] for patch in still_open):
        yield Step("git session status", "after editing with any editor: see what was recorded")


def can_merge(status: Json) -> bool:
    """Whether anything can go to the target: it is there, and has a commit in common with the session."""
    return status["session"]["behind"] is not None


def drafts_to_finish(status: Json) -> list[Json]:
    """Drafts that wait for no other patch, with work in them or with commits that another waits for."""
    patches = status["patches"]
    done = {patch["id"] for patch in patches if patch["status"] == "merged"}
    needed = {one["id"] for patch in patches if patch["status"] not in OVER for one in patch["depends_on"]}
    return [
        patch
        for patch in patches
        if patch["status"] == "draft"
        and (patch["ops"] or (patch["commits"] and patch["id"] in needed))
        and all(one["id"] in done for one in patch["depends_on"])
    ]


def ending(status: Json) -> Iterator[Step]:
    """The two ways to end a session; after the end, a new one."""
    if status["session"]["status"] != "open":
        yield Step("git session start NAME", "begin another session")
        return
    if status["session"]["git_at_work"]:
        return
    ahead = (status["session"].get("upstream") or {}).get("ahead")
    if ahead:
        session = status["session"]
        yield Step("git session push", f"push {session['target']}: {ahead} ahead of {session['upstream']['name']}")
    yield Step(
        "git session close", f"end the session; merges {'all ready patches' if can_merge(status) else 'nothing'}"
    )
    yield Step("git session abandon", "end the session; merges nothing, keeps your files")
