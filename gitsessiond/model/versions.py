"""What sets of owners make of the files, as overlays of the base tree: path -> entry, None: gone."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from gitsessiond.model.files import (
    File,
    Tools,
    Version,
    in_base,
    labels_in,
    last_path,
    live_version,
    marks_of,
    version_of,
)
from gitsessiond.model.fileset import Files, committed
from gitsessiond.model.graph import graph_of
from gitsessiond.model.hard import directories
from gitsessiond.model.owners import Owners, changed_files, files_of
from gitsessiond.model.registers import EVERYONE, Fact, Value
from gitsessiond.model.values import BASE, SYMLINK, UNASSIGNED, Entry, Placed
from gitsessiond.model.weave import Run, edits, join_lines

Overlay = dict[bytes, Entry | None]


class Op(NamedTuple):
    """One path that differs between a patch and what it stands on.

    ``kind``: ``add``, ``modify``, ``delete``, ``rename``, ``chmod``, ``symlink``. A rename may change the
    content too.
    """

    kind: str
    path: bytes
    old_path: bytes | None
    blob: str | None
    old_blob: str | None


def overlay_of(files: Iterable[tuple[File, Version]]) -> Overlay:
    """The paths at which these versions differ from the base; a file that takes another's path wins."""
    pairs = list(files)
    out: Overlay = {}
    for file, found in pairs:
        if file.base_path is not None and (found is None or found[0] != file.base_path):
            out[file.base_path] = None
    for file, found in pairs:
        if found is not None and found != (file.base_path, file.base):
            out[found[0]] = found[1]
    return out


def versions(owners: Owners, who: Container[str], tools: Tools, bit: int | None = None) -> Overlay:
    """The version of a set of owners closed under dependencies, now or as chain commit ``bit`` holds it."""
    if isinstance(who, frozenset | set) and UNASSIGNED not in who:
        files = files_of(owners, who)
    else:
        files = owners.files if bit is None else owners.files.by(committed)
    return overlay_of((file, version_of(file, who, tools, bit)) for file in files.values() if labels_in(file, who))


BACK_TO_BASE = Entry(-1, "")  # in steps between overlays: the later one leaves the path alone


def overlay_step(old: Mapping[bytes, Entry | None], new: Mapping[bytes, Entry | None]) -> Overlay:
    """The paths at which two overlays of one base differ; a path the new one leaves alone is BACK_TO_BASE."""
    step: Overlay = {path: entry for path, entry in new.items() if path not in old or old[path] != entry}
    step.update({path: BACK_TO_BASE for path in old if path not in new})
    return step


def after_step(old: Overlay, step: Overlay) -> Overlay:
    """An overlay after a step from it; the same object where there is none."""
    if not step:
        return old
    out = {**old, **step}
    for path, entry in step.items():
        if entry is BACK_TO_BASE:
            del out[path]
    return out


def version_step(old: Overlay, before: Owners, after: Owners, who: frozenset[str], tools: Tools) -> Overlay | None:
    """The :func:`overlay_step` from ``old``, the version before, to that of after, from the changed Files alone.

    None: they do not tell, because several files have to do with one path.
    """
    taken: Overlay = {}
    put: Overlay = {}
    for fid in changed_files(before, after):
        files = before.files.get(fid), after.files.get(fid)
        one = next(file for file in files if file is not None)
        base = in_base(one)
        was, now = (version_of(file, who, tools) if file is not None else base for file in files)
        if was == now:
            continue
        if was is not None:
            path = was[0]
            if old.get(path, BACK_TO_BASE) != (BACK_TO_BASE if was == base else was[1]):
                return None
            if (now is None or now[0] != path) and path != one.base_path and path in after.files.moves.left.at:
                return None
            taken[path] = None if path == one.base_path else BACK_TO_BASE
        if now is not None:
            if now[0] in put:
                return None
            put[now[0]] = BACK_TO_BASE if now == base else now[1]
    if any(path not in taken and old.get(path) is not None for path in put):
        return None
    return taken | put


def live_overlay(owners: Owners, tools: Tools) -> Overlay:
    """What the disk shows."""
    return overlay_of((file, live_version(file, tools)) for file in owners.files.values())


def with_uncommitted(owners: Owners, pid: str, tip: int | None, tools: Tools) -> Overlay:
    """The chain's last commit (None: the base) with the edits of one patch that it does not hold.

    A file that the patch moves replaces what the commit has in its new place and the disk has no more.
    """
    mine = owners.files.of(pid)
    files = mine if tip is None else {**owners.files.by(committed), **mine}
    in_tip = [committed_version(file, tip, tools) for file in files.values()]
    found = tip_versions(list(files.values()), in_tip, pid, tip, tools)
    return overlay_of(zip(files.values(), found, strict=True))


def tip_versions(
    files: Sequence[File], in_tip: Sequence[Version], pid: str, tip: int | None, tools: Tools
) -> list[Version]:
    """Each File as :func:`with_uncommitted` has it; ``in_tip``: as the tip has it."""
    found = [
        tip_version(file, pid, tip, tools) if pid in marks_of(file).labels else was
        for file, was in zip(files, in_tip, strict=True)
    ]
    pairs = list(zip(in_tip, found, strict=True))
    came = {now[0] for was, now in pairs if now is not None and (was is None or was[0] != now[0])}
    if not came:
        return found
    under = {directory for path in came for directory in directories(path)}

    def stands(was: Version, now: Version) -> bool:
        if was is None or now is None or was[0] != now[0]:
            return True
        return now[0] not in came | under and came.isdisjoint(directories(now[0]))

    return [now if stands(was, now) else None for was, now in pairs]


def committed_version(file: File, tip: int | None, tools: Tools) -> Version:
    """The file in a chain commit (None: in the base)."""
    return in_base(file) if tip is None else version_of(file, EVERYONE, tools, tip)


def tip_version(file: File, pid: str, tip: int | None, tools: Tools) -> Version:
    """One file of :func:`with_uncommitted`."""
    path = at_tip(file.path, file.base_path, pid, tip)
    mode = at_tip(file.mode, file.base_mode, pid, tip)
    oid = at_tip(file.content, file.base_content, pid, tip)
    if path is None or mode is None:
        return None
    if oid is not None:
        return path, Entry(mode, oid)
    return None if file.weave is None else (path, Entry(mode, tools.write(tip_text(file, pid, tip))))


def at_tip(stack: tuple[Fact[Value], ...], base: Value, pid: str | None, tip: int | None) -> Value:
    """A register's value in the tip with one patch's later writes."""
    for fact in reversed(stack):
        if fact.owner == pid or (tip is not None and fact.ins_in >> tip & 1):
            return fact.value
    return base


def tip_text(file: File, pid: str | None, tip: int | None) -> bytes:
    """The lines in the tip with one patch's later edits."""

    def stands(run: Run) -> bool:
        held = tip is not None and bool(run.ins_in >> tip & 1)
        dropped = tip is not None and bool(run.gone_in >> tip & 1)
        return (run.ins in (BASE, pid) or held) and not dropped and (run.gone is None or run.gone != pid)

    runs = file.weave.runs if file.weave else ()
    return join_lines(line for run in runs if stands(run) for line in run.lines)


def uncommitted_paths(owners: Owners, pid: str, tip: int | None) -> list[bytes]:
    """The files in which a patch has edits that the chain's last commit lacks, by their path on disk."""
    mine = owners.files.of(pid).values()
    return sorted(last_path(file) for file in mine if is_ahead(file, pid, tip))


def is_ahead(file: File, pid: str, tip: int | None) -> bool:
    """Whether a patch's part of a file is more than the tip holds."""
    path, held_path = (at_tip(file.path, file.base_path, one, tip) for one in (pid, None))
    if path is None or path != held_path:
        return path != held_path
    mode, held_mode = (at_tip(file.mode, file.base_mode, one, tip) for one in (pid, None))
    content, held_content = (at_tip(file.content, file.base_content, one, tip) for one in (pid, None))
    if (mode, content) != (held_mode, held_content):
        return True
    return content is None and tip_text(file, pid, tip) != tip_text(file, None, tip)


def ops_of(owners: Owners, pid: str, tools: Tools) -> list[Op]:
    """What a patch does to what it stands on, in path order."""
    under = graph_of(owners).closure(pid)
    out: list[Op] = []
    for file in owners.files.of(pid).values():
        op = op_between(version_of(file, under, tools), version_of(file, under | {pid}, tools))
        out += [op] if op is not None else []
    return sorted(out, key=lambda op: op.path)


class OpCount(NamedTuple):
    """How many ops a patch has, with what it takes to count on after a save."""

    ops: int
    files: Files
    under: frozenset[str]


def count_ops(owners: Owners, pid: str, tools: Tools, before: OpCount | None = None) -> OpCount:
    """How many :func:`ops_of` there are; from an earlier count only changed files are looked at."""
    under = graph_of(owners).closure(pid)

    def is_op(file: File | None) -> bool:
        if file is None or pid not in marks_of(file).patches:
            return False
        return version_of(file, under, tools) != version_of(file, under | {pid}, tools)

    if before is None or before.under != under:
        return OpCount(sum(map(is_op, owners.files.of(pid).values())), owners.files, under)
    changed = owners.files.changed_since(before.files)
    step = sum(is_op(owners.files.get(fid)) - is_op(before.files.get(fid)) for fid in changed)
    return OpCount(before.ops + step, owners.files, under)


def op_between(before: Version, after: Version) -> Op | None:
    """The difference of two versions of one file; None: there is none."""
    if before == after:
        return None
    if after is None:
        assert before is not None, "two versions that differ are not both nothing"
        return Op("delete", before[0], None, None, before[1].oid)
    path, entry = after
    if before is None:
        return Op("symlink" if entry.mode == SYMLINK else "add", path, None, entry.oid, None)
    old_path, old = before
    if path != old_path:
        return Op("rename", path, old_path, entry.oid, old.oid)
    if entry.mode == SYMLINK != old.mode:
        return Op("symlink", path, None, entry.oid, old.oid)
    kind = "chmod" if entry.oid == old.oid else "modify"
    return Op(kind, path, None, entry.oid, old.oid)


def edits_of(owners: Owners, pid: str) -> list[Placed]:
    """A patch's edits in path order, whole-file facts first; lines are those of the file on disk."""
    out: list[Placed] = []
    for file in sorted(owners.files.of(pid).values(), key=last_path):
        facts = facts_by(file, {pid})
        out += facts
        made = any(placed.kind == "add" for placed in facts)
        found = edits(file.weave, None) if file.weave and not made else []
        out += [Placed(last_path(file), "line", e.lines, pid, "lines") for e in found if e.owner == pid]
    return out


def facts_by(file: File, labels: Container[str]) -> list[Placed]:
    """The whole-file facts of some owners that count now, as edits: the last of each register."""
    out: list[Placed] = []
    path = last_path(file)
    if file.path and file.path[-1].owner in labels:
        value = file.path[-1].value
        made = file.base_path is None and len({fact.value for fact in file.path}) == 1
        kind = "delete" if value is None else "add" if made else "rename"
        out.append(Placed(path, kind, None, file.path[-1].owner, "file"))
        if kind == "add":
            return out
    if file.mode and file.mode[-1].owner in labels:
        out.append(Placed(path, "mode", None, file.mode[-1].owner, "file"))
    if file.content and file.content[-1].owner in labels:
        out.append(Placed(path, "content", None, file.content[-1].owner, "file"))
    return out
