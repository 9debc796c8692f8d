"""Control files, a client inside front: what is recorded is shown, what is saved is asked for.

One question to the recorder, ``session.files``, tells all that is shown; it is asked when something changed and
nothing else waits, and so seldom that it takes a twentieth of the recorder's time at most. A save is looked at with a
fresh answer, becomes requests as any client's, and the files are shown again.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gitsessiond.daemon.control_acts import Wish, text_of, wished_request, wishes_of
from gitsessiond.daemon.control_dir import HOME, NoSave, Save
from gitsessiond.daemon.control_files import ControlFiles
from gitsessiond.daemon.control_texts import (
    CONFLICTS,
    ERRORS,
    PATCHES,
    REQUESTS,
    STATUS,
    shown_patches,
    texts_of,
)
from gitsessiond.daemon.log import log, log_bug
from gitsessiond.daemon.mailbox import Notice
from gitsessiond.daemon.outbox import Ask, Outbox
from gitsessiond.model.errors import BadRequest, GitSessionError
from gitsessiond.wire.requests import OWN, READS, VERSION, reply_error, reply_ok, request, who_asks

SETTLE_S = 0.05
NEW_S = 0.3  # from a new directory to its patch: a description may come along
SOON_S = 0.15  # from a change to its being shown
LATER_S = 2.0  # the same, in other worktrees than its own
SHARE = 20  # a refresh is this many times as far from the last as that took
GONE_S = 1.0  # files that were deleted come back when no more are for so long: the worktree may be on its way out
LOOK_EVERY_S = 2.0  # where nothing tells of saves
MOST_ROWS = 12  # of each list of the panel
TAKEN, REPLY = b".taken", b".reply"

Message = dict[str, Any]
Panel = Callable[[Mapping[str, Any]], Sequence[str]]
AnswerOwn = Callable[[str, Message], Message]


class Act(NamedTuple):
    """A save, and what is still to be asked for it; ``save`` None: a new directory."""

    path: bytes
    save: Save | None
    wishes: list[Wish]


class Held:
    """One worktree whose control files are kept."""

    def __init__(self, worktree: str) -> None:
        self.worktree = worktree
        self.files = ControlFiles(worktree)
        self.session: str | None = None
        self.cached: dict[str, Message] = {}  # ops and diff by patch
        self.view: Message = {}
        self.places: dict[str, int] = {}  # the inode of each patch's directory
        self.touched: dict[bytes, float] = {}  # saves to be looked at, and when
        self.acts: deque[Act] = deque()
        self.flight: int | None = None  # the question or request that is under way
        self.requests: list[Ask] = []  # of ``requests/``, to be queued
        self.asked: dict[int, bytes] = {}  # those under way, each with its file's name
        self.hurry = False  # somebody waits for what was touched
        self.missing: set[bytes] = set()  # files that were deleted, when it was looked last
        self.outdated = False  # the view is from before an act
        self.due: float | None = None
        self.not_before = 0.0
        self.hold_until = 0.0
        self.asked_at = 0.0
        self.look_at: float | None = None  # when to look for saves that nobody told of


class Controls:
    """The control files of every recorded worktree. Without a panel to show there are none."""

    def __init__(
        self,
        outbox: Outbox,
        panel: Panel | None,
        own: AnswerOwn,
        flush: Callable[[float], None],
        is_polled: Callable[[str], bool],
    ) -> None:
        self._outbox, self._panel, self._own = outbox, panel, own
        self._flush_saves, self._is_polled = flush, is_polled
        self._held: dict[str, Held] = {}
        self._number = 0
        self._paused = False

    # -- what front tells ---------------------------------------------------------------------------------------

    def set(self, worktrees: Iterable[str]) -> None:
        """Keep the control files of these worktrees, and of no other."""
        wanted = list(worktrees) if self._panel is not None else []
        for worktree in [one for one in self._held if one not in wanted]:
            held = self._held.pop(worktree)
            self._guarded(held, held.files.end)
        for worktree in wanted:
            if worktree not in self._held:
                self._held[worktree] = Held(worktree)
                self.changed(worktree, time.monotonic())

    def changed(self, worktree: str | None, now: float) -> None:
        """Something was recorded in a worktree (None: somewhere); show it soon."""
        for held in self._held.values():
            due = now + (SOON_S if worktree in (held.worktree, None) else LATER_S)
            if held.due is None or due < held.due:
                held.due = due

    def takes(self, notice: Notice, now: float) -> bool:
        """Whether a notice is about a control file; such are taken in here, and nobody else has to know."""
        held = self._held.get(notice.worktree or "")
        if not notice.path.startswith(HOME + b"/") or notice.path.startswith(HOME + b"/" + CONFLICTS + b"/"):
            if held is not None and notice.what == "gone" and held.hold_until > now:
                held.hold_until = now + GONE_S
            return False
        if held is not None and not self._paused:
            self._saw(held, notice.what, notice.path[len(HOME) + 1 :], now)
        return True

    def _saw(self, held: Held, what: str, path: bytes, now: float) -> None:
        """Something happened to a control file, or to what may be one."""
        held.files.waiting.discard(path)
        if what in ("gone", "dir"):
            if what == "dir" or (held.files.is_known(path) and held.files.dir.signature(path) is None):
                held.hold_until = now + GONE_S
                self._show_by(held, held.hold_until)
        elif is_patch_directory(path):
            held.touched.setdefault(path, now + NEW_S)
        elif path.endswith(b"/") or not path:  # what was made in it before it was watched, nobody tells
            held.look_at = now + NEW_S
        elif is_writable(path) and not held.files.is_ours(path):
            held.touched[path] = now + SETTLE_S

    def _show_by(self, held: Held, at: float) -> None:
        """Show what is at that time at the latest."""
        held.due = at if held.due is None else min(held.due, at)

    def pause(self, wanted: bool) -> None:
        """Leave the files alone, for they are being removed; they come back when somebody acts again."""
        if self._paused and not wanted:
            self.changed(None, time.monotonic())
        self._paused = wanted

    # -- time ---------------------------------------------------------------------------------------------------

    def next_look(self) -> float | None:
        """When :meth:`tick` has something to do. While the recorder is busy that is when it has answered."""
        times: list[float] = []
        for held in self._held.values() if not self._paused else ():
            if held.flight is None:
                times += held.touched.values()
                if held.due is not None and self._outbox.idle:
                    times.append(max(held.due, held.not_before, held.hold_until))
            if held.look_at is not None:
                times.append(held.look_at)
        return min(times, default=None)

    def tick(self, now: float) -> None:
        """Ask about saves that are quiet, and for what is to be shown."""
        for held in list(self._held.values()) if not self._paused else ():
            if held.look_at is not None and held.look_at <= now:
                self._look(held, now)
            if held.flight is not None:
                continue
            if any(due <= now for due in held.touched.values()):
                self._flush_saves(now)
                self._ask_view(held, now)
            elif held.due is not None and self._outbox.idle and now >= max(held.due, held.not_before, held.hold_until):
                self._ask_view(held, now)

    def flush(self, now: float) -> None:
        """A client's request is about to be queued: what was saved before it is acted on before it."""
        for held in self._held.values() if not self._paused else ():
            if self._is_polled(held.worktree):
                self._look(held, now)
            if held.touched:
                held.hurry = True
                if held.flight is None:
                    self._ask_view(held, now)

    def _look(self, held: Held, now: float) -> None:
        """Look for saves that nobody told of."""
        held.look_at = now + LOOK_EVERY_S if self._is_polled(held.worktree) else None
        if not held.view:
            return
        names = shown_patches(held.view["status"]["patches"], len(held.view["status"]["patches"]))
        for path in texts_of(held.view, held.cached, ()):
            if not held.files.is_ours(path) and held.files.dir.signature(path) is not None:
                held.touched.setdefault(path, now)
        for one in held.files.dir.names(PATCHES):
            path = PATCHES + b"/" + one.name + b"/"
            if one.is_directory and one.name not in names and is_patch_directory(path):
                held.touched.setdefault(path, now + NEW_S)
        for one in held.files.dir.names(REQUESTS):
            path = REQUESTS + b"/" + one.name
            if is_writable(path):
                held.touched.setdefault(path, now)

    # -- asking -------------------------------------------------------------------------------------------------

    def _ask_view(self, held: Held, now: float) -> None:
        """Ask for all that is shown."""
        held.due, held.asked_at = None, now
        known = {pid: found["key"] for pid, found in held.cached.items()}
        wish = Wish("session.files", {"most": MOST_ROWS, "known": known})
        self._ask(held, wish, lambda reply: self._viewed(held, reply))

    def _ask(self, held: Held, wish: Wish, answer: Callable[[Message], None], *, first: bool = False) -> None:
        """Ask the recorder; ``first``: before all that waits, which came after the save that wants it."""
        self._number -= 1
        number = held.flight = self._number
        who = who_asks(held.worktree, held.session, os.environ, acts=wish.verb not in READS)

        def answered(reply: Message) -> None:
            if held.flight == number and self._held.get(held.worktree) is held:
                held.flight = None
                self._guarded(held, lambda: answer(reply))

        ask = Ask(number, request(wish.verb, wish.args, who), False, time.monotonic(), answer=answered)
        if first:
            self._outbox.put_back(ask)
        else:
            self._outbox.put_ask(ask)

    def _guarded(self, held: Held, work: Callable[[], None]) -> None:
        """A bug in what is only a face must not end front."""
        try:
            work()
        except Exception as exc:
            log_bug(f"control files of {held.worktree}", exc)

    def failed(self, error: GitSessionError) -> None:
        """What was under way will not be answered."""
        now = time.monotonic()
        for held in self._held.values():
            asked, held.asked = held.asked, {}
            for stem in asked.values():
                self._replied(held, stem, reply_error(None, error))
            if held.flight is not None:
                for act in held.acts:
                    held.files.refuse(act.path, act.save, error.message, error.hint)
                held.acts.clear()
                held.flight = None
                self._show_by(held, now + 1.0)

    def _viewed(self, held: Held, reply: Message) -> None:
        """The recorder told what is: act on what was saved, or else show it."""
        now = time.monotonic()
        held.not_before = now + SHARE * (now - held.asked_at)
        if "ok" not in reply or self._paused:
            return
        first = not held.view
        held.view = reply["ok"]
        held.session = held.view["status"]["session"]["id"]
        kept = {one["id"]: one if "ops" in one else held.cached.get(one["id"], one) for one in held.view["patches"]}
        held.cached = kept
        texts = self._texts(held)
        if first:
            self._look(held, now)
            self._find_taken(held)
        due = [path for path, at in held.touched.items() if at <= now or held.hurry]
        held.hurry = False
        for path in sorted(due):
            del held.touched[path]
            self._take(held, path, texts, now)
        while held.requests:
            self._outbox.put_back(held.requests.pop())
        self._next_act(held)

    def _texts(self, held: Held) -> dict[bytes, bytes]:
        """What the files are to hold."""
        assert self._panel is not None
        return texts_of(held.view, held.cached, self._panel(held.view["status"]))

    def _show(self, held: Held) -> None:
        """Have the files hold what is."""
        now = time.monotonic()
        if held.hold_until > now:
            self._show_by(held, held.hold_until)
            return
        missing = held.files.missing()
        if missing != held.missing:  # somebody is deleting
            held.missing, held.hold_until = missing, now + GONE_S
            self._show_by(held, held.hold_until)
            return
        for path in held.files.show(self._texts(held)):
            held.touched.setdefault(path, now)
        held.missing = set()
        for directory, patch in shown_patches(held.view["status"]["patches"]).items():
            inode = held.files.dir.inode(PATCHES + b"/" + directory)
            if inode is not None:
                held.places[patch["id"]] = inode

    # -- saves --------------------------------------------------------------------------------------------------

    def _take(self, held: Held, path: bytes, texts: Mapping[bytes, bytes], now: float) -> None:
        """Find out what one save wants."""
        if path.startswith(REQUESTS + b"/"):
            self._take_request(held, path, now)
            return
        if path not in texts and path != ERRORS:
            self._take_directory(held, path)
            return
        save = held.files.read(path)
        if isinstance(save, NoSave):
            self._not_read(held, path, save, now)
        elif not held.files.is_ours(path):
            self._take_save(held, path, save, texts)

    def _not_read(self, held: Held, path: bytes, why: NoSave, now: float) -> None:
        """There is no content to act on, or not yet."""
        if why.kind == "fresh":
            held.touched[path] = now + SETTLE_S
        elif why.kind == "busy":
            held.files.waiting.add(path)
        elif why.kind == "odd":
            held.files.refuse(path, why, why.why, f"rm -r .gitsession/{os.fsdecode(path)}.refused")

    def _take_save(self, held: Held, path: bytes, save: Save, texts: Mapping[bytes, bytes]) -> None:
        """One file's new content."""
        if held.files.is_as_written(path, save):
            return
        if path == ERRORS:
            if save.content.strip():
                held.files.refuse(path, save, "errors is only read", "save it empty to forget what is in it")
            else:
                held.files.forget_refused()
                held.files.accept(path, save)
            return
        if save.content == texts[path]:
            held.files.accept(path, save)
            return
        name = os.path.basename(path)
        if name in (b"ops", b"diff", b"README", STATUS):
            held.files.refuse(path, save, f"{name.decode()} is only read", "git session -h")
            return
        try:
            held.acts.append(Act(path, save, wishes_of(path, save.content, held.view)))
        except GitSessionError as exc:
            held.files.refuse(path, save, exc.message, exc.hint)

    def _take_directory(self, held: Held, path: bytes) -> None:
        """A directory of ``patches/`` that is no patch's yet: a patch with another name now, or a new one."""
        parts = path.split(b"/")
        if len(parts) < 3:
            return
        name, directory = parts[1], b"/".join(parts[:2]) + b"/"
        patches = held.view["status"]["patches"]
        inode = held.files.dir.inode(directory)
        if inode is None or name in shown_patches(patches, len(patches)):
            return
        if any(act.path == directory for act in held.acts):
            return
        for patch in patches:
            former = [known for known, one in shown_patches(patches).items() if one["id"] == patch["id"]]
            if (
                held.places.get(patch["id"]) == inode
                and former
                and held.files.dir.inode(PATCHES + b"/" + former[0]) is None
            ):
                wish = Wish("patch.rename", {"patch": patch["id"], "name": os.fsdecode(name)})
                held.acts.append(Act(directory, None, [wish]))
                return
        said = held.files.read(directory + b"description")
        args: Message = {"name": os.fsdecode(name)}
        try:
            if isinstance(said, Save):
                args["description"] = text_of(said.content).rstrip("\n")
            held.acts.append(Act(directory, None, [Wish("patch.new", args)]))
        except BadRequest as exc:
            held.files.refuse(directory, None, exc.message, exc.hint)

    def _next_act(self, held: Held) -> None:
        """Ask for the next thing that was saved; when all is done show what is, with a fresh answer if it changed."""
        while held.acts and not held.acts[0].wishes:
            act = held.acts.popleft()
            if act.save is not None:
                held.files.accept(act.path, act.save)
        if held.acts:
            held.outdated = True
            wish = held.acts[0].wishes.pop(0)
            self._ask(held, wish, lambda reply: self._acted(held, wish, reply), first=True)
        elif held.outdated:
            held.outdated = False
            held.due, held.not_before = time.monotonic(), 0.0
        else:
            self._show(held)

    def _acted(self, held: Held, wish: Wish, reply: Message) -> None:
        """The answer to one request of a save."""
        error = not_done(wish, reply)
        if error is not None and held.acts:
            act = held.acts.popleft()
            held.files.refuse(act.path, act.save, error["message"], error.get("hint"))
        self._next_act(held)

    # -- requests/ ----------------------------------------------------------------------------------------------

    def _take_request(self, held: Held, path: bytes, now: float) -> None:
        """A request in a file: taken away first, so that it is carried out once."""
        found = held.files.read(path)
        if isinstance(found, NoSave) and found.kind != "odd":
            self._not_read(held, path, found, now)
            return
        stem = path[: -len(b".json")]
        if not held.files.dir.move(path, stem + TAKEN):
            held.touched[path] = now + SOON_S  # the one before it, of the same name, is under way
            return
        try:
            if isinstance(found, NoSave):
                raise BadRequest(found.why, hint="save it as a file of JSON")
            wish = wished_request(found.content)
            if wish.verb in OWN:
                self._replied(held, stem, reply_ok(None, self._own(wish.verb, wish.args)))
                return
        except GitSessionError as exc:
            self._replied(held, stem, reply_error(None, exc))
            return
        self._put_request(held, stem, wish)

    def _put_request(self, held: Held, stem: bytes, wish: Wish) -> None:
        """Have it queued as any client's, but before what was asked after it; several may be under way."""
        self._number -= 1
        number = self._number
        held.asked[number] = stem
        who = who_asks(held.worktree, held.session, os.environ, acts=wish.verb not in READS)

        def answered(reply: Message) -> None:
            if held.asked.pop(number, None) is not None:
                self._guarded(held, lambda: self._replied(held, stem, reply))

        message = request(wish.verb, wish.args, who)
        held.requests.append(Ask(number, message, False, time.monotonic(), answer=answered))

    def _replied(self, held: Held, stem: bytes, reply: Message) -> None:
        """Leave the answer beside where the request was."""
        told = {name: value for name, value in reply.items() if name != "id"} | {"v": VERSION}
        error = told.get("error")
        if error is not None:
            path = stem + b".json"
            held.files.note_refused(path, error["message"], error.get("hint"))
        held.files.reply(stem + REPLY, told)
        taken = held.files.dir.signature(stem + TAKEN)
        if taken is not None:
            held.files.dir.remove(stem + TAKEN, taken)
        self._show_by(held, time.monotonic() + SOON_S)

    def _find_taken(self, held: Held) -> None:
        """Requests that were under way when a former daemon ended."""
        for one in held.files.dir.names(REQUESTS):
            if one.name.endswith(TAKEN):
                error = BadRequest(
                    "the daemon ended while this was at work; what was published is recorded", hint="git session log"
                )
                self._replied(held, REQUESTS + b"/" + one.name[: -len(TAKEN)], reply_error(None, error))

    # -- the end ------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """The daemon ends."""
        for held in self._held.values() if not self._paused else ():
            self._guarded(held, held.files.stop)
        if self._held:
            log(f"control files of {len(self._held)} worktrees are kept current no longer")


def is_writable(path: bytes) -> bool:
    """Whether a path below ``.gitsession/`` may be a control file; editors' own files are not."""
    parts = path.split(b"/")
    name = parts[-1]
    if parts[0] == REQUESTS:
        return len(parts) == 2 and name.endswith(b".json") and not name.startswith((b".", b"#"))
    if parts[0] == PATCHES:
        return (
            len(parts) == 3
            and is_patch_directory(b"/".join(parts[:2]) + b"/")
            and (name in (b"description", b"status", b"depends-on", b"ops", b"diff"))
        )
    return path in (STATUS, ERRORS, b"assign", b"use", b"README")


def is_patch_directory(path: bytes) -> bool:
    """Whether this may be a patch's directory; a slash ends it."""
    if not path.endswith(b"/"):
        return False
    parts = path.rstrip(b"/").split(b"/")
    return (
        len(parts) == 2
        and parts[0] == PATCHES
        and not parts[1].startswith((b".", b"#"))
        and (not parts[1].endswith((b"~", b".refused")))
    )


def not_done(wish: Wish, reply: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Why a request was not carried out; None: it was."""
    if "ok" not in reply:
        found: Mapping[str, Any] = reply.get("error") or {"message": "no answer", "hint": None}
        return found
    ok = reply["ok"]
    if ok.get("check_due"):
        command = "git session merge" if wish.verb == "merge" else "git session patch ready"
        return {
            "message": f"{ok['check_due']['command']} is to be run first",
            "hint": f"{command} {wish.args['patch'][:6]}",
        }
    if wish.verb == "merge" and not ok["merged"]:
        return {"message": ok.get("message") or "it was not merged", "hint": "git session conflicts"}
    if wish.verb == "assign":
        if ok["refused"]:
            one = ok["refused"][0]
            return {"message": f"{one['path']}: {one['reason']}", "hint": "git session unassigned"}
        if not ok["moved"] and not ok["already"]:
            return {"message": f"{wish.args['what']} has no unassigned edits", "hint": "git session unassigned"}
    return None
