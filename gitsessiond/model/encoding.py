"""How a File is stored: ``own/<file id>/weave.json`` and ``dead`` beside it (docs/format.md, "Ownership").

``weave.json`` is one JSON object. ``owners`` lists the labels, facts and runs name them by position. A run is
``[inserted by, deleted by or null, held in, deletion held in, lines]``. Masks of chain commits are
hexadecimal text (``""`` none, ``"*"`` every commit). Live lines are those of the blob ``work``, in order;
dead ones are in ``dead``, one after the other, each with a ``\\n``. ``bare`` lists the lines (0-based, over
all runs) that in truth have none. When the disk does not show the lines (file deleted, or whole now) ``work``
is null and ``dead`` has all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import accumulate
from typing import Literal, TypeVar

from pydantic import Field, ValidationError

from gitsessiond.model.errors import BadRequest, StateUnreadable
from gitsessiond.model.files import File, facts_of, text_on_disk
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.records import Id, Oid, Record, refuse_newer
from gitsessiond.model.registers import Fact
from gitsessiond.model.values import Entry, ReadBlob
from gitsessiond.model.weave import EVERY_COMMIT, Run, Weave, live, split_lines

Value = TypeVar("Value")
Mask = str  # hexadecimal, lower case, without leading zeros; "" for 0, "*" for every commit


class StoredBase(Record):
    """The file in the base. ``whole``: its content is not lines."""

    path: str
    mode: int
    oid: Oid
    whole: bool


class StoredFile(Record):
    """``weave.json``."""

    format: Literal[1] = 1
    id: Id
    base: StoredBase | None
    owners: tuple[str, ...]
    path: tuple[tuple[int, str | None, Mask], ...]
    mode: tuple[tuple[int, int | None, Mask], ...]
    content: tuple[tuple[int, Oid | None, Mask], ...]
    work: Oid | None
    runs: tuple[tuple[int, int | None, Mask, Mask, int], ...] | None  # None: there is no weave
    bare: tuple[int, ...] = Field(default=())


def encode_file(file: File) -> tuple[bytes, bytes]:
    """The two blobs of a File. Blobs they name (base, work, whole contents) are kept by the caller."""
    owners = sorted(owners_in(file))
    number = {owner: at for at, owner in enumerate(owners)}
    runs = file.weave.runs if file.weave else ()
    on_disk = text_on_disk(file)
    rows = tuple(
        (
            number[run.ins],
            None if run.gone is None else number[run.gone],
            mask_text(run.ins_in),
            mask_text(run.gone_in),
            len(run.lines),
        )
        for run in runs
    )
    ends = accumulate(len(run.lines) for run in runs)
    unseen = (run.lines for run in runs if run.gone is not None or not on_disk)
    dead = b"".join(line for lines in unseen for line in (*lines[:-1], whole_line(lines[-1])))
    stored = StoredFile(
        id=file.id,
        base=stored_base(file),
        owners=tuple(owners),
        path=tuple((number[f.owner], text_or_none(f.value), mask_text(f.ins_in)) for f in file.path),
        mode=tuple((number[f.owner], f.value, mask_text(f.ins_in)) for f in file.mode),
        content=tuple((number[f.owner], f.value, mask_text(f.ins_in)) for f in file.content),
        work=blob_oid(live(file.weave)) if file.weave is not None and on_disk else None,
        runs=None if file.weave is None else rows,
        bare=tuple(end - 1 for end, run in zip(ends, runs, strict=True) if not run.lines[-1].endswith(b"\n")),
    )
    return stored.model_dump_json().encode() + b"\n", dead


def decode_file(data: bytes, dead: bytes, read: ReadBlob) -> File:
    """The File that :func:`encode_file` stored.

    Raises:
        StateUnreadable: not such a record, or lines that do not add up.
        NewerState: a newer ``format``.
    """
    try:
        stored = StoredFile.model_validate_json(data)
        return File(
            id=stored.id,
            base_path=unquote_path(stored.base.path) if stored.base else None,
            base=Entry(stored.base.mode, stored.base.oid) if stored.base else None,
            path=tuple(
                Fact(stored.owners[at], None if text is None else unquote_path(text), mask_of(mask))
                for at, text, mask in stored.path
            ),
            mode=tuple(Fact(stored.owners[at], value, mask_of(mask)) for at, value, mask in stored.mode),
            content=tuple(Fact(stored.owners[at], oid, mask_of(mask)) for at, oid, mask in stored.content),
            weave=None if stored.runs is None else Weave(tuple(runs_of(stored, dead, read))),
            whole=stored.base.whole if stored.base else False,
        )
    except (ValidationError, ValueError, IndexError, BadRequest) as exc:
        if isinstance(exc, ValidationError):
            refuse_newer(exc, "the ownership of a file")
        first = exc.errors()[0]["msg"] if isinstance(exc, ValidationError) else str(exc)
        raise StateUnreadable(f"the ownership of a file cannot be read: {first}", hint="git session doctor") from exc


def runs_of(stored: StoredFile, dead: bytes, read: ReadBlob) -> Iterator[Run]:
    """The runs with their lines, taken from the work blob and ``dead``.

    Raises:
        ValueError: more or fewer lines than the runs count.
    """
    from_disk = iter(split_lines(read(stored.work)) if stored.work else ())
    from_dead = iter(split_lines(dead))
    bare = set(stored.bare)
    at = 0
    for ins, gone, ins_in, gone_in, count in stored.runs or ():
        if count < 1:
            raise ValueError("a run without lines")
        source = from_disk if stored.work and gone is None else from_dead
        lines = []
        for _ in range(count):
            line = next(source, None)
            if line is None:
                raise ValueError("fewer lines than the runs count")
            text = whole_line(line)
            lines.append(text[:-1] if at in bare else text)
            at += 1
        by = None if gone is None else stored.owners[gone]
        yield Run(stored.owners[ins], by, mask_of(ins_in), mask_of(gone_in), tuple(lines))
    if next(from_disk, None) is not None or next(from_dead, None) is not None:
        raise ValueError("more lines than the runs count")


def stored_base(file: File) -> StoredBase | None:
    """The file in the base, as stored."""
    if file.base is None or file.base_path is None:
        return None
    return StoredBase(path=quote_path(file.base_path), mode=file.base.mode, oid=file.base.oid, whole=file.whole)


def owners_in(file: File) -> set[str]:
    """Every label of a file, base and ghosts too."""
    labels = {fact.owner for fact in facts_of(file)}
    for run in file.weave.runs if file.weave else ():
        labels.add(run.ins)
        if run.gone is not None:
            labels.add(run.gone)
    return labels


def mask_text(mask: int) -> Mask:
    """A mask as text."""
    if mask == EVERY_COMMIT:
        return "*"
    return f"{mask:x}" if mask else ""


def mask_of(text: Mask) -> int:
    """The mask that :func:`mask_text` spelled.

    Raises:
        ValueError: not hexadecimal.
    """
    if text == "*":
        return EVERY_COMMIT
    mask = int(text, 16) if text else 0
    if mask_text(mask) != text:
        raise ValueError(f"{text!r} is no mask of commits")
    return mask


def text_or_none(path: bytes | None) -> str | None:
    """A path of a fact, quoted; None stays."""
    return None if path is None else quote_path(path)


def whole_line(line: bytes) -> bytes:
    """The line with its ``\\n``."""
    return line if line.endswith(b"\n") else line + b"\n"


def blob_oid(content: bytes) -> str:
    """git's id of a blob."""
    head = b"blob %d\0" % len(content)
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()
