"""The panel: one picture of a session, from the reply of ``status``. Pure.

The picture is a header, trees for editors and patches, what belongs to no patch, what clashes, and what to
type next. Sections without content are left out, except patches and actions; the last line is a command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gitsessiond.faces.cli.editorwords import editor_row, held_words, is_changed, patches_of
from gitsessiond.faces.cli.nextsteps import Step, next_steps
from gitsessiond.faces.cli.terminal import Look
from gitsessiond.faces.cli.words import (
    clean,
    listed,
    name_in,
    names_in,
    place,
    plural,
    short,
    short_of,
    upstream_words,
)

MOST_UNASSIGNED = 10  # rows shown; the rest are counted, `git session unassigned` lists them
MOST_MERGED = 5
MOST_EDITORS = 12  # those saved last
MOST_COLLISIONS = 12
MOST_CLAIMS = 8
MOST_CLAIMED = 4  # paths of one claim
MOST_LOCKS = 8
MOST = 12  # rows of each list to ask for: the largest of them

Json = Mapping[str, Any]


class Sign(NamedTuple):
    """One sign, for terminals that draw emoji and for those that do not."""

    picture: str
    letters: str


SIGNS = {
    "session": Sign("🔄 ", ""),
    "editors": Sign("📝 ", ""),
    "patches": Sign("📦 ", ""),
    "unassigned": Sign("❓ ", ""),
    "conflicts": Sign("💥 ", ""),
    "claims": Sign("🔒 ", ""),
    "locks": Sign("🔐 ", ""),
    "collisions": Sign("👥 ", ""),
    "warnings": Sign("🔔 ", ""),
    "actions": Sign("🔧 ", ""),
    "ready": Sign("✅ ", "[+] "),
    "draft": Sign("📝 ", "[ ] "),
    "conflict": Sign("⚠ ", "[!] "),
    "merged": Sign("🔀 ", "[=] "),
    "abandoned": Sign("🗑 ", "[x] "),
    "new": Sign("🆕 ", "[*] "),
    "branch": Sign("├── ", "|-- "),
    "last": Sign("└── ", "`-- "),
    "next": Sign("➜ ", "-> "),
}

PATCH_STYLE = {"ready": "green", "draft": "", "conflict": "red", "merged": "blue", "abandoned": "dim"}


def panel_lines(status: Json, look: Look) -> list[str]:
    """The whole panel. Sections are parted by empty lines."""
    steps = next_steps(status)
    sections = [
        header(status, look),
        tree("warnings", "Warnings", warning_words(status), look, style="yellow"),
        tree("editors", "Active Editors", editor_words(status), look),
        tree("patches", "Patches in Session", patch_words(status, look), look),
        tree("claims", "Claimed Paths", claim_rows(status), look),
        tree("locks", "Locks", lock_rows(status), look),
        tree("unassigned", "Unassigned Edits", unassigned_words(status), look),
        tree("conflicts", "Conflicts", conflict_words(status), look, style="red"),
        tree("collisions", collision_title(status), collision_words(status), look),
        tree("actions", "Actions", action_words(steps, look), look),
        [look.paint(sign("next", look) + steps[0].command, "bold")],
    ]
    out: list[str] = []
    for section in sections:
        if section:
            out += ["", *section] if out else section
    return out


def sign(name: str, look: Look) -> str:
    """A sign with the space that follows it."""
    return SIGNS[name].letters if look.ascii else SIGNS[name].picture


def tree(icon: str, title: str, rows: Sequence[str], look: Look, style: str = "") -> list[str]:
    """A titled tree of rows; nothing at all when there are none."""
    if not rows:
        return []
    styles = ("bold", style) if style else ("bold",)
    out = [sign(icon, look) + look.paint(title + ":", *styles)]
    for number, row in enumerate(rows, 1):
        out.append(look.paint(sign("last" if number == len(rows) else "branch", look), "dim") + row)
    return out


def header(status: Json, look: Look) -> list[str]:
    """Name, description, and where the session stands."""
    session = status["session"]
    out = [sign("session", look) + "Session: " + look.paint(clean(session["name"]), "bold")]
    if session["description"]:
        out.append("   " + clean(session["description"].split("\n")[0]))
    out.append("   " + look.paint(standing(status), "dim"))
    return out


def standing(status: Json) -> str:
    """One line: branch, base, how far behind, and whatever is not as usual."""
    session = status["session"]
    words = [f"on {session['target']} at {short(session['base'])}", f"branch {session['branch']}"]
    if session["status"] != "open":
        words.append(session["status"])
    elif session["state"] != "live":
        words.append(session["state"])
    if session.get("behind"):
        words.append(f"{session['target']} is {session['behind']} ahead: git session update")
    if session.get("upstream"):
        words += upstream_words(session)
    if status.get("recording_left"):
        words.append(f"recording: {status['recording_left']} left")
    return ", ".join(words)


def warning_words(status: Json) -> list[str]:
    """What the person should know although nothing failed: parked, gaps, whatever the daemon says."""
    session = status["session"]
    out = []
    told = [clean(text) for text in status["warnings"]]
    if session["status"] == "open" and session["state"] == "parked" and not any("parked" in one for one in told):
        why = session.get("parked") or "HEAD is elsewhere"
        out.append(f"parked: {clean(why)}; saves are recorded, sorting waits for {session['branch']}")
    if session["status"] == "open" and session["state"] == "no worktree":
        out.append(f"no worktree: {session['worktree']} is gone; patches and saves are kept")
    if status["gaps"]:
        from gitsessiond.faces.cli.times import gap_words  # datetime is not free either

        out += [gap_words(gap) for gap in status["gaps"]]
    return out + told


def editor_words(status: Json) -> list[str]:
    """``Editor 1: shop/user.py (validation-enhancements patch)`` of those open or saved last."""
    latest = sorted(status["editors"], key=lambda one: (one.get("state") == "open", str(one["last_saved_at"])))
    latest = latest[-MOST_EDITORS:]
    out = [editor_row(editor) for editor in sorted(latest, key=lambda editor: int(editor["number"]))]
    left = len(status["editors"]) - len(latest) + left_of(status, "editors")
    return [*out, f"and {left} more: git session history"] if left else out


def left_of(status: Json, name: str) -> int:
    """How many rows of a list are not in the reply."""
    return int(status.get("left", {}).get(name, 0))


def patch_words(status: Json, look: Look) -> list[str]:
    """One row for each patch in the session's order; only the last few merged ones."""
    patches = status["patches"]
    merged = [patch["id"] for patch in patches if patch["status"] == "merged"]
    hidden = set(merged[:-MOST_MERGED])
    out = [f"{plural(len(hidden), 'patch', 'patches')} merged earlier"] if hidden else []
    out += [patch_row(patch, status, look) for patch in patches if patch["id"] not in hidden]
    if status["session"]["status"] == "open":
        out += new_patch_rows(status, look)
    return out or ["none"]


def patch_row(patch: Json, status: Json, look: Look) -> str:
    """``✅ validation-enhancements (3 ops, ready to merge)``."""
    kind = "conflict" if patch["status"] == "conflicts" else str(patch["status"])
    waits = kind == "ready" and not patch["ready_to_merge"]
    style = "yellow" if waits else PATCH_STYLE[kind]
    name = look.paint(clean(patch["name"]), *([style] if style else []))
    facts = [plural(patch["ops"], "op"), *state_words(patch, status)]
    return f"{sign(kind, look)}{name} ({', '.join(facts)})"


def state_words(patch: Json, status: Json) -> list[str]:
    """What the brackets behind a patch say after its ops."""
    status_by_id = {other["id"]: other["status"] for other in status["patches"]}
    waits = [one for one in patch["depends_on"] if status_by_id.get(one["id"]) != "merged"]
    if patch["status"] == "merged":
        commit = patch.get("merge_commit")
        how = patch.get("merge_strategy")
        return [f"merged as {short(commit)}" if commit else "merged", *([how] if how not in (None, "merge") else [])]
    if patch["status"] == "abandoned":
        return ["abandoned"]
    return [*open_words(patch, status, waits), *published_words(patch)]


def open_words(patch: Json, status: Json, waits: Sequence[Json]) -> list[str]:
    """The same of a patch that is not over, ``waits`` being what it needs."""
    if patch["status"] == "conflicts":
        words = [plural(max(1, len(patch["conflicts"])), "conflict")]
    elif patch["ready_to_merge"]:
        words = ["ready to merge"]
    else:
        words = [str(patch["status"])]
    if patch["id"] == status["session"]["patch_in_use"]:
        words.append("in use")
    if waits:
        words.append("needs " + listed(names_in(waits)))
    others = [one for one in patch["blockers"] if one["code"] not in ("dependency", "conflicts")]
    return words + ["blocked: " + clean(one["message"]) for one in others]


def published_words(patch: Json) -> list[str]:
    """``published to origin/fix``, and whether it has changed since."""
    out = []
    for one in patch["published"]:
        since = "" if one["current"] else ", changed since"
        out.append(f"published to {clean(one['remote'])}/{clean(one['branch'])}{since}")
    return out


def new_patch_rows(status: Json, look: Look) -> list[str]:
    """``🆕 Create new patch for Editor 3...`` for each editor whose work has no patch, else for the edits."""
    loose = [editor for editor in status["editors"] if is_changed(editor) and not patches_of(editor)]
    if 0 < len(loose) + left_of(status, "loose") <= MOST_EDITORS:
        return [f"{sign('new', look)}Create new patch for Editor {editor['number']}..." for editor in loose]
    count = len(status["unassigned"]) + left_of(status, "unassigned")
    if count:
        return [f"{sign('new', look)}Create new patch for {plural(count, 'unassigned edit')}..."]
    if not any(patch["status"] not in ("merged", "abandoned") for patch in status["patches"]):
        return [f"{sign('new', look)}Create new patch..."]
    return []


def claim_rows(status: Json) -> list[str]:
    """``shop/db.py: performance-optimizations``: who holds which paths, one a row for each claim."""
    out = []
    for claim in status["claims"][:MOST_CLAIMS]:
        paths = [clean(str(path)) for path in claim["paths"][:MOST_CLAIMED]]
        more = len(claim["paths"]) - len(paths)
        paths += [f"{more} more"] if more > 0 else []
        by = f", by {clean(claim['by'])}" if claim["by"] not in (None, claim["patch"]["name"]) else ""
        out.append(f"{listed(paths) or 'all other paths'}: {name_in(claim['patch'])}{by}")
    left = len(status["claims"]) - len(out)
    return [*out, f"and {left} more: git session status --json"] if left > 0 else out


def lock_rows(status: Json) -> list[str]:
    """``L shop/db.py: locked by Ann in fix-login, 4 min left``: those of other sessions, and then one's own."""
    out = [lock_row(lock) for lock in status.get("locks", [])[:MOST_LOCKS]]
    left = len(status.get("locks", [])) - len(out)
    return [*out, f"and {left} more: git session locks"] if left > 0 else out


def lock_row(lock: Json) -> str:
    """One of them; before what others must not write stands an L."""
    what = clean(str(lock["path"] or lock["name"]))
    who = clean(str(lock["who"] or lock["client"])).partition(" <")[0]
    where = "here" if lock["own"] else f"in {name_in(lock['session'])}" if lock["session"] else ""
    how = "" if lock["mode"] == "X" else ", to be written"
    words = f"locked by {who}" + f" {where}" * bool(where) + how
    return f"{'  ' if lock['own'] else 'L '}{what}: {words}, {time_left(lock['expires_in'])} left"


def time_left(seconds: float) -> str:
    """``4 min``; what is short is not told by the second, for it is not shown so often."""
    minutes = round(seconds / 60)
    return "less than 1 min" if minutes < 1 else f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"


def unassigned_words(status: Json) -> list[str]:
    """``shop/user.py:10-12 (lines of p and q)``; the first few of many."""
    rows = status["unassigned"]
    out = [place(row, row["reason"]) for row in rows[:MOST_UNASSIGNED]]
    left = len(rows) - MOST_UNASSIGNED + left_of(status, "unassigned")
    return [*out, f"and {left} more: git session unassigned"] if left > 0 else out


def conflict_words(status: Json) -> list[str]:
    """``kxyz: shop/user.py (content, in validation-enhancements)``: the open ones."""
    ids = [conflict["id"] for conflict in status["conflicts"]]
    out = []
    for conflict in status["conflicts"]:
        if conflict["kind"] == "resource_lock":
            out.append(f"{short_of(conflict['id'], ids)}: {clean(conflict['message'])}")
        elif conflict["status"] != "resolved":
            what = "revert of" if conflict["kind"] == "git_revert" else "in"
            whose = name_in(conflict["patch"]) if conflict["patch"] else clean(conflict["labels"][2])
            where = f", {what} {whose}"
            stale = ", resolution is stale" if conflict["status"] == "stale" else ""
            out.append(f"{short_of(conflict['id'], ids)}: {conflict['path']} ({conflict['shape']}{where}{stale})")
    return out


LEVELS = {
    "open": "also open in", "path": "also changed in", "overlap": "same lines changed in",
    "conflict": "will conflict with",
}  # fmt: skip


def collision_title(status: Json) -> str:
    """What the rows are about: where nothing is changed elsewhere, that it is open."""
    changed = any(one.get("level") != "open" for one in status["collisions"])
    return "Also Changed Elsewhere" if changed else "Also Open Elsewhere"


def collision_words(status: Json) -> list[str]:
    """``shop/user.py, also changed in fix-login (patch login-form)``."""
    out = []
    for one in status["collisions"][:MOST_COLLISIONS]:
        what = f"{one['path']} {one['symbol']}" if one.get("symbol") else str(one["path"])
        patch = name_in(one.get("with_patch"))
        level = LEVELS.get(str(one.get("level")), LEVELS["path"])
        is_open = one.get("level") == "open" or one.get("program")
        facts = [f"patch {patch}"] * bool(patch) + [held_words({**one, "state": "open"})] * bool(is_open)
        out.append(f"{what}, {level} {name_in(one['with_session'])}" + (f" ({', '.join(facts)})" if facts else ""))
    left = len(status["collisions"]) - MOST_COLLISIONS + left_of(status, "collisions")
    return [*out, f"and {left} more"] if left > 0 else out


def action_words(steps: Sequence[Step], look: Look) -> list[str]:
    """The commands that make sense now, each with what it does, in one column each."""
    width = min(60, max(len(step.command) for step in steps))
    return [f"{step.command:<{width}}  {look.paint(step.what, 'dim')}" if step.what else step.command for step in steps]
