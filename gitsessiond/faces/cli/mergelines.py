"""Replies about commits, merges and conflicts as lines. Pure: a reply in, sentences out.

What goes to stderr as hints is in the functions named ``*_hints``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitsessiond.faces.cli.words import clean, command, name_in, plural, settled, short, short_of

NOTICES = {"resource_lock": "git session locks", "file_edit": "git session"}  # ask nothing; where to see more
AROUND = 3  # lines above and below a place

Json = Mapping[str, Any]


def commit_lines(reply: Json) -> list[str]:
    """``Committed 1a2b3c4 for validation-enhancements: 2 files.``"""
    name, files = clean(reply["patch"]["name"]), plural(reply["files"], "file")
    return [f"Committed {short(reply['commit'])} for {name}: {files}."]


def merge_lines(reply: Json) -> list[str]:
    """What landed, what would land, or what clashes."""
    name, target = clean(reply["patch"]["name"]), reply["target"]
    if reply["conflicts"]:
        count = plural(len(reply["conflicts"]), "conflict")
        verb = "would conflict" if reply["dry_run"] else "did not land"
        ways = [] if reply["dry_run"] else settle_lines(reply["conflicts"])
        return [f"{name} {verb} on {target}: {count}.", *conflict_rows(reply["conflicts"]), *ways]
    files = plural(reply["files"], "file")
    if reply["dry_run"]:
        once = ", once it is ready" if reply["patch"]["status"] == "draft" else ""
        return [f"{name} would merge into {target} without conflict{once}: {files}."]
    if not reply["merged"]:
        return [f"{name} is not merged: {clean(reply.get('message') or 'nothing to do')}"]
    return [f"Merged {name} into {target} as {short(reply['commit'])}{way_words(reply)}: {files}."]


def way_words(reply: Json) -> str:
    """`` (rebase, 3 commits)`` behind a commit; nothing for a plain merge."""
    way = reply["strategy"]
    if way in ("rebase", "squash"):
        return f" ({way}, {plural(reply['commits'], 'commit')})" if reply["commits"] > 1 else f" ({way})"
    return ""


def revert_lines(reply: Json) -> list[str]:
    """What the target lost, and what became of the patch; or what clashes."""
    name, target = clean(reply["patch"]["name"]), reply["target"]
    if reply["conflicts"]:
        count = plural(len(reply["conflicts"]), "conflict")
        rows = conflict_rows(reply["conflicts"])
        return [f"{name} was not reverted on {target}: {count}.", *rows, *settle_lines(reply["conflicts"])]
    if not reply["reverted"]:
        return [f"{name} stays merged into {target}: its revert is given up."]
    again = "It is a draft again, with its edits."
    if reply["commit"] is None:
        return [f"{target} has nothing of {name} any more. {again}"]
    return [f"Reverted {name} on {target} as {short(reply['commit'])}: {plural(reply['files'], 'file')}. {again}"]


def revert_hints(reply: Json) -> list[str]:
    """How to settle what clashed; after it, how to merge the patch again."""
    name = reply["patch"]["name"]
    if reply["conflicts"]:
        return [*settle_hints(reply["conflicts"], command("revert", name)), command("revert", name, "--abort")]
    return [command("merge", name, "--ready")] if reply["reverted"] else []


def merge_hints(reply: Json) -> list[str]:
    """How to settle what clashed; how to merge a draft that would not clash."""
    name = reply["patch"]["name"]
    if reply["dry_run"]:
        draft = reply["patch"]["status"] == "draft" and not reply["conflicts"]
        return [command("merge", name, "--ready")] if draft else []
    return settle_hints(reply["conflicts"], command("merge", name)) if reply["conflicts"] else []


def settle_lines(conflicts: Sequence[Json]) -> list[str]:
    """How to settle the first conflict without a command of ours."""
    first = conflicts[0]
    if first["kind"] == "state_divergence":
        return []
    return [f"Edit {record_file(first)} in any editor and save it without markers, or resolve it by a command."]


def settle_hints(conflicts: Sequence[Json], again: str) -> list[str]:
    """To look at the first conflict, and to settle it; ``again``: the command that goes through afterwards."""
    first = short_of(conflicts[0]["id"], [conflict["id"] for conflict in conflicts])
    return [command("conflict", "show", first), command("resolve", first), again]


def record_file(conflict: Json) -> str:
    """Where the marked text of a conflict can be edited."""
    return str(conflict.get("file") or f".gitsession/conflicts/{conflict['id']}/{conflict['path']}")


def id_alone(conflict: Json) -> str:
    """Enough of the id of a conflict that is shown without the others, of which there may be hundreds."""
    return str(conflict["id"][:6])


def is_notice(conflict: Json) -> bool:
    """Whether a conflict only tells."""
    return conflict["kind"] in NOTICES or conflict["left"] is not None


def conflict_rows(conflicts: Sequence[Json]) -> list[str]:
    """``  kxyz  shop/user.py (content, validation-enhancements)``; where it is no patch's, whose it is."""
    ids = [conflict["id"] for conflict in conflicts]
    out = []
    for one in conflicts:
        if is_notice(one):
            over = "" if one["status"] == "open" else ", over"
            out.append(f"  {short_of(one['id'], ids)}  {clean(one['message'])}{over}")
            continue
        what = "revert of " if one["kind"] == "git_revert" else ""
        patch = f", {what}{name_in(one['patch']) if one.get('patch') else clean(one['labels'][2])}"
        facts = [] if one["status"] == "open" else [f"resolved {settled(one)}".strip()]
        facts = [f"{facts[0].replace('resolved', 'resolution', 1)} is stale"] if one["status"] == "stale" else facts
        if facts and one["resolved_by"] and one["how"] != "auto":
            facts.append(clean(one["resolved_by"]))
        state = "".join(f", {fact}" for fact in facts)
        out.append(f"  {short_of(one['id'], ids)}  {one['path']} ({one['shape']}{patch}{state})")
    return out


def conflicts_lines(reply: Json) -> list[str]:
    """One row for each conflict."""
    return [row.strip() for row in conflict_rows(reply["conflicts"])] or ["No conflict."]


def conflicts_hints(reply: Json) -> list[str]:
    """A look at the first open one, else at one whose resolution is stale; nobody is asked about locks."""
    ids = [one["id"] for one in reply["conflicts"]]
    clashes = [one for one in reply["conflicts"] if not is_notice(one)]
    left = [one for status in ("open", "stale") for one in clashes if one["status"] == status]
    return [command("conflict", "show", short_of(left[0]["id"], ids))] if left else []


def conflict_show_lines(reply: Json) -> list[str]:
    """One conflict: what, between whom, where to edit it, and its text with markers."""
    one = reply["conflict"]
    out = [row.strip() for row in conflict_rows([one])]
    if is_notice(one):
        return out
    if one.get("message"):
        out.append(clean(str(one["message"])))
    base, ours, theirs = one["labels"]
    out.append(f"base: {clean(base)}; ours: {clean(ours)}; theirs: {clean(theirs)}")
    for side in ("ours", "theirs"):
        out += [f"  {side}: {clean(words)}" for words in reply["intent"][side]]
    if reply.get("file"):
        out.append(f"edit: {reply['file']}")
    modes = [one[side]["mode"] for side in ("ours", "theirs") if one[side] and one[side]["mode"]]
    if reply.get("marked") is not None and len(set(modes)) > 1:
        out.append(f"mode: ours {modes[0]}, theirs {modes[1]}")
    if reply.get("marked") is not None:
        out += clash_lines(reply)
    else:
        out += [f"{side}: {clean(reply['told'][side])}" for side in ("base", "ours", "theirs")]
    if one["how"] == "auto" and reply["result"] is not None:
        out += ["", "git made of it:", *str(reply["result"]).removesuffix("\n").split("\n")]
    return out + (before_lines(reply) if one["status"] == "open" else [])


def clash_lines(reply: Json) -> list[str]:
    """The places left to settle, each with a few lines around it; the whole text where it has none."""
    hunks, out, told = reply["hunks"], list[str](), 0
    if not hunks:
        return ["", *str(reply["marked"]).removesuffix("\n").split("\n")]
    lines = str(reply["text"]).removesuffix("\n").split("\n")
    begins = [hunk["line"] - 1 for hunk in hunks]
    for number, (begin, hunk) in enumerate(zip(begins, hunks, strict=True), 1):
        end = begin + len(str(hunk["text"]).removesuffix("\n").split("\n"))
        above, below = max(told, begin - AROUND), min([end + AROUND, *begins[number : number + 1]])
        count = f"{reply['conflict']['path']}:{hunk['line']}, place {number} of {len(hunks)}"
        out += ["", count, *lines[above:below]]
        told = below
    return out


def before_lines(reply: Json) -> list[str]:
    """That the same was resolved before, all of it or in part; where there are no lines, how its file settles it."""
    if reply["remembered"]:
        return ["", "This was resolved before."]
    count = len(reply["hunks"])
    known = sum(hunk["remembered"] is not None for hunk in reply["hunks"])
    if known:
        return ["", f"{known} of {plural(count, 'place')} {'was' if known == 1 else 'were'} resolved before."]
    if count or reply.get("marked") is not None or not reply.get("file"):
        return []
    return ["Leaving one of these lines in its file takes that side."]


def conflict_show_hints(reply: Json) -> list[str]:
    """As it was resolved before; else the walk through its places, or the sides to choose from."""
    one = reply["conflict"]
    if is_notice(one):
        return [NOTICES.get(one["kind"], "git session")]
    if one["status"] != "open":
        again = one["status"] == "resolved" and one["how"] == "auto"
        return [command("conflict", "reopen", id_alone(one))] if again else []
    resolve = command("resolve", id_alone(one))
    if reply["remembered"]:
        return [f"{resolve} --remembered"]
    return [resolve] if reply["hunks"] else [f"{resolve} --ours", f"{resolve} --theirs"]


def reopen_lines(reply: Json) -> list[str]:
    """That it is open again, or was so already, and how to settle it."""
    one = reply["conflict"]
    if not reply["reopened"]:
        return [f"{one['path']} is already open."]
    return [f"{one['path']} is open again: {id_alone(one)}", *settle_lines([one])]


def reopen_hints(reply: Json) -> list[str]:
    """To look at it, to settle it, and then to merge."""
    one = reply["conflict"]
    if one["kind"] == "context_switch":
        return settle_hints([one], command("update"))
    name = name_in(reply.get("patch")) or "P"
    return settle_hints([one], command("revert" if one["kind"] == "git_revert" else "merge", name))


def resolve_lines(reply: Json) -> list[str]:
    """What was settled and what is left."""
    one, left = reply["conflict"], reply["left"]
    how = f" {settled(one)}" if one.get("how") else ""
    rest = f"{plural(len(left), 'conflict')} left." if left else "No conflict is left."
    return [f"Resolved {one['path']}{how}. {rest}"]


def resolve_hints(reply: Json) -> list[str]:
    """The next conflict, or the merge, revert or update that the resolution was for."""
    if reply["left"]:
        ids = [one["id"] for one in reply["left"]]
        return [command("conflict", "show", short_of(ids[0], ids))]
    if reply["conflict"]["kind"] == "context_switch":
        return [command("update")]
    name = name_in(reply.get("patch"))
    again = "revert" if reply["conflict"]["kind"] == "git_revert" else "merge"
    return [command(again, name)] if name else []
