"""Which owner a whole-file fact goes to: the rules for lines, for things that cannot be cut.

The first that answers:

1. unassigned beneath: unassigned   2. a claim, unless it closes a circle
3. it takes back the last owner's write: that owner
4. a deletion, or lines replaced as a whole: the one patch with a part in the file; several: unassigned
5. over one patch's value: that patch if it is in use, none is, or it made the file; else unassigned
6. nobody's before: the patch in use, the one that changes the file, the only open one, nobody
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from gitsessiond.model.deciding import Rules, Verdict, nobody
from gitsessiond.model.files import File, marks_of
from gitsessiond.model.hard import makers_of
from gitsessiond.model.laying import Laying
from gitsessiond.model.owners import How, PatchState
from gitsessiond.model.registers import Fact, Value, top_owner, under_top
from gitsessiond.model.values import BASE, UNASSIGNED, is_unassigned
from gitsessiond.model.weave import is_patch


class Deciding:
    """The rules of one save or commit. ``laying`` grows while its files are sorted."""

    def __init__(self, how: How, states: dict[str, PatchState], laying: Laying) -> None:
        self.how, self.states, self.laying = how, states, laying
        self.nobodys: str | None = None  # the label for every edit, while it is set

    def state(self, patch: str) -> Literal["open", "merged", "abandoned"]:
        """The state of a patch."""
        return self.states.get(patch, "open")

    def standing(self, owner: str) -> str:
        """A merged patch counts as base, an abandoned one as unassigned."""
        if owner == BASE or is_unassigned(owner):
            return owner[:1] if owner != BASE else BASE
        return {"open": owner, "merged": BASE, "abandoned": UNASSIGNED}[self.state(owner)]

    def editors(self, file: File) -> frozenset[str]:
        """The open patches that change a file in any way."""
        return frozenset(patch for patch in marks_of(file).patches if self.state(patch) == "open")

    def for_lines(self, file: File, path: bytes) -> Rules:
        """The rules for the lines of one file."""
        return Rules(
            current=self.how.current,
            claim=self.nobodys_file(file) or self.how.claim(path),
            state=self.state,
            needs=self.laying.needs,
            editors=self.editors(file),
            diff=self.how.tools.diff,
            nobody=self.how.nobody,
            only=self.how.only,
            makers=makers_of(file),
        )

    def nobodys_file(self, file: File) -> str | None:
        """The label for every edit in a file that is there only by nobody's doing; None for other files."""
        if self.nobodys is not None:
            return self.nobodys
        top = top_owner(file.path)
        if self.standing(top) != UNASSIGNED or file.path[-1].value is None:
            return None
        if under_top(file.path, file.base_path) is not None:
            return None
        return top if is_unassigned(top) else "~on"

    def maker(self, path: bytes, leavers: Iterable[str]) -> Verdict:
        """Who makes a new file; ``leavers`` took away what was in its place."""
        forced = self.nobodys or self.how.forced(path)
        if forced:
            return nobody(forced)
        room = list(leavers)
        if any(self.standing(owner) == UNASSIGNED for owner in room):
            return nobody("~on")
        claim = self.how.claim(path)
        found = Verdict(claim, "claim") if claim else self.free(frozenset())
        return self.uncircled(found, room)

    def writer(
        self,
        file: File,
        stack: tuple[Fact[Value], ...],
        base: Value,
        value: Value,
        path: bytes,
        *,
        over: Collection[str] = (),
        leavers: Collection[str] = (),
    ) -> Verdict:
        """Who writes ``value`` to a register; ``over``: whose edits it replaces besides the last writer's."""
        nobodys = self.nobodys_file(file)
        if nobodys is not None and (self.nobodys is not None or stack is not file.path):
            return nobody(nobodys)
        top = top_owner(stack)
        parties = [owner for owner in dict.fromkeys([top, *over]) if self.standing(owner) != BASE]
        free_standing = [owner for owner in parties if self.standing(owner) == UNASSIGNED]
        claim = self.how.claim(path)
        back = claim is None and self.standing(top) != BASE and value == under_top(stack, base)
        if free_standing:
            if back and parties == [top]:
                return Verdict(top, top[1:] if is_unassigned(top) else "returned")
            sole = len(parties) == 1 and is_unassigned(parties[0])
            return nobody(parties[0] if sole else "~on")
        if any(self.standing(owner) == UNASSIGNED for owner in leavers):
            return nobody("~on")
        if claim:
            found = Verdict(claim, "claim")
        elif back and not over:
            found = Verdict(top, "returned")
        elif len(parties) > 1:
            found = nobody(" ".join(["~file", *sorted(parties)]))
        elif parties:
            made = file.base is None and file.path and file.path[0].owner == parties[0]
            fits = over or made or self.how.current in (None, parties[0])
            found = Verdict(parties[0], "file") if fits else nobody(f"~file {parties[0]}")
        else:
            found = self.free(self.editors(file))
        return self.uncircled(found, [*parties, *leavers])

    def free(self, editors: frozenset[str]) -> Verdict:
        """Who gets what was nobody's."""
        if self.how.current:
            return Verdict(self.how.current, "current")
        if len(editors) == 1:
            return Verdict(next(iter(editors)), "file")
        return Verdict(self.how.only, "only") if self.how.only else nobody(self.how.nobody)

    def uncircled(self, found: Verdict, over: Iterable[str]) -> Verdict:
        """The verdict, or nobody where the patch would come to need one that needs it already."""
        for below in over:
            if is_patch(found.owner) and is_patch(below) and self.laying.needs(below, found.owner):
                return nobody(f"~cycle {below} {found.owner}")
        return found
