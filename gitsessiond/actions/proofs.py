"""From a declared write to owners: which part of each file is proven, and the saves of a call sorted anew by it.

What was recorded while the call ran is taken back to how the files stood before it, the proven part is put in as a save
of the agent's patch, and then what is on disk, as nobody's. That is exact where only saves came between; where a commit
or a command changed who owns what, the proven lines move to the patch, and a whole file's mode or name only if all that
came is proven and nothing was nobody's there before.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from gitsessiond.actions.calls import Call, file_in, unproven
from gitsessiond.actions.claims import claimed_by, held_by_another
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.running import SHELL
from gitsessiond.actions.saves import how_for
from gitsessiond.model.files import last_path, live_version, marks_of
from gitsessiond.model.owners import How, Owners, changed_files, paths_on_disk, with_files
from gitsessiond.model.ownership import assign, sort_save
from gitsessiond.model.proving import LINKING, SETTING_MODES, Declared, Piece, proven_lines, proven_part, said_part
from gitsessiond.model.renames import pair_renames
from gitsessiond.model.values import EXECUTABLE, REGULAR, UNASSIGNED, Change, Entry, Placed, is_binary
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.steps import State
from gitsessiond.store.trees import diff_trees, file_at

LINES = (REGULAR, EXECUTABLE)


class Proof(NamedTuple):
    """A path that changed while a call ran: before it, with what is proven, and as it is now; None: not there.

    ``label``: whose the rest is. A path with nothing proven has ``proven`` as ``before``.
    """

    path: bytes
    before: Entry | None
    proven: Entry | None
    now: Entry | None
    label: str


def proofs_of(ctx: Context, live: Live, call: Call, pid: str, writes: Mapping[bytes, Any]) -> list[Proof]:
    """What is proven of each path that changed while the call ran; other patches' claims are left alone."""
    changed = {one.path: one for one in diff_trees(ctx.store, call.work, live.state.work)}
    if call.command is None:
        found = [path for path in call.paths or () if path in changed]
    else:
        found = [path for path in changed if held_by_another(live.state.session, pid, path) is None]
    out = []
    for path in sorted(found):
        label = unproven(pid) if pid and claimed_by(live.state.session, pid, path) else SHELL
        before, now = changed[path].before, file_at(ctx.store, live.state.work, path)
        if call.command is None:
            origin = None if now is None else origin_of(ctx, call, writes, path)
            proven = proven_write(ctx, origin or before, now, declared_in(writes.get(path)))
        elif call.command.names(path) and not any(other.names(path) for other in call.beside):
            proven = said_write(ctx, call, path, before, now)
        else:
            proven = before
        out.append(Proof(path, before, proven, now, label))
    return out


def origin_of(ctx: Context, call: Call, writes: Mapping[bytes, Any], path: bytes) -> Entry | None:
    """The file that a write has moved to this path, as it was before; None: it has moved none there."""
    told = writes.get(path)
    typed = told.get("from") if isinstance(told, dict) else None
    for gone, write in writes.items():
        if typed is not None and write.get("path") == typed and write.get("deleted") is True:
            return file_at(ctx.store, call.work, gone)
    return None


def declared_in(write: Any) -> Declared | None:
    """What a write says it was to do; None: it does not say.

    A write is {"content": base64}, {"deleted": true}, {"cell": text}, or {"pieces": [[old, new, everywhere], ...]}.
    """
    if not isinstance(write, dict):
        return None
    if write.get("deleted") is True:
        return Declared(deleted=True)
    content, pieces, cell = write.get("content"), write.get("pieces"), write.get("cell")
    try:
        if isinstance(cell, str):
            return Declared(cell=text_of(cell))
        if isinstance(content, str):
            return Declared(content=base64.b64decode(content, validate=True))
        if isinstance(pieces, list):
            made = [
                Piece(text_of(one[0]), text_of(one[1]), len(one) > 2 and one[2] is True)
                for one in pieces
                if len(one) > 1
            ]
            return Declared(pieces=tuple(made))
    except (binascii.Error, TypeError, KeyError, AttributeError):
        return None
    return None


def text_of(text: str) -> bytes:
    """A text of a request as bytes of a file; what no file can have fits nowhere."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def proven_write(ctx: Context, before: Entry | None, now: Entry | None, declared: Declared | None) -> Entry | None:
    """The file with as much of a declared write as is on disk."""
    if declared is None:
        return before
    if declared.deleted or now is None:
        return now if declared.deleted and now is None else before
    content = ctx.store.blob(now.oid)
    if now.mode not in LINES or is_binary(content) or before is None or before.mode not in LINES:
        whole = declared.content if declared.content is not None else made_of(declared)
        return now if whole in (content, content.replace(b"\n", b"\r\n")) else before
    old = ctx.store.blob(before.oid)
    if declared.content is not None and b"\r\n" in declared.content and b"\r\n" not in content:
        declared = declared._replace(content=declared.content.replace(b"\r\n", b"\n"))  # as git stores it
    made = None if is_binary(old) else proven_part(old, content, declared, ctx.tools.diff)
    return before if made is None else entry_of(ctx, before, now, content, made)


def made_of(declared: Declared) -> bytes | None:
    """What pieces make of a file that was not there."""
    return b"".join(piece.new for piece in declared.pieces) if declared.pieces else None


def said_write(ctx: Context, call: Call, path: bytes, before: Entry | None, now: Entry | None) -> Entry | None:
    """The file with as much of what a shell command says as is on disk."""
    assert call.command is not None
    if now is None:
        return None if call.command.removes(path) else before
    if now.mode not in LINES or (before is not None and before.mode not in LINES):
        return now if call.command.runs(LINKING, path) else before
    if before is not None and before.mode != now.mode and not call.command.runs(SETTING_MODES, path):
        now = Entry(before.mode, now.oid)
    if before is not None and before.oid == now.oid:
        return now
    content = ctx.store.blob(now.oid)
    old = None if before is None else ctx.store.blob(before.oid)
    if old is None and not content.strip():
        return now if call.command.creates(path) else before
    if is_binary(content) or (old is not None and is_binary(old)):
        return now if content in copied_from(ctx, call, path) else before
    made = said_part(old, content, call.command, copied_from(ctx, call, path), ctx.tools.diff)
    return before if made is None else entry_of(ctx, before, now, content, made)


def copied_from(ctx: Context, call: Call, path: bytes) -> list[bytes]:
    """What the other files that a command names had in them before it ran."""
    assert call.command is not None
    if call.copied is None:
        entries = ((other, file_at(ctx.store, call.work, other)) for other in call.command.paths)
        call.copied = {other: entry.oid for other, entry in entries if entry is not None and entry.mode in LINES}
    return [ctx.store.blob(oid) for other, oid in call.copied.items() if other != path]


def entry_of(ctx: Context, before: Entry | None, now: Entry, content: bytes, made: bytes) -> Entry:
    """The entry of a text; what is on disk is not written again."""
    if made == content:
        return now
    return Entry(before.mode if before else now.mode, ctx.tools.write(made))


def replayed(
    ctx: Context, live: Live, state: State, call: Call, proofs: Sequence[Proof], pid: str
) -> tuple[State, list[Placed]]:
    """The State in which the patch has what is proven, and nobody the rest."""
    how = replace(how_for(ctx, live, state, {}), current=None, only=None)
    again = [
        one for one in proofs if one.proven != one.before and one.path not in call.apart and untouched(state, call, one)
    ]
    placed: list[Placed] = []
    if again:
        made, placed = sorted_again(state, call, again, how, pid)
        if not is_on_disk(ctx, state, made):  # a file went to or came from a path that is not among these
            again, placed, made = [], [], state
        state = made
    for one in proofs:
        if one not in again and one.proven != one.before:
            state, moved = moved_later(ctx, state, call, one, how, pid)
            placed += moved
        elif one not in again:
            placed += left_of(state, one)
    return state, placed


def left_of(state: State, one: Proof) -> list[Placed]:
    """What nobody has at a path; nothing where a patch got it at once, as one does by ``--strict``."""
    file = file_in(state.owners, one.path)
    labels = {one.label} if file is None else {label for label in marks_of(file).labels if label.startswith(UNASSIGNED)}
    return [
        Placed(one.path, "content", None, label, label[1:])
        for label in sorted(labels, key=lambda label: label != one.label)[:1]
    ]


def untouched(state: State, call: Call, one: Proof) -> bool:
    """Whether only saves, all of them seen, have changed what stands for a path since the call began."""
    return one.path in call.seen and file_in(state.owners, one.path) is call.seen[one.path]


def sorted_again(state: State, call: Call, proofs: Sequence[Proof], how: How, pid: str) -> tuple[State, list[Placed]]:
    """The saves of a call sorted anew: the proven part for the patch, then the rest."""
    labels = {one.path: one.label for one in proofs}
    now = {file.id for one in proofs if (file := file_in(state.owners, one.path)) is not None}
    then = {file.id: file for one in proofs if (file := file_in(call.owners, one.path)) is not None}
    owners = with_files(state.owners, then.values(), now - then.keys())
    wrote = changes_between(((one.path, one.before, one.proven) for one in proofs), moved_to(state, call, proofs))
    done = sort_save(owners, wrote, replace(how, claim=lambda path: pid))
    rest = changes_between((one.path, one.proven, one.now) for one in proofs)
    if not rest:
        return replace(state, owners=done.owners), list(done.placed)
    after = sort_save(done.owners, rest, replace(how, claim=lambda path: how.claim(path) or labels.get(path)))
    return replace(state, owners=after.owners), [*done.placed, *after.placed]


def is_on_disk(ctx: Context, before: State, after: State) -> bool:
    """Whether the files that two States own differently are in the later one what the worktree has."""
    changed = changed_files(before.owners, after.owners)
    both = (before.owners.files, after.owners.files)
    files = [known[fid] for known in both for fid in changed if fid in known]
    on_disk, base = paths_on_disk(after.owners), tree_of_commit(ctx.store, after.session.base)
    of_base = {file.base_path for file in after.owners.files.values()}
    for path in {path for file in files for path in (file.base_path, last_path(file)) if path}:
        file = on_disk.get(path)
        if file is not None:
            version = live_version(file, ctx.tools)
            entry = version[1] if version is not None and version[0] == path else None
        else:
            entry = None if path in of_base else file_at(ctx.store, base, path)
        if entry != file_at(ctx.store, after.work, path):
            return False
    return True


def moved_to(state: State, call: Call, proofs: Sequence[Proof]) -> dict[bytes, bytes]:
    """New path -> old path of the files that were moved, as far as both are proven; the saves told by the inode."""
    gone = [one.path for one in proofs if one.before is not None and one.proven is None]
    out: dict[bytes, bytes] = {}
    for one in proofs:
        now = file_in(state.owners, one.path) if one.before is None and one.proven is not None else None
        for path in gone if now is not None else ():
            then = file_in(call.owners, path)
            if now is not None and (now.id == then.id if then is not None else now.base_path == path):
                out[one.path] = path
    return out


def changes_between(
    paths: Iterable[tuple[bytes, Entry | None, Entry | None]], moved: Mapping[bytes, bytes] | None = None
) -> list[Change]:
    """What differs at some paths; as renames those that are known to be, and where the content tells."""
    moved = moved or {}
    changed = {path: (before, after) for path, before, after in paths if before != after}
    renamed = [Change(path, changed[was][0], changed[path][1], was) for path, was in moved.items()]
    left = {path: one for path, one in changed.items() if path not in moved and path not in moved.values()}
    vanished = {path: (before, None) for path, (before, after) in left.items() if before is not None and after is None}
    appeared = {path: (after, None) for path, (before, after) in left.items() if before is None and after is not None}
    stayed = [Change(path, *one) for path, one in left.items() if path not in vanished and path not in appeared]
    return sorted([*renamed, *stayed, *pair_renames(vanished, appeared)], key=lambda change: change.path)


def moved_later(ctx: Context, state: State, call: Call, one: Proof, how: How, pid: str) -> tuple[State, list[Placed]]:
    """The same where commits or commands came between: all of it moves, if nothing else has this reason.

    Else the proven lines do.
    """
    file, then = file_in(state.owners, one.path), file_in(call.owners, one.path)
    if file is None:
        return state, left_of(state, one)
    old = marks_of(then).labels if then is not None else frozenset()
    reasons = {unproven(pid), SHELL}
    if one.proven == one.now and not reasons & old:
        done = assign(state.owners, pid, how, path=one.path, labels=reasons)
        owners, moved = done.owners, list(done.moved)
    else:
        owners, moved = lines_moved(ctx, state.owners, one, how, pid, reasons)
    left = left_of(state, one) if not moved or one.proven != one.now else []
    return replace(state, owners=owners), [*moved, *left]


def lines_moved(
    ctx: Context, owners: Owners, one: Proof, how: How, pid: str, reasons: Collection[str]
) -> tuple[Owners, list[Placed]]:
    """The proven lines of a text, where they are now; of what is no text nothing."""
    moved: list[Placed] = []
    entries = [entry for entry in (one.before, one.now, one.proven) if entry and entry.mode in LINES]
    before, now, proven = (ctx.store.blob(entry.oid) for entry in entries) if len(entries) == 3 else (b"",) * 3
    if not any(map(is_binary, (before, now, proven))):
        for lines in proven_lines(before, now, proven, ctx.tools.diff):
            done = assign(owners, pid, how, path=one.path, lines=lines, labels=reasons)
            found = [edit.lines for edit in done.moved]
            if all(part and lines[0] <= part[0] and part[1] <= lines[1] for part in found):  # not a neighbour's as well
                owners, moved = done.owners, [*moved, *done.moved]
    return owners, moved
