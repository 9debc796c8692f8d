"""Control files, a client inside front: what is recorded is shown, what is saved is asked for.

One question to the recorder, ``session.files``, tells all that is shown; it is asked when something changed and
nothing else waits, and so seldom that it takes a twentieth of the recorder's time at most. A save is looked at with a
fresh answer, becomes requests as any client's, and the files are shown again, step by step (docs/control-files.md).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

from gitsessiond.daemon.control_acts import Wish, not_done
from gitsessiond.daemon.control_dir import HOME
from gitsessiond.daemon.control_held import GONE_S, Act, Held, Message, is_patch_directory, is_writable
from gitsessiond.daemon.control_requests import AnswerOwn, Requests
from gitsessiond.daemon.control_saves import NEW_S, look_for_saves, take
from gitsessiond.daemon.control_showing import finish, go_on, showing
from gitsessiond.daemon.control_strays import leave_tracked, refuse_former
from gitsessiond.daemon.control_texts import CONFLICTS, REQUESTS, texts_of
from gitsessiond.daemon.log import log_bug
from gitsessiond.daemon.mailbox import Notice
from gitsessiond.daemon.outbox import Ask, Outbox
from gitsessiond.model.errors import GitSessionError, error_from
from gitsessiond.wire.requests import READS, request, who_asks

SETTLE_S = 0.05
SOON_S = 0.15  # from a change to its being shown
LATER_S = 2.0  # the same, in other worktrees than its own
SHARE = 20  # a question is this many times as far from the last as that took
GIT_S = 0.1  # between two looks whether git still holds the index; doubled each time
GIT_AT_MOST_S = 5.0  # the same, where a killed git left its lock
TROUBLE_S, TROUBLE_AT_MOST_S = 1.0, 60.0  # the same, where nobody can tell what is
LOOK_EVERY_S = 2.0  # where nothing tells of saves
MOST_ROWS = 12  # of each list of the panel
NOT_OURS = frozenset(  # of whoever happened to start the daemon
    ("GITSESSION", "GITSESSION_PATCH", "GITSESSION_USER", "GITSESSION_CLIENT", "GITSESSION_LOCK_TOKEN")
)

Panel = Callable[[Mapping[str, Any]], Sequence[str]]


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
        self._outbox, self._panel = outbox, panel
        self._flush_saves, self._is_polled = flush, is_polled
        self._held: dict[str, Held] = {}
        self._numbers = count(-1, -1)  # of our own requests; clients' are above
        self._env = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
        self._requests = Requests(own, self._numbers, self._env)
        self._others_from = 0.0  # when worktrees may be shown in which nothing changed
        self._paused = False

    # -- what front tells ---------------------------------------------------------------------------------------

    def set(self, worktrees: Iterable[str]) -> None:
        """Keep the control files of these worktrees, and of no other."""
        wanted = list(worktrees) if self._panel is not None else []
        for worktree in [one for one in self._held if one not in wanted]:
            held = self._held.pop(worktree)
            self._settle(held)
            self._guarded(held, held.files.end)
        for worktree in wanted:
            if worktree not in self._held:
                self._held[worktree] = Held(worktree)
                self._held[worktree].show_by(time.monotonic() + SOON_S)

    def changed(self, where: str | None, now: float) -> None:
        """Something was recorded in a worktree, or of a session; elsewhere it may be told of too."""
        for held in self._held.values():
            own = where in (held.worktree, held.session)
            held.show_by(now + (SOON_S if own else LATER_S), soon=own)

    def takes(self, notice: Notice, now: float) -> bool:
        """Whether a notice is about a control file; such are taken in here, and nobody else has to know."""
        held = self._held.get(notice.worktree or "")
        if held is not None and notice.what == "watched":
            held.look_at = now  # events may have been lost before
        if not notice.path.startswith(HOME + b"/") or notice.path.startswith(HOME + b"/" + CONFLICTS + b"/"):
            if held is not None and notice.what == "gone" and held.hold_until > now:
                held.hold(now)
            return False
        if held is not None and not self._paused:
            self._saw(held, notice.what, notice.path[len(HOME) + 1 :], now)
        return True

    def _saw(self, held: Held, what: str, path: bytes, now: float) -> None:
        """Something happened to a control file, or to what may be one."""
        held.files.waiting.discard(path)
        if what in ("gone", "dir"):
            if what == "dir" or (held.files.is_known(path) and held.files.dir.signature(path) is None):
                held.hold(now)
        elif is_patch_directory(path):
            held.touched.setdefault(path, now + NEW_S)
        elif path.endswith(b"/") or not path:  # what was made in it before it was watched, nobody tells
            held.look_at = now + NEW_S
        elif is_writable(path) and not held.files.is_ours(path):
            held.saw(path, now, now + SETTLE_S)

    def pause(self, wanted: bool) -> None:
        """Leave the files alone, for they are being removed; they come back when somebody acts again."""
        for held in self._held.values() if self._paused != wanted else ():
            self._settle(held)
            if not wanted:
                held.show_by(time.monotonic() + SOON_S)
                held.look_at = time.monotonic()  # what was saved meanwhile nobody was told of
        self._paused = wanted

    # -- time ---------------------------------------------------------------------------------------------------

    def next_look(self) -> float | None:
        """When :meth:`tick` has something to do; 0: now. While the recorder is busy nothing new is shown."""
        times: list[float | None] = []
        for held in self._held.values() if not self._paused else ():
            times += [held.look_at, held.is_touched(), None if held.showing is None else 0.0]
            if self._outbox.idle:
                times.append(held.is_due(self._others_from))
        return min((at for at in times if at is not None), default=None)

    def tick(self, now: float) -> None:
        """Ask about saves that are quiet, and for what is to be shown: one worktree at a time, changed ones first.

        Of what is being shown one step is done, for front's loop has others to hear.
        """
        if self._paused:
            return
        shown = next((held for held in self._held.values() if held.showing is not None), None)
        if shown is not None:
            self._guarded(shown, partial(go_on, shown))
        for held in list(self._held.values()):
            if held.look_at is not None and held.look_at <= now and held.showing is None:
                self._look(held, now)
            touched = held.is_touched()
            if touched is not None and touched <= now:
                self._flush_saves(now)
                self._ask_view(held, now)
        if not self._outbox.idle:
            return
        due = [(not held.soon, at, held) for held in self._held.values() if (at := held.is_due(self._others_from))]
        ready = [one for one in due if one[1] <= now]
        if ready:
            self._ask_view(min(ready, key=lambda one: one[:2])[2], now)

    def flush(self, now: float) -> None:
        """A client's request is about to be queued: what was saved before it is acted on before it."""
        for held in self._held.values() if not self._paused else ():
            self._settle(held)
            if self._is_polled(held.worktree):
                self._look(held, now)
            if held.touched:
                held.hurry = True
                if held.flight is None:
                    self._ask_view(held, now)

    def _look(self, held: Held, now: float) -> None:
        """Look for saves that nobody told of."""
        held.look_at = now + LOOK_EVERY_S if self._is_polled(held.worktree) else None
        if held.view:
            look_for_saves(held, self._texts(held), now)

    # -- asking -------------------------------------------------------------------------------------------------

    def _ask_view(self, held: Held, now: float, *, first: bool = False) -> None:
        """Ask for all that is shown."""
        held.due, held.asked_at, held.soon = None, now, False
        known = {pid: found["key"] for pid, found in held.cached.items()}
        wish = Wish("session.files", {"most": MOST_ROWS, "known": known})
        self._ask(held, wish, lambda reply: self._viewed(held, reply), first=first)

    def _ask(self, held: Held, wish: Wish, answer: Callable[[Message], None], *, first: bool) -> None:
        """Ask the recorder; ``first``: before all that waits, which came after the save that wants it."""
        number = held.flight = next(self._numbers)
        who = who_asks(held.worktree, held.session, self._env, acts=wish.verb not in READS)

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
        """What was under way will not be answered, and nobody knows what is."""
        for held in self._held.values():
            self._settle(held)
            acts = list(held.acts)
            held.acts.clear()
            held.flight, held.outdated = None, False
            held.show_by(time.monotonic() + GONE_S)
            self._guarded(held, partial(self._tell_failed, held, acts, error))

    def _tell_failed(self, held: Held, acts: Sequence[Act], error: GitSessionError) -> None:
        """Say of all that was under way that it was not done, and that nobody knows what is."""
        self._requests.fail(held, error)
        for act in acts:
            held.files.refuse(act.path, act.save, error.message, error.hint)
        held.files.lapse(error)

    def _viewed(self, held: Held, reply: Message) -> None:
        """The recorder told what is: act on what was saved, or else show it."""
        self._settle(held)
        now = time.monotonic()
        held.not_before = self._others_from = now + SHARE * (now - held.asked_at)
        if self._paused:
            return
        rested = held.rest_s
        held.rest(now, min(max(TROUBLE_S, 2 * rested), TROUBLE_AT_MOST_S))  # unless all goes well
        if "ok" not in reply:
            held.session = None
            held.files.lapse(error_from(reply["error"]))
            return
        first, held.view = not held.view, reply["ok"]
        if held.view["tracked"]:
            leave_tracked(held)
            held.rest(now, 0.0)
            return
        held.session = held.view["status"]["session"]["id"]
        kept = {one["id"]: one if "ops" in one else held.cached.get(one["id"], one) for one in held.view["patches"]}
        held.cached = kept
        texts = self._texts(held)
        if first:
            look_for_saves(held, texts, now)
            refuse_former(held)
            self._requests.find_taken(held)
        if held.view["index_locked"]:  # git may just be writing what it tracks from now on
            took = SHARE * (now - held.asked_at)
            held.rest(now, max(min(max(GIT_S, 2 * rested), GIT_AT_MOST_S), took))
        else:
            held.rest(now, 0.0)
            self._take_all(held, texts, now)
        if not self._next_act(held):
            held.showing = showing(held, texts)

    def _take_all(self, held: Held, texts: Mapping[bytes, bytes], now: float) -> None:
        """Find out what the saves want that are quiet, or that somebody waits for."""
        if held.gather_until > now and not held.hurry:
            return
        due = [path for path, at in held.touched.items() if at <= now or held.hurry]
        held.hurry = False
        if due:
            held.files.take_in_copy()
        for path in sorted(due):
            del held.touched[path]
            if path.startswith(REQUESTS + b"/"):
                self._requests.take(held, path, now)
            else:
                take(held, path, texts, now)
        while held.requests:
            self._outbox.put_back(held.requests.pop())

    def _next_act(self, held: Held) -> bool:
        """Ask for the next thing that was saved, or when all is done for what is, if that changed. Whether it asked."""
        while held.acts and not held.acts[0].wishes:
            act = held.acts.popleft()
            if act.save is not None:
                held.files.accept(act.path, act.save)
            else:  # the patch's directory may have another name
                held.touched.setdefault(act.path, time.monotonic())
        if held.acts:
            held.outdated = True
            wish = held.acts[0].wishes.pop(0)
            self._ask(held, wish, lambda reply: self._acted(held, wish, reply), first=True)
        elif held.outdated:
            held.outdated, held.not_before = False, 0.0
            held.show_by(time.monotonic())
            if held.hurry and held.touched:
                self._ask_view(held, time.monotonic(), first=True)
        else:
            return False
        return True

    def _acted(self, held: Held, wish: Wish, reply: Message) -> None:
        """The answer to one request of a save."""
        error = not_done(wish, reply)
        if error is not None and held.acts:
            act = held.acts.popleft()
            held.files.refuse(act.path, act.save, error["message"], error.get("hint"))
        self._next_act(held)

    # -- showing ------------------------------------------------------------------------------------------------

    def _texts(self, held: Held) -> dict[bytes, bytes]:
        """What the files are to hold."""
        assert self._panel is not None
        return texts_of(held.view, held.cached, self._panel(held.view["status"]))

    def _settle(self, held: Held) -> None:
        """Show at once what is being shown."""
        if held.showing is not None:
            self._guarded(held, partial(finish, held))

    def stop(self) -> None:
        """The daemon ends."""
        for held in self._held.values() if not self._paused else ():
            self._settle(held)
            self._guarded(held, held.files.stop)
