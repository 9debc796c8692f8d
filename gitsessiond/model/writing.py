"""What one change of a save or commit writes into a File: facts and lines, each with the owner the rules give it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cached_property

from gitsessiond.model.deciding import Verdict, nobody
from gitsessiond.model.facts import Deciding
from gitsessiond.model.files import File, last_path, marks_of, path_of
from gitsessiond.model.graph import graph_of, strong_edges
from gitsessiond.model.hard import Left
from gitsessiond.model.owners import How, Owners, states_of
from gitsessiond.model.parts import same_kind, without_uncommitted
from gitsessiond.model.place import Decided, place_save
from gitsessiond.model.registers import Fact, held, same_layer, written
from gitsessiond.model.values import Entry, Placed
from gitsessiond.model.weave import Weave, weave_of

Loose = Mapping[str | bytes, str]  # whose path is nobody's whatever the rules say, and its label


class Writing:
    """One save or commit while its Files are written."""

    def __init__(self, owners: Owners, how: How, loose: Loose) -> None:
        self.owners, self.how, self.tools, self.loose = owners, how, how.tools, loose
        self.deciding = Deciding(how, states_of(owners), strong_edges(graph_of(owners)))
        self.placed: list[Placed] = []

    @cached_property
    def left(self) -> Left:
        """The paths that files left, before this save or in it."""
        return Left(besides=self.owners.files.moves.left)

    def key(self, file: File) -> str | bytes:
        """What a File is known by however often a save is sorted: its id may be new each time."""
        if file.id in self.owners.files:
            return file.id
        first = file.path[0].value if file.path else None
        return file.base_path or first or b""

    def path_writer(
        self,
        file: File,
        value: bytes | None,
        path: bytes,
        *,
        over: Collection[str] = (),
        leavers: Collection[str] = (),
    ) -> Verdict:
        """Who writes a File's path."""
        label = self.loose.get(self.key(file))
        if label is not None:
            return nobody(label)
        return self.deciding.writer(file, file.path, file.base_path, value, path, over=over, leavers=leavers)

    def note(self, path: bytes, kind: str, found: Verdict) -> None:
        """Report a whole-file fact."""
        self.placed.append(Placed(path, kind, None, found.owner, found.why))

    def note_lines(self, path: bytes, edits: Iterable[Decided]) -> None:
        """Report edits of lines."""
        self.placed += [Placed(path, "line", edit.lines, edit.owner, edit.why) for edit in edits]

    def new_file(self, path: bytes, entry: Entry) -> File:
        """A file nobody knew: all of it is its maker's."""
        fid = self.tools.new_id()
        label = self.loose.get(path)
        found = nobody(label) if label else self.deciding.maker(path, self.left.leavers(path, fid))
        self.note(path, "add", found)
        text = self.tools.text_of(entry)
        return File(
            id=fid,
            base_path=None,
            base=None,
            path=(Fact(found.owner, path),),
            mode=(Fact(found.owner, entry.mode),),
            content=() if text is not None else (Fact(found.owner, entry.oid),),
            weave=None if text is None else weave_of(text, found.owner, 0),
        )

    def without_path(self, file: File) -> File:
        """The file deleted: an edit over everything that was done in it."""
        path = last_path(file)
        every = marks_of(file).labels
        found = self.path_writer(file, None, path, over=every)
        self.note(path, "delete", found)
        after = replace(file, path=written(file.path, file.base_path, found.owner, None))
        unmade = after.path and not same_layer(after.path[-1].owner, found.owner)
        return without_uncommitted(after, found.owner) if unmade else after

    def at_path(self, file: File, path: bytes) -> File:
        """The file under another name, or back after a deletion."""
        before = path_of(file)
        if before == path:
            return file
        room = self.left.leavers(path, file.id)
        found = self.path_writer(file, path, path, leavers=room)
        self.note(path, "add" if before is None else "rename", found)
        return replace(file, path=written(file.path, file.base_path, found.owner, path))

    def with_mode(self, file: File, mode: int) -> File:
        """The file with another mode."""
        if held(file.mode, file.base_mode) == mode:
            return file
        found = self.deciding.writer(file, file.mode, file.base_mode, mode, last_path(file))
        self.note(last_path(file), "mode", found)
        return replace(file, mode=written(file.mode, file.base_mode, found.owner, mode))

    def with_content(self, file: File, entry: Entry) -> File:
        """The file with other content: a save of its lines, or a fact where one side is not lines.

        A file that becomes another kind (a symlink, say) has its mode from the same owner.
        """
        path = last_path(file)
        text = self.tools.text_of(entry)
        wanted = None if text is not None else entry.oid
        rules = self.deciding.for_lines(file, path)
        other_kind = not same_kind(held(file.mode, file.base_mode), entry.mode)
        if other_kind or wanted != held(file.content, file.base_content):
            found = self.replacer(file, entry.mode, wanted)
            self.note(path, "content", found)
            file = replace(file, content=written(file.content, file.base_content, found.owner, wanted))
            if other_kind:
                mode = written(file.mode, file.base_mode, found.owner, entry.mode)
                file = replace(file, mode=mode)
            if file.weave is None:  # it was never lines: all of them are whoever made it so
                rules = replace(rules, claim=found.owner)
        if text is None:
            return file
        saved = place_save(file.weave or Weave(), text, rules)
        self.note_lines(path, saved.edits)
        return replace(file, weave=saved.weave)

    def replacer(self, file: File, mode: int, wanted: str | None) -> Verdict:
        """Who writes a file's content as a whole; ``wanted`` None: lines instead of it."""
        over = set(marks_of(file).lines) if held(file.content, file.base_content) is None else set()
        if not same_kind(held(file.mode, file.base_mode), mode) and file.mode:
            over.add(file.mode[-1].owner)
        return self.deciding.writer(file, file.content, file.base_content, wanted, last_path(file), over=sorted(over))
