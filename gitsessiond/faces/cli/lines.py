"""Replies about sessions, patches and edits as lines. Pure: a reply in, sentences out.

What goes to stderr as hints is in the functions named ``*_hints``.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from gitsessiond.faces.cli.checklines import check_lines
from gitsessiond.faces.cli.glance import seen_from
from gitsessiond.faces.cli.times import stamp
from gitsessiond.faces.cli.words import (
    OP_WORDS,
    block,
    clean,
    command,
    few,
    listed,
    name_in,
    names_in,
    place,
    plural,
    short,
    short_of,
    typed_path,
    unique,
    upstream_words,
)

Json = Mapping[str, Any]

# Sessions


def start_lines(reply: Json, cwd: str) -> list[str]:
    """``Session NAME on TARGET at BASE, here (branch …). Edit with any editor.``"""
    session = reply["session"]
    begun = f"Session {clean(session['name'])} on {session['target']} at {short(session['base'])}"
    if not reply["new_worktree"]:
        return [f"{begun}, here (branch {session['branch']}). Edit with any editor."]
    why = reply.get("why") or f"branch {session['branch']}"
    return [f"{begun}, in {seen_from(cwd, typed_path(session['worktree']))} ({clean(why)})"]


def start_hints(reply: Json, cwd: str) -> list[str]:
    """What is good to know after a start: edits that were there, directories to copy, where to go."""
    out = []
    before = reply.get("before") or []
    if before:
        out.append(f"{listed(few(before))}: changed before the session; `git session unassigned` lists the edits")
    if reply.get("offered"):
        out.append(f"{listed(few(reply['offered']))} not copied; copy or link what the new worktree needs")
    if (reply["session"].get("upstream") or {}).get("behind"):
        out += upstream_words(reply["session"])
    if reply["new_worktree"]:
        out.append(shlex.join(("cd", seen_from(cwd, typed_path(reply["session"]["worktree"])))))
    return out


def renamed_session_lines(reply: Json) -> list[str]:
    """The session's name and description as they now are."""
    session = reply["session"]
    about = f": {clean(session['description'])}" if session["description"] else ""
    return [f"Session {clean(session['name'])} (branch {session['branch']}){about}"]


def reopened_lines(reply: Json, cwd: str) -> list[str]:
    """Where the session goes on."""
    session = reply["session"]
    place_words = seen_from(cwd, typed_path(session["worktree"]))
    where = "here" if place_words == "here" else f"in {place_words}"
    told = [f"Session {clean(session['name'])} is open again, {where} (branch {session['branch']})."]
    if session["state"] == "parked":
        told.append(f"It is parked: {clean(session['parked'])}; `git session` says how to go on.")
    return told


def close_lines(reply: Json) -> list[str]:
    """What a close landed, what it could not, what it gave up; or what it would."""
    name = clean(reply["session"]["name"])
    if reply["already"]:
        return [f"Session {name} is already closed."]
    merged, failed, abandoned = reply["merged"], reply["failed"], reply["abandoned"]
    if reply["dry_run"]:
        out = [f"Closing {name} would merge {len(merged)} and abandon {len(abandoned)}."]
        out += [f"  would merge {clean(one['name'])}" for one in merged]
        out += [f"  would abandon {clean(one['name'])}" for one in abandoned]
        return out + left_behind_lines(reply, "would not land") + uncommitted_lines(reply, "would take away")
    counts = f"{len(merged)} merged, {len(failed)} failed, {len(abandoned)} abandoned"
    out = [f"Closed session {name}: {counts}."]
    out += [f"  merged {clean(one['name'])} as {short(one['commit'])}" for one in merged]
    out += [f"  failed {clean(one['name'])}: {clean(one['error']['message'])}" for one in failed]
    out += [f"  abandoned {clean(one['name'])}" for one in abandoned]
    return out + left_behind_lines(reply, "did not land") + uncommitted_lines(reply, "took away")


def left_behind_lines(reply: Json, verb: str) -> list[str]:
    """The edits that no patch had, committed or not."""
    rows = reply["unassigned"]
    where = listed(few([place(row) for row in rows]))
    return [f"  {plural(len(rows), 'unassigned edit')} {verb}: {where}"] if rows else []


def uncommitted_lines(reply: Json, verb: str) -> list[str]:
    """What goes with a worktree and is in no commit."""
    paths = reply.get("uncommitted", ())
    return [f"  {verb} uncommitted, kept in the record: {listed(few(paths))}"] if paths else []


def close_hints(reply: Json) -> list[str]:
    """The command for each patch that did not land; how to get the rest back."""
    out = [one["error"]["hint"] for one in reply["failed"] if one["error"].get("hint")]
    if (reply["failed"] or reply["abandoned"] or reply["unassigned"]) and not reply["dry_run"]:
        out.append(command("reopen", "-s", reply["session"]["id"]))
    if reply.get("uncommitted") and not reply["dry_run"]:
        session = reply["session"]
        steps = [
            shlex.join(("git", "worktree", "add", typed_path(session["worktree"]), session["branch"])),
            shlex.join(("cd", typed_path(session["worktree"]))),
            command("reopen"),
            command("restore", ".", "--at", str(session["step"])),
        ]
        out.append(" && ".join(steps))
    return unique(out)


def abandon_lines(reply: Json) -> list[str]:
    """What an abandon gave up."""
    name = clean(reply["session"]["name"])
    if reply["already"]:
        return [f"Session {name} is already {reply['session']['status']}."]
    count = plural(len(reply["abandoned"]), "patch", "patches")
    which = f": {listed(names_in(reply['abandoned']))}" if reply["abandoned"] else ""
    return [f"Abandoned session {name} and {count}{which}. Your files are as they were."]


# Patches


def patch_words(patch: Json) -> str:
    """``validation-enhancements (3 ops, ready to merge)``, as the panel says it."""
    if patch["ready_to_merge"]:
        state = "ready to merge"
    elif patch["status"] == "conflicts":
        state = plural(max(1, len(patch["conflicts"])), "conflict")
    else:
        state = str(patch["status"])
    needs = f", needs {listed(names_in(patch['depends_on']))}" if patch["depends_on"] else ""
    return f"{clean(patch['name'])} ({plural(patch['ops'], 'op')}, {state}{needs})"


def new_patch_lines(reply: Json) -> list[str]:
    """The new patch, and what it took and left."""
    patch, taken, left = reply["patch"], reply["taken"], reply["left"]
    took = f" with {plural(len(taken), 'edit')}: {listed(few([place(edit) for edit in taken]))}" if taken else ""
    out = [f"Patch {clean(patch['name'])}{took}. New edits go to it."]
    out += [f"  left unassigned: {place(edit, edit['reason'])}" for edit in left]
    return out


def patch_list_lines(reply: Json, ids: Sequence[str] = ()) -> list[str]:
    """One row for each patch in the session's order."""
    known = list(ids) or [patch["id"] for patch in reply["patches"]]
    if not reply["patches"]:
        return ["No patch yet."]
    return [f"{short_of(patch['id'], known)}  {patch_words(patch)}" for patch in reply["patches"]]


def patch_show_lines(reply: Json) -> list[str]:
    """All that is known of one patch."""
    patch = reply["patch"]
    out = [f"Patch {patch_words(patch)}"]
    if patch["description"]:
        out += ["  " + clean(line) for line in patch["description"].split("\n")]
    out += [f"Owner: {clean(patch['owner'])}", f"Created: {stamp(patch['created_at'])}"]
    if patch["merged_at"]:
        out.append(f"Merged: {stamp(patch['merged_at'])} as {short(patch['merge_commit'])}{landed_words(patch)}")
    out += block("Blocked:", [clean(str(one["message"])) for one in patch["blockers"]])
    out += block("Ops:", ops_rows(reply["ops"]))
    out += block("Edits:", [place(edit) for edit in reply["edits"]])
    out += block("Commits:", [f"{short(one['oid'])} {clean(one['subject'])}" for one in reply["series"]])
    out += check_lines(reply.get("check"))
    return out


def landed_words(patch: Json) -> str:
    """`` (squash)`` behind the commit of a merged patch; nothing for a plain merge."""
    how = patch["merge_strategy"]
    return "" if how in (None, "merge") else f" ({how})"


def ops_rows(ops: Sequence[Json]) -> list[str]:
    """``changed shop/user.py``, ``renamed a.py to b.py``."""
    out = []
    for op in ops:
        verb = OP_WORDS.get(str(op["kind"]), str(op["kind"]))
        moved = op["kind"] == "rename" and op.get("old_path")
        path = f"{op['old_path']} to {op['path']}" if moved else str(op["path"])
        names = f" ({listed(op['names'])})" if op["names"] else ""
        out.append(f"{verb} {path}{names}")
    return out


def ops_lines(reply: Json) -> list[str]:
    """The ops of a patch, one a line."""
    return ops_rows(reply["ops"]) or ["No ops."]


def use_lines(reply: Json, paths: Sequence[str] = ()) -> list[str]:
    """Where new edits go from now on; all standing claims."""
    patch, claims = reply["patch"], reply["claims"]
    if patch is not None and paths:
        out = [f"New edits of {listed(few(paths))} go to {clean(patch['name'])}."]
    elif patch is not None:
        out = [f"New edits go to {clean(patch['name'])}."]
    elif paths:
        out = [f"No claim on {listed(few(paths))} any more."]
    else:
        out = ["No patch is in use."]
    return out + [f"  claimed: {claim_words(claim)}" for claim in claims]


def claim_words(claim: Json) -> str:
    """``shop/db.py for performance-optimizations``; a claim without paths is for every path."""
    return f"{listed(few(claim['paths']) or ['every path'])} for {name_in(claim['patch'])}"


def ready_lines(reply: Json, undo: bool) -> list[str]:
    """What the patch now is, and the commit made for it, if there was something to commit."""
    patch = reply["patch"]
    if undo:
        return [f"{clean(patch['name'])} is a draft again."]
    made = f"Committed {short(reply['commit'])} for {clean(patch['name'])}. " if reply.get("commit") else ""
    before = {one.get("patch") for one in patch["blockers"] if one["code"] == "dependency"}
    names = names_in(one for one in patch["depends_on"] if one["id"] in before)
    waits = [f"{listed(names)} must be merged first"] if names else []
    waits += [clean(str(one["message"])) for one in patch["blockers"] if one["code"] != "dependency" or not names]
    state = f"ready, but {listed(waits)}" if waits else "ready to merge"
    return [f"{made}{clean(patch['name'])} is {state}."]


def ready_hints(reply: Json) -> list[str]:
    """The merge it is ready for."""
    patch = reply["patch"]
    return [command("merge", patch["name"])] if patch["ready_to_merge"] else []


def depend_lines(reply: Json) -> list[str]:
    """What a patch needs now."""
    patch = reply["patch"]
    if not patch["depends_on"]:
        return [f"{clean(patch['name'])} needs no other patch."]
    return [f"{clean(patch['name'])} needs {listed(names_in(patch['depends_on']))}."]


def patch_abandon_lines(reply: Json, discard: bool) -> list[str]:
    """What became of the patch and its edits."""
    name, count = clean(reply["patch"]["name"]), len(reply["edits"])
    if not count:
        return [f"Abandoned {name}."]
    if discard:
        return [f"Abandoned {name} and took {plural(count, 'edit')} out of the files."]
    stay = "stays" if count == 1 else "stay"
    return [f"Abandoned {name}; {plural(count, 'edit')} {stay} in the files, unassigned."]


def patch_now_lines(reply: Json) -> list[str]:
    """A patch as it now is."""
    return [f"Patch {patch_words(reply['patch'])}"]


# Edits


def unassigned_lines(reply: Json) -> list[str]:
    """One row for each edit that belongs to no patch, with why, and its first line."""
    rows = reply["unassigned"]
    if not rows:
        return ["Every edit belongs to a patch."]
    out = [f"{plural(len(rows), 'unassigned edit')}:"]
    for row in rows:
        out.append(f"  {place(row, row['reason'])}")
        if row.get("text"):
            out.append(f"      {clean(str(row['text']))[:100]}")
    return out


def assign_lines(reply: Json) -> list[str]:
    """What went where, and what stayed and why."""
    moved, refused, patch = reply["moved"], reply["refused"], reply.get("patch")
    name = clean(patch["name"]) if patch else "no patch"
    out = [f"{plural(len(moved), 'edit')} to {name}: {listed(few([place(edit) for edit in moved]))}"] if moved else []
    out += [f"refused: {place(edit)}: {clean(edit['reason'])}" for edit in refused]
    if reply["already"]:
        whose = f"{name}'s" if patch else "unassigned"
        out.append(f"Nothing to assign: {listed(few([place(edit) for edit in reply['already']]))}, {whose} already.")
    return out or ["Nothing to assign."]
