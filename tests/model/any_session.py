"""Any session: a list of small numbers read as saves, commits and commands on a few files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from gitsessiond.model.graph import graph_of
from gitsessiond.model.ownership import (
    assign,
    discard_patch,
    live_overlay,
    merged_outside,
    take,
    uncommitted_paths,
    versions,
    with_uncommitted,
)
from gitsessiond.model.values import EXECUTABLE, REGULAR, SYMLINK, Entry
from tests.model.many_files import Desk

BASE = {
    "a.py": b"".join(b"line %d\n" % n for n in range(1, 9)),
    "b.py": b"x\n\nx\n\nx\n\nx\n",
    "dir/c.py": b"one\ntwo\nthree\nfour",
    "bin": b"\0binary",
}
PLACES = ("a.py", "b.py", "dir/c.py", "bin", "new.py", "dir/new.py", "moved.py")
TEXTS = (b"", b"x\n", b"new\n", b"x\n\n", b"line 3\n", b"other\nlines\n")

Step = tuple[int, int, int, int, int]
steps = st.lists(st.tuples(*[st.integers(0, 11)] * 5), max_size=12)


@dataclass
class Player:
    """Plays steps on a desk; each is read modulo what is possible."""

    desk: Desk
    whole_files: bool = True  # also new files, renames, modes, kinds of content
    commits: bool = True

    def play(self, step: Step) -> None:
        """One step; one that is not possible does nothing."""
        kind, who, where, what, more = step
        moves: list[Callable[[int, int, int, int], None]] = [self.edit, self.edit, self.edit, self.edit, self.two]
        if self.whole_files:
            moves += [self.write, self.delete, self.rename, self.chmod]
        if self.commits:
            moves += [self.commit, self.assign]
        moves[kind % len(moves)](who, where, what, more)

    def owner(self, who: int) -> dict[str, str]:
        """In use, by claim, or nobody."""
        patches = self.desk.patches
        if who == 11:
            return {}
        return {"claim" if who % 2 else "current": patches[who // 2 % len(patches)]}

    def path(self, where: int) -> str | None:
        """A path on disk."""
        there = sorted(self.desk.disk)
        return there[where % len(there)].decode() if there else None

    def edited(self, path: str, what: int, more: int) -> bytes | None:
        """The file with some lines replaced, inserted or deleted."""
        entry = self.desk.disk[path.encode()]
        if entry.mode == SYMLINK:
            return None
        lines = self.desk.blobs[entry.oid].splitlines(keepends=True)
        at = more % (len(lines) + 1)
        text = TEXTS[what % len(TEXTS)]
        return b"".join([*lines[:at], text, *lines[at + what % 3 :]])

    def edit(self, who: int, where: int, what: int, more: int) -> None:
        """A save of one file."""
        path = self.path(where)
        text = self.edited(path, what, more) if path else None
        if path and text is not None:
            self.desk.save({path: text}, **self.owner(who))

    def two(self, who: int, where: int, what: int, more: int) -> None:
        """A save of two files at once."""
        paths = dict.fromkeys([self.path(where), self.path(where + 1)])
        found = {path: self.edited(path, what, more) for path in paths if path}
        self.desk.save({path: text for path, text in found.items() if text is not None}, **self.owner(who))

    def free(self, where: int) -> str | None:
        """A path at which a file can be made."""
        for path in PLACES[where % len(PLACES) :] + PLACES:
            if path.encode() not in self.desk.disk:
                return path
        return None

    def write(self, who: int, where: int, what: int, more: int) -> None:
        """A new file, or a file that becomes binary, text or a symlink."""
        content = (b"new\nfile\n", b"\0%d" % what, b"x\n\nx\n", b"")[what % 4]
        path = self.free(where) if more % 2 else self.path(where)
        if path:
            mode = SYMLINK if more > 9 else REGULAR
            self.desk.save({path: self.desk.entry(content, mode)}, **self.owner(who))

    def delete(self, who: int, where: int, what: int, more: int) -> None:
        """A deleted file."""
        path = self.path(where)
        if path:
            self.desk.save({path: None}, **self.owner(who))

    def rename(self, who: int, where: int, what: int, more: int) -> None:
        """A renamed file, edited in the same save or not; perhaps another one is made in its place."""
        old, new = self.path(where), self.free(what)
        if old is None or new is None:
            return
        entry = self.desk.disk[old.encode()]
        text = self.edited(old, what, more) if more % 3 == 0 else None
        after: bytes | Entry = entry if text is None else text
        files: dict[str, bytes | Entry | None] = {new: after}
        if more == 7:
            files[old] = b"in its place\n"
        self.desk.save(files, renames={new: old}, **self.owner(who))

    def chmod(self, who: int, where: int, what: int, more: int) -> None:
        """Another mode."""
        path = self.path(where)
        if path and self.desk.disk[path.encode()].mode != SYMLINK:
            entry = self.desk.disk[path.encode()]
            mode = REGULAR if entry.mode == EXECUTABLE else EXECUTABLE
            self.desk.save({path: Entry(mode, entry.oid)}, **self.owner(who))

    def commit(self, who: int, where: int, what: int, more: int) -> None:
        """A commit of everything, of one patch, or of one path."""
        desk = self.desk
        tip = len(desk.commits) - 1 if desk.commits else None
        patch = desk.patches[who % len(desk.patches)]
        tree = dict(desk.disk)
        if more % 3 == 1:
            below = graph_of(desk.owners).closure(patch)
            if any(uncommitted_paths(desk.owners, one, tip) for one in below):
                return
            tree = desk.tree(with_uncommitted(desk.owners, patch, tip, desk.tools))
        elif more % 3 == 2:
            tree = dict(desk.commits[-1] if desk.commits else desk.base)
            path = PLACES[where % len(PLACES)].encode()
            tree.pop(path, None)
            if path in desk.disk:
                tree[path] = desk.disk[path]
        desk.commit(tree, current=patch)
        if more % 3 == 1:
            assert not uncommitted_paths(desk.owners, patch, len(desk.commits) - 1)

    def assign(self, who: int, where: int, what: int, more: int) -> None:
        """Edits given to a patch."""
        desk = self.desk
        to = desk.patches[who % len(desk.patches)]
        path = self.path(where)
        if more % 3 == 0 or path is None:
            done = assign(desk.owners, to, desk.how())
        elif more % 3 == 1:
            done = assign(desk.owners, to, desk.how(), path=path.encode())
        else:
            done = assign(desk.owners, to, desk.how(), path=path.encode(), lines=(what, what + more))
        desk.owners = done.owners
        desk.check()


class Commander(Player):
    """A player who also gives edits back, takes, abandons, reopens, discards, merges, and moves the base."""

    def play(self, step: Step) -> None:
        """One step; one in four is a command."""
        kind, who, where, what, more = step
        if kind < 9:
            super().play((who + kind, who, where, what, more))
        else:
            moves = [self.lines, self.give_back, self.take, self.abandon, self.discard, self.merge, self.rebase]
            moves[(what + 3 * more) % len(moves)](who, where, what, more)
        self.desk.check()

    def open(self, who: int) -> str | None:
        """An open patch."""
        found = [patch for patch, state in self.desk.owners.patches if state == "open"]
        return found[who % len(found)] if found else None

    def owner(self, who: int) -> dict[str, str]:
        """Only open patches are in use or claim."""
        patch = self.open(who // 2)
        return {} if who == 11 or patch is None else {"claim" if who % 2 else "current": patch}

    def assign(self, who: int, where: int, what: int, more: int) -> None:
        """Edits given to an open patch."""
        to, path = self.open(who), self.path(where)
        if to is not None:
            place = path.encode() if path is not None and more % 3 else None
            self.desk.owners = assign(self.desk.owners, to, self.desk.how(), path=place).owners

    def lines(self, who: int, where: int, what: int, more: int) -> None:
        """Some lines given to an open patch."""
        to, path = self.open(who), self.path(where)
        if to is not None and path is not None:
            span = (what + 1, what + more // 3 + 1)
            self.desk.owners = assign(self.desk.owners, to, self.desk.how(), path=path.encode(), lines=span).owners

    def give_back(self, who: int, where: int, what: int, more: int) -> None:
        """Lines, or all of a file, given to nobody."""
        path = self.path(where)
        if path is not None:
            span = (what + 1, what + more // 3 + 1) if more % 2 else None
            self.desk.owners = assign(self.desk.owners, "~by", self.desk.how(), path=path.encode(), lines=span).owners

    def take(self, who: int, where: int, what: int, more: int) -> None:
        """What is unassigned, taken."""
        to = self.open(who)
        if to is not None:
            self.desk.owners = take(self.desk.owners, to, self.desk.how(), None, everything=bool(more % 2)).owners

    def abandon(self, who: int, where: int, what: int, more: int) -> None:
        """A patch abandoned, or reopened."""
        patch, state = self.desk.owners.patches[who % len(self.desk.owners.patches)]
        if state != "merged":
            self.desk.end(patch, "open" if state == "abandoned" else "abandoned")

    def discard(self, who: int, where: int, what: int, more: int) -> None:
        """A patch's edits taken out of the files; refused, nothing moves."""
        desk, patch = self.desk, self.open(who)
        if patch is not None:
            desk.owners = discard_patch(desk.owners, patch, desk.how()).owners
            desk.disk = desk.tree(live_overlay(desk.owners, desk.tools))

    def merge(self, who: int, where: int, what: int, more: int) -> None:
        """A patch merged as the last commit holds it, all it needs being merged."""
        desk, patch = self.desk, self.open(who)
        states = dict(desk.owners.patches)
        if patch is None or not desk.commits:
            return
        if all(states[below] == "merged" for below in graph_of(desk.owners).closure(patch)):
            desk.owners = merged_outside(desk.owners, patch, len(desk.commits) - 1)
            desk.end(patch, "merged")

    def rebase(self, who: int, where: int, what: int, more: int) -> None:
        """Another base, while there is no chain on it: a file of it changed, renamed, deleted or new."""
        desk = self.desk
        free = [path for path in PLACES if path.encode() not in desk.base]
        if desk.commits or not desk.base or not free:
            return
        path = sorted(desk.base)[where % len(desk.base)]
        old, new = desk.base[path], dict(desk.base)
        if more % 4 < 2:
            del new[path]
        if more % 4 == 1:
            new[free[what % len(free)].encode()] = old
        elif more % 4 == 2:
            new[free[what % len(free)].encode()] = desk.entry(b"of the base\nnew\n")
        elif more % 4 == 3:
            new[path] = desk.entry(desk.blobs[old.oid] + b"theirs\n")
        desk.move_base(new)


def held_versions(desk: Desk) -> dict[str, tuple[frozenset[str], dict[bytes, Entry | None]]]:
    """Each patch's set (closure and itself) and version."""
    graph = graph_of(desk.owners)
    sets = {patch: graph.closure(patch) | {patch} for patch in desk.patches}
    return {patch: (who, versions(desk.owners, who, desk.tools)) for patch, who in sets.items()}
