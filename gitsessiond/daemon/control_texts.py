"""What each control file shows, from the recorder's reply (docs/control-files.md). Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Json = Mapping[str, Any]

STATUS, ERRORS, ASSIGN, USE, README = b"STATUS", b"errors", b"assign", b"use", b"README"
PATCHES, REQUESTS, CONFLICTS = b"patches", b"requests", b"conflicts"
SHOWN_ONLY = (b"ops", b"diff")
MOST_ENDED = 20  # merged and abandoned patches that have a directory
MOST_WORDS = 500  # letters of a sentence, or of a hint, that is told
LONGEST = 100  # bytes of a directory's name; a name of 64 characters may have 256

# Names that Windows keeps for itself, whatever follows a dot.
RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)
UNSAFE = re.compile(r'[\x00-\x1f\x7f"*/:<>?\\|]+')

ABOUT = """\
Files of the session in this directory. Reading shows what is; saving, with any editor, acts; deleting is no command.
What was not done stands in `errors`, and beside the file with its words, as NAME.refused.

STATUS                     the session, as `git session` shows it; read only
errors                     what was saved and not done, newest last; save it empty to forget that
use                        the patch that new edits go to; write another's name, or nothing for none
assign                     edits that no patch has, one a line; write the name of a patch behind the arrow
patches/                   a directory for each patch; make one, and there is a new patch; rename it, and it is renamed
patches/NAME/description   save another
patches/NAME/status        write ready, draft, merged (merges it now) or abandoned
patches/NAME/depends-on    the patches it needs, a name a line; add and remove lines
patches/NAME/ops, diff     what it changes; read only
conflicts/ID/PATH          what clashed, with markers; save it without them, and it is resolved
requests/NAME.json         {"verb": "merge", "args": {"patch": "fix"}}: any request of docs/protocol.md;
                           the answer comes as requests/NAME.reply
"""


class Head(NamedTuple):
    """What the first line of STATUS tells of its age."""

    at: str
    pid: int

    def kept(self) -> str:
        """While the daemon runs."""
        return f"# Changed {self.at}; kept current by process {self.pid}: git session daemon status"

    def lapsed(self, why: str) -> str:
        """While nobody can tell what is."""
        return f"# Not kept current since {self.at}: {why}"

    def stopped(self) -> str:
        """After its end."""
        return f"# Stopped {self.at}: what changes from then on is not shown. git session daemon start"

    def ended(self) -> str:
        """After the session's end."""
        return f"# Ended {self.at}: no session is recorded here any more. git session list --all"


def texts_of(view: Json, cached: Mapping[str, Json], panel: Sequence[str]) -> dict[bytes, bytes]:
    """The content of every file but ``errors``; of STATUS what comes below its head.

    ``cached``: ops and diff of each patch, by id, as they came last.
    """
    status = view["status"]
    patches = shown_patches(status["patches"])
    in_use = [patch["name"] for patch in patches.values() if patch["id"] == status["session"]["patch_in_use"]]
    out = {
        README: ABOUT.encode(),
        STATUS: lines_text(panel),
        USE: lines_text(in_use),
        ASSIGN: assign_text(view, [patch["name"] for patch in patches.values()]),
    }
    for directory, patch in patches.items():
        below = PATCHES + b"/" + directory + b"/"
        out[below + b"description"] = described(patch["description"])
        out[below + b"status"] = status_text(patch)
        out[below + b"depends-on"] = lines_text(one["name"] for one in patch["depends_on"])
        out[below + b"ops"] = ops_text(patch, cached.get(patch["id"], {}))
        out[below + b"diff"] = diff_of(patch, cached.get(patch["id"], {}))
    return out


def shown_patches(patches: Sequence[Json], most_ended: int = MOST_ENDED) -> dict[bytes, Json]:
    """The patches that have a directory, by its name: open ones, and the last that ended."""
    ended = [patch["id"] for patch in patches if patch["status"] in ("merged", "abandoned")]
    hidden = set(ended[: max(0, len(ended) - most_ended)])
    out: dict[bytes, Json] = {}
    taken: set[str] = set()
    for patch in patches:
        if patch["id"] not in hidden:
            name = directory_of(patch["name"], patch["id"])
            if name.casefold() in taken:
                name = f"{name[: LONGEST // 4]}~{patch['id']}"
            taken.add(name.casefold())
            out[name.encode()] = patch
    return out


def directory_of(name: str, pid: str) -> str:
    """A patch's name as a directory's, on any system: as it is where that goes, else made fit, with the patch's id."""
    safe = UNSAFE.sub("-", name).rstrip(". ").lstrip(". ")
    while len(safe.encode()) > LONGEST:
        safe = safe[:-1]
    odd = safe != name or RESERVED.match(safe) or name.casefold().endswith(".refused")
    return f"{safe}~{pid[:6]}" if odd else name


def lines_text(lines: Iterable[str]) -> bytes:
    """Lines of text; bytes that were no UTF-8 as they were."""
    return "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape")


def described(text: str) -> bytes:
    """A description as a file: with a newline at its end."""
    return lines_text([text]) if text else b""


def status_text(patch: Json) -> bytes:
    """One word, and what keeps it from being merged, if it is open."""
    out = [patch["status"]]
    if patch["status"] not in ("merged", "abandoned"):
        out += [f"# {one['message']}: {one['hint']}" if one.get("hint") else f"# {one['message']}"
                for one in patch["blockers"]]  # fmt: skip
    elif patch.get("merge_commit"):
        out.append(f"# as {patch['merge_commit']}")
    return lines_text(" ".join(line.split("\n")) for line in out)


def ops_text(patch: Json, found: Json) -> bytes:
    """One line for each path that the patch changes."""
    if found.get("key") == "base":
        return lines_text(merged_words(patch))
    out = []
    for op in found.get("ops", ()):
        names = f"{op['old_path']} -> {op['path']}" if op["kind"] == "rename" else op["path"]
        out.append(f"{op['kind']} {names}")
    if found.get("ops_left"):
        out.append(f"# {found['ops_left']} of them: git session patch ops {patch['id'][:6]}")
    return lines_text(out)


def diff_of(patch: Json, found: Json) -> bytes:
    """The patch's diff, cut where it is long."""
    if found.get("key") == "base":
        return lines_text(merged_words(patch))
    text = str(found.get("diff") or "")
    if found.get("diff_left"):
        text += ("" if text.endswith("\n") or not text else "\n") + (
            f"# cut here, the whole of it: git session patch diff {patch['id'][:6]}\n"
        )
    return text.encode("utf-8", "surrogateescape")


def merged_words(patch: Json) -> list[str]:
    """Where to look for what has landed and is below the session now."""
    commit = patch.get("merge_commit")
    return [f"# merged: git show {commit[:12]}" if commit else f"# merged: git session patch show {patch['id'][:6]}"]


def assign_text(view: Json, names: Sequence[str]) -> bytes:
    """The unassigned edits, an arrow behind each; instructions at the foot."""
    rows = view["unassigned"]
    out = [f"{target_of(row)} -> {marked(row)}" for row in rows]
    if not rows:
        return lines_text(["# Every edit has a patch."])
    still_open = [
        patch["name"] for patch in view["status"]["patches"] if patch["status"] not in ("merged", "abandoned")
    ]
    out += [
        "",
        "# Write the name of a patch behind an arrow and save: that edit goes there. Other lines do nothing.",
        f"# Patches: {', '.join(still_open)}"
        if still_open
        else "# There is no patch yet: mkdir .gitsession/patches/NAME",
    ]
    if view["unassigned_left"]:
        out.append(f"# {view['unassigned_left']} more: git session unassigned")
    return lines_text(out)


def target_of(row: Json) -> str:
    """The argument of ``assign`` that names an edit."""
    return f"{row['path']}:{row['lines'][0]}-{row['lines'][1]}" if row["lines"] else str(row["path"])


def marked(row: Json) -> str:
    """A mark by which the edit is known again when its lines have moved, and what it looks like."""
    words = row["text"] if row["text"] is not None else f"({row['kind']})"
    shown = "".join(letter if letter.isprintable() else " " for letter in words).strip()[:60]
    return f"  # {mark_of(row)} {shown}".rstrip()


def mark_of(row: Json) -> str:
    """The same for the same edit, wherever it is in its file."""
    told = f"{row['path']}\0{row['kind']}\0{row['text']}"
    return hashlib.sha1(told.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()[:8]


def headed(head: str, panel: bytes) -> bytes:
    """STATUS as it is written."""
    return head.encode("utf-8", "surrogateescape") + b"\n\n" + panel


def one_line(text: str) -> str:
    """A sentence as it is told."""
    return cut_short(" ".join(text.split()))


def cut_short(line: str) -> str:
    """A line that is not too long; what is no text in it as it would be written in a program."""
    line = line if len(line) <= MOST_WORDS else line[: MOST_WORDS - 3] + "..."
    try:
        line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        line = line.encode("utf-8", "backslashreplace").decode()
    return line
