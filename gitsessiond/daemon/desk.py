"""The recorder's desk: batches of paths and requests come in, one after the other; steps and replies go out.

Single-threaded by design: it is the one writer of sessions (docs/architecture.md, "Processes"). It decides
nothing; it brings adoption, recording and actions into the right order.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

from gitsessiond.actions import examining
from gitsessiond.actions.adoption import adopt
from gitsessiond.actions.conflicts import take_saved
from gitsessiond.actions.context import Asked, Context, Live, Unrecorded
from gitsessiond.actions.denials import note_denials
from gitsessiond.actions.editing import note_open
from gitsessiond.actions.enforcing import follow_locks, give_back_write_bits
from gitsessiond.actions.hooking import put_facts, tell_hooks
from gitsessiond.actions.judging import judge_session
from gitsessiond.actions.merges import finish_interrupted, notice_landed
from gitsessiond.actions.notices import close_notices
from gitsessiond.actions.permitting import check_permitted
from gitsessiond.actions.publishing import find_due_anchors, settle_anchors
from gitsessiond.actions.saves import record_reading
from gitsessiond.actions.whereabouts import is_there
from gitsessiond.daemon.alive import SignOfLife
from gitsessiond.daemon.dispatch import VERBS, decoded
from gitsessiond.daemon.locknews import LOCKS_CHANGED
from gitsessiond.daemon.log import as_unforeseen, log, log_bug
from gitsessiond.daemon.opening import Tell, attach, load_sessions, open_context, seek_lost, watches_of
from gitsessiond.daemon.recorder import FIRST_IDLE_S, IDLE_EVERY_S
from gitsessiond.model.errors import BadRequest, GitSessionError, NewerState, StateUnreadable
from gitsessiond.model.health import Finding
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.records import Gap, time_text
from gitsessiond.store.checkouts import sweep_checks
from gitsessiond.store.config import Config
from gitsessiond.store.head import Tips
from gitsessiond.store.heldlocks import HeldLocks
from gitsessiond.store.lockrows import folds_case
from gitsessiond.store.outlasting import sweep_held
from gitsessiond.store.readings import Reading
from gitsessiond.store.repository import Repository, open_repository
from gitsessiond.wire.requests import READS

CHECKPOINT_IDLE_S = 60.0
SEEK_EVERY_S = 0.5  # a worktree that went, while it may just be on its way back
SEEK_FOR_S = 60.0
CONTROL = b".gitsession/"


def open_desk(cwd: str, tell: Tell, *, alone: bool = False) -> Desk:
    """The desk of the repository that holds ``cwd``; ``alone``: no daemon runs, it answers one request.

    Damaged state does not keep it from opening: every request is then answered with what is wrong, and ``doctor``
    can look and repair.

    Raises:
        GitSessionError: the repository cannot be used, or the state is of a newer format; the message says why.
    """
    repository = open_repository(cwd)
    return Desk(repository, Config(repository), tell, alone=alone)


class Desk:
    """Everything the recorder process owns."""

    def __init__(self, repository: Repository, config: Config, tell: Tell, *, alone: bool = False) -> None:
        self.alone = alone
        self.repository, self.config, self.tell = repository, config, tell
        self.trouble: StateUnreadable | None = None
        self.opened: Context | None = None
        self.last_write = self.last_loss = time.monotonic()
        self.alive = SignOfLife(repository.state_dir)
        self.scanned: set[str] = set()
        self.rests = False  # uninstalled: no file is touched until somebody acts again
        self.begin()

    @property
    def ctx(self) -> Context:
        """What actions are given.

        Raises:
            StateUnreadable: the state is damaged.
        """
        if self.opened is None:
            raise self.trouble or StateUnreadable("the state is not open", hint="git session doctor")
        return self.opened

    def begin(self, *, repair: bool = False) -> None:
        """Open the store and bring its sessions into memory; damage is noted, and told to whoever asks."""
        try:
            if self.opened is None:
                self.opened = open_context(self.repository, self.config, self.tell, repair=repair)
                self.opened.locks = HeldLocks(
                    self.repository.state_dir, alone=self.alone, fold=folds_case(self.config.all)
                )
            load_sessions(self.opened)
            finish_interrupted(self.opened)
            sweep_held(self.repository.common_dir)
            sweep_checks(self.repository)
            find_due_anchors(self.opened)
            self.follow_locks()
            tell_hooks(self.opened)
            self.trouble = None
        except NewerState:
            raise
        except StateUnreadable as exc:
            self.trouble = exc

    def examine(self, asked: Asked) -> dict[str, Any]:
        """``doctor``: look, repair if asked to, and go on with what is there then."""
        fix = asked.flag("fix")
        if self.opened is None:
            if not fix:
                message = self.trouble.message if self.trouble else ""
                return {"checks": [Finding("journal", "fail", message, examining.FIX).as_dict()]}
            self.begin(repair=True)
        reply = examining.doctor(self.ctx, asked)
        if fix:
            self.begin()
            self.tell({"watch": self.watches()})
        return reply

    def watches(self) -> list[dict[str, Any]]:
        """The worktrees to be watched, each with the directories that need no watch."""
        return watches_of(self.opened.sessions.values() if self.opened else ())

    def batch(self, message: dict[str, Any]) -> dict[str, Any]:
        """Record what a batch of paths points at: ``{"recorded": {"n", "prune", "left"}}``."""
        live = self.live_of(str(message.get("worktree", "")))
        done: dict[str, Any] = {"n": message.get("n"), "prune": [], "left": 0}
        if live is None or live.worktree is None:
            return {"recorded": done}
        at = live.worktree.repository
        try:
            if not is_there(at.worktree, at.git_dir):
                self.lose(live)
                return {"recorded": done}
            reading = self.read(live, message)
            gap = self.note_gap(live, reading)
            if adopt(self.ctx, live, reading):
                self.count_save()
                if live.worktree is None or live.worktree.repository is not at:  # it went meanwhile
                    self.lose(live)
            else:
                self.record(live, reading)
            close_notices(self.ctx, live)
            put_facts(self.ctx, live)
            done["prune"] = [quote_path(path) for path in reading.prune]
            done["left"] = reading.left
            self.recorded(live, gap)
        except Exception as exc:
            error = exc if isinstance(exc, GitSessionError) else as_unforeseen(exc)
            if error is not exc:
                log_bug("recording", exc)
            done["error"] = error.as_dict()
            self.not_recorded(live, error)
        return {"recorded": done}

    def recorded(self, live: Live, gap: Gap | None) -> None:
        """A reading is recorded, and with it the gap before it, if there was one."""
        if gap is not None and live.gap is None:
            live.unrecorded = None
            since, until = time_text(gap.since), time_text(gap.until)
            self.tell({"event": {"type": "gap", "session": live.sid, "since": since, "until": until}})
        elif live.unrecorded is not None and live.unrecorded.until is None:
            live.unrecorded = replace(live.unrecorded, until=self.ctx.now())

    def not_recorded(self, live: Live, why: GitSessionError) -> None:
        """A reading could not be recorded: it is read again, and saves are lost until it can be."""
        before = live.unrecorded or live.gap
        live.unrecorded = Unrecorded(before.since if before else self.ctx.now(), why.message)
        live.gap = None
        if live.worktree is not None:
            live.worktree.read_again()
        self.tell({"event": {"type": "not_recorded", "session": live.sid, "message": why.message}})

    def lose(self, live: Live) -> None:
        """The worktree is gone: watched no longer, or at its new place; once it is back, all of it is looked at."""
        adopt(self.ctx, live)
        self.last_loss = time.monotonic()
        self.tell({"watch": self.watches()})

    def read_busy(self, live: Live) -> None:
        """Look again at files that somebody had open for writing; one who never closes them rings no bell."""
        if live.worktree is not None and live.worktree.busy:
            self.batch({"worktree": live.worktree.repository.worktree})

    def live_of(self, worktree: str) -> Live | None:
        """The open session of that worktree."""
        for live in self.opened.sessions.values() if self.opened else ():
            if os.fsdecode(unquote_path(live.state.session.worktree)) == worktree:
                return live
        return None

    def read(self, live: Live, message: dict[str, Any]) -> Reading:
        """Read the paths of a batch; control files are taken as what they say, not recorded."""
        assert live.worktree is not None
        if message.get("scan"):
            return live.worktree.scan()
        paths = [unquote_path(path).rstrip(b"/") for path in message.get("paths", [])]
        for path in paths:
            if path.startswith(CONTROL + b"conflicts/"):
                take_saved(self.ctx, live, path)
        return live.worktree.read_paths([path for path in paths if not path.startswith(CONTROL)])

    def note_gap(self, live: Live, reading: Reading) -> Gap | None:
        """Have the next step tell of the time that was not recorded: before the first look, or where that failed."""
        first, now = live.sid not in self.scanned, self.ctx.now()
        self.scanned.add(live.sid)
        if not reading.changes:
            return None
        if live.unrecorded is not None:
            live.gap = Gap(since=live.unrecorded.since, until=live.unrecorded.until or now)
        elif first and self.alive.gap_since is not None:
            live.gap = Gap(since=max(self.alive.gap_since, live.state.session.created_at), until=now)
        return live.gap

    def record(self, live: Live, reading: Reading) -> None:
        """One step for what was read."""
        if record_reading(self.ctx, live, reading):
            self.count_save()
        if live.worktree is not None:
            live.worktree.accept(reading)

    def count_save(self) -> None:
        """Remember when something was last written: quiet moments are counted from there."""
        self.last_write = time.monotonic()

    def request(self, message: dict[str, Any]) -> dict[str, Any]:
        """Answer one request: ``{"v": 1, "id", "ok"}`` or ``{"v": 1, "id", "error"}``; never raises."""
        reply: dict[str, Any] = {"v": 1, "id": message.get("id")}
        try:
            asked = decoded(message)
            if asked.verb == "doctor":
                reply["ok"] = self.examine(asked)
                return reply
            if self.trouble is not None:
                raise self.trouble
            if asked.verb == LOCKS_CHANGED:
                note_denials(self.ctx, asked.args.get("denied") or ())
                self.follow_locks(anew=True)
                tell_hooks(self.ctx)
                reply["ok"] = {}
                return reply
            action = VERBS.get(asked.verb)
            if action is None:
                raise BadRequest(f"no verb {asked.verb!r}", hint="git session -h")
            left = message.get("left")
            self.ctx.queued = left if isinstance(left, int) else 0
            known = self.recorded_worktrees()
            note_open(self.ctx, message.get("editors"))
            self.before_action(asked)
            check_permitted(self.ctx, asked, reads=asked.verb in READS)
            reply["ok"] = action(self.ctx, asked)
            self.rests = asked.verb == "uninstall" or (self.rests and asked.verb in READS)
            self.follow_locks()
            tell_hooks(self.ctx)
            if asked.verb not in READS:
                self.last_write = time.monotonic()
            if self.recorded_worktrees() != known:
                self.scanned |= set(self.ctx.sessions)
                self.tell({"watch": self.watches()})
        except GitSessionError as exc:
            self.drop()
            reply["error"] = exc.as_dict()
        except Exception as exc:
            # Where what nobody foresaw becomes words: the log has the traceback, the person the path.
            self.drop()
            log_bug(f"request {message.get('verb')!r}", exc)
            reply["error"] = as_unforeseen(exc).as_dict()
        return reply

    def follow_locks(self, *, anew: bool = False) -> None:
        """Bring everything to what is locked now; what fails is done the next time. ``anew``: it is known to differ."""
        try:
            self.ctx.locks.now(anew=anew)
            if self.rests or self.alone:
                give_back_write_bits(self.ctx)
            else:
                follow_locks(self.ctx)
        except (GitSessionError, OSError) as exc:
            self.drop()
            log(f"locks: {exc}")

    def drop(self) -> None:
        """Forget what was written towards a step that did not come to be."""
        if self.opened is not None:
            self.opened.store.drop_pending()
            self.opened.tools.forget()

    def before_action(self, asked: Asked) -> None:
        """What git did since comes first, in every session; judged edges are known before they are told.

        Raises:
            GitSessionError: the session asked about failed. Another's failure is said, and is in nobody's way.
        """
        failed: dict[str, GitSessionError] = {}
        tips = Tips(self.repository.common_dir)
        for live in list(self.ctx.sessions.values()):
            try:
                self.look_at(live, tips)
            except GitSessionError as exc:
                self.drop()
                failed[live.sid] = exc
            live.trouble = failed[live.sid].message if live.sid in failed else None
        if failed:
            asked_for = self.sid_asked(asked)
            for sid, why in failed.items():
                if sid == asked_for:
                    raise why
                log(f"session {sid}: {why.message}")

    def look_at(self, live: Live, tips: Tips) -> None:
        """Bring one session to what its worktree, its branch and its target are now."""
        if live.worktree is None:
            attach(self.ctx, live)
        self.read_busy(live)
        if live.worktree is not None:
            adopt(self.ctx, live, tips=tips)
        notice_landed(self.ctx, live, tips)
        if live.judge_due:
            judge_session(self.ctx, live)

    def sid_asked(self, asked: Asked) -> str | None:
        """The open session that a request is about; None: none."""
        try:
            return self.ctx.live(asked).sid
        except GitSessionError:
            return None

    def recorded_worktrees(self) -> list[str]:
        """The worktrees of open sessions that can be recorded."""
        return [live.worktree.repository.worktree for live in self.ctx.sessions.values() if live.worktree]

    def idle(self) -> float:
        """Work for quiet moments: judge, look again, checkpoint, the sign of life. The seconds until the next."""
        self.alive.give()
        sweep_checks(self.repository)
        if self.opened is None or self.trouble is not None:
            return IDLE_EVERY_S
        if seek_lost(self.opened):
            self.tell({"watch": self.watches()})
        for live in self.opened.sessions.values():
            if live.judge_due:
                judge_session(self.opened, live)
                return FIRST_IDLE_S
            self.read_busy(live)
            live.memory.look_back()
        try:
            settle_anchors(self.opened)
        except GitSessionError as exc:  # they stay due, and the store is tended all the same
            log(f"anchors: {exc.message}")
        if self.opened.store.tend(quiet=time.monotonic() - self.last_write > CHECKPOINT_IDLE_S):
            return FIRST_IDLE_S
        is_lost = any(live.worktree is None for live in self.opened.sessions.values())
        return SEEK_EVERY_S if is_lost and time.monotonic() - self.last_loss < SEEK_FOR_S else IDLE_EVERY_S

    def close(self) -> None:
        """A last sign of life; worktrees keep what they know for the next start."""
        self.alive.give(now_at_once=True)
        if self.opened is None:
            return
        try:
            give_back_write_bits(self.opened)
            settle_anchors(self.opened)
        except (GitSessionError, OSError) as exc:  # the next action, or doctor, writes them
            log(f"closing: {exc}")
        for live in self.opened.sessions.values():
            if live.worktree is not None:
                live.worktree.close()
        self.opened.store.close()
