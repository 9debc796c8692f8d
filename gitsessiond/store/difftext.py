"""The diff of two contents of a file as git prints it, without a process of git's: nothing has to be packed for it."""

from __future__ import annotations

import pygit2

from gitsessiond.model.names import quote_path
from gitsessiond.model.values import GITLINK, Entry

NO_FILE = "/dev/null"
SHORT = 7

Named = tuple[bytes, Entry]


def diff_text(before: Named | None, after: Named | None, old: bytes | None, new: bytes | None) -> bytes:
    """One file's part of a patch; ``old`` and ``new`` are the contents (a link's is its target)."""
    one = after or before
    assert one is not None, "there is no diff of nothing"
    old_name, new_name = side_name("a", (before or one)[0]), side_name("b", one[0])
    out = [f"diff --git {old_name} {new_name}", *mode_lines(before, after)]
    body = b""
    if old != new:
        oids = [entry[1].oid[:SHORT] if entry else "0" * SHORT for entry in (before, after)]
        same_mode = f" {one[1].mode:06o}" if before and after and before[1].mode == after[1].mode else ""
        out.append(f"index {oids[0]}..{oids[1]}{same_mode}")
        body = hunks(old, new)
        if not body:
            out.append(f"Binary files {old_name if before else NO_FILE} and {new_name if after else NO_FILE} differ")
        elif body != EMPTY:
            out += [f"--- {ended(old_name) if before else NO_FILE}", f"+++ {ended(new_name) if after else NO_FILE}"]
    head = "".join(line + "\n" for line in out).encode("utf-8", "surrogateescape")
    return head + (b"" if body == EMPTY else body)


EMPTY = b"\n"  # stands for: both are text, and one of them has no line


def side_name(side: str, path: bytes) -> str:
    """A path with its side's letter, quoted where git would."""
    return quote_path(side.encode() + b"/" + path)


def ended(name: str) -> str:
    """A name with what tells patch(1) where it ends."""
    return name + "\t" if " " in name else name


def mode_lines(before: Named | None, after: Named | None) -> list[str]:
    """What a patch says of a file besides its content."""
    if before is None:
        assert after is not None
        return [f"new file mode {after[1].mode:06o}"]
    if after is None:
        return [f"deleted file mode {before[1].mode:06o}"]
    out = []
    if before[1].mode != after[1].mode:
        out += [f"old mode {before[1].mode:06o}", f"new mode {after[1].mode:06o}"]
    if before[0] != after[0]:
        out += [f"rename from {quote_path(before[0])}", f"rename to {quote_path(after[0])}"]
    return out


def hunks(old: bytes | None, new: bytes | None) -> bytes:
    """What differs, from the first ``@@`` on; nothing where it is binary, EMPTY where no line is told of."""
    patch = pygit2.Patch.create_from(old or b"", new or b"")
    if patch is None or patch.delta.is_binary:
        return b""
    found = patch.data.find(b"\n@@ ")
    return patch.data[found + 1 :] if found >= 0 else EMPTY


def gitlink_text(entry: Entry) -> bytes:
    """What git shows of a submodule's commit."""
    assert entry.mode == GITLINK
    return f"Subproject commit {entry.oid}\n".encode()
