"""Locks: the verbs ``lock.*``, answered in front's loop (docs/protocol.md, "Locks").

All that comes in one turn of the loop is one line of the journal; replies and events go out after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from gitsessiond.actions.locking import Failed, Locking
from gitsessiond.daemon import lockargs, lockreplies
from gitsessiond.daemon.beside import Looked
from gitsessiond.daemon.branches import branch_at
from gitsessiond.daemon.link import Link
from gitsessiond.daemon.lockaskers import Asker, holder_of, said_by
from gitsessiond.daemon.locklook import looked
from gitsessiond.daemon.log import log
from gitsessiond.daemon.settings import Settings
from gitsessiond.model.clients import Client
from gitsessiond.model.errors import BadRequest, GitSessionError, Unreachable
from gitsessiond.model.health import Finding
from gitsessiond.model.lockmodes import WRITE
from gitsessiond.model.locks import Acquired, Asked, Denied, Effect, Holder, Want
from gitsessiond.model.resources import resource
from gitsessiond.store.lockjournal import LockJournal
from gitsessiond.store.lockrows import folds_case
from gitsessiond.wire.place import Place
from gitsessiond.wire.requests import reply_error, reply_ok

Message = dict[str, Any]
READING = ("lock.list", "lock.check")
SAME_S = 2.0
LOCKS_DONE = "locks_done"  # the recorder tells it (actions/lockends.py)


class Known(Protocol):
    """Who asks."""

    def client_of(self, link: Link, who: Message) -> Client:
        """The client that a request comes from."""
        ...

    def session_of(self, client: Client) -> str | None:
        """The session that a client works in, by id, or by the name it gave; None: in none."""
        ...


class LockTold(NamedTuple):
    """Who hears of what is done: replies and events."""

    send: Callable[[Link, Message], None]
    publish: Callable[[Message], None]


class Locks:
    """The locks of a repository. ``fresh``: leases of a former daemon begin anew."""

    def __init__(self, told: LockTold, known: Known, place: Place, settings: Settings, *, fresh: bool = True) -> None:
        self._told, self._known, self._place, self._settings = told, known, place, settings
        self._fold = folds_case(settings.configured)
        self.is_known: Callable[[str], bool] = lambda client: True  # whether there is such a client; front can tell
        self.lives: Callable[[str, float], bool] = lambda client, now: True  # one does; False: it has to say who it is
        self._askers: dict[Link, Asker] = {}
        self._waiting: dict[int, list[tuple[Link, Any]]] = {}  # who gets the answer, by the request's number
        self._replies: list[tuple[Link, Message, bool]] = []  # that wait for the journal; whether it was to change
        self._alone = not fresh  # nothing of what is in memory outlives the one request
        self._unusable: GitSessionError | None = None
        self._trouble: GitSessionError | None = None  # as it was told last
        try:
            self._locking = Locking(LockJournal(place.state_dir))
            self._locking.take_up(time.monotonic(), fresh=fresh, fold=self._fold)
        except GitSessionError as error:
            log(f"no locks: {error.message}")
            self._unusable = error

    # -- requests -------------------------------------------------------------------------------------------

    def answer(self, link: Link, number: Any, verb: str, args: Message, who: Message) -> None:
        """Answer a verb ``lock.*``, after the journal has it.

        Raises:
            GitSessionError: the answer is an error.
        """
        if self._unusable is not None:
            raise self._unusable
        now, asker = time.monotonic(), self._asker(link, who)
        self._locking.wake(now)
        if verb == "lock.acquire":
            self._acquire(link, number, asker, args, now)
            return
        do = VERBS.get(verb)
        if do is None:
            raise BadRequest(f"no verb {verb!r}", hint="see docs/protocol.md")
        self._replies.append((link, reply_ok(number, do(self, asker, args, now)), verb not in READING))

    def _asker(self, link: Link, who: Message) -> Asker:
        """Who asks, and what the settings say for them."""
        found, now = self._askers.get(link), time.monotonic()
        if (
            found is not None
            and now < found.until
            and found.said == (who.get("client"), who.get("cwd"), who.get("session"))
            and self.is_known(found.client)
            and self.lives(found.client, now)
        ):
            return found
        said, client = said_by(who), self._known.client_of(link, who)
        if found is None or found.client != client.id or found.cwd != client.cwd:
            times = self._settings.coordinating.asked_by(who)
            holder = self._holder_of(client)
            found = Asker(client.id, client.cwd, holder, times.ttl_s, times.wait_s, said, 0.0)
        self._askers[link] = found = found._replace(said=said, until=now + SAME_S if said else 0.0)
        return found

    def _acquire(self, link: Link, number: Any, asker: Asker, args: Message, now: float) -> None:
        """Ask for locks; the answer may come much later."""
        request, wait = lockargs.text_of(args, "request"), lockargs.wait_of(args)
        wants, reason = lockargs.wants_of(args, self._fold), lockargs.text_of(args, "reason")
        ttl = lockargs.ttl_of(args) or asker.ttl
        ticket = self._locking.waiting(asker.client, request)
        if ticket is None:
            until = None if wait is False else now + (asker.wait if wait is True else wait)
            ticket = self._locking.acquire(Asked(asker.holder, wants, ttl, until, reason, request), now)
        self._waiting.setdefault(ticket, []).append((link, number))

    def _release(self, asker: Asker, args: Message, now: float) -> Message:
        names = lockargs.names_of(args, self._fold)
        if names is None and args.get("all") is not True:
            raise BadRequest("names are needed, or all", hint="see docs/protocol.md")
        released = self._locking.release(asker.client, names, now)
        found: Message = {"released": [hold.resource.name for hold in released], "others": []}
        if not released and names is not None:
            found["others"] = [
                lockreplies.holding(hold, now) for hold in self._locking.others(asker.client, names, now)
            ]
        return found

    def _renew(self, asker: Asker, args: Message, now: float) -> Message:
        holds = self._locking.renew(asker.client, lockargs.names_of(args, self._fold), now)
        for hold in holds:
            self._told.publish(
                lockreplies.event("lock_renewed", hold.holder, hold.resource.name, mode=hold.mode, token=hold.token)
            )
        lost = [lockreplies.lost(one) for one in self._locking.lost(asker.client)]
        return {"locks": [lockreplies.lock(hold, now) for hold in holds], "lost": lost}

    def _check(self, asker: Asker, args: Message, now: float) -> Message:
        names, token = lockargs.some_names_of(args, self._fold), lockargs.token_of(args)
        verdict = self._locking.check(asker.client, names, token, now)
        if verdict.why is not None:
            raise lockreplies.check_refusal(verdict, names, token, now)
        return {}

    def _cancel(self, asker: Asker, args: Message, now: float) -> Message:
        ticket = self._locking.waiting(asker.client, lockargs.text_of(args, "request"))
        if ticket is not None:
            self._locking.cancel([ticket], now)
        return {"cancelled": ticket is not None}

    def _list(self, asker: Asker, args: Message, now: float) -> Message:
        name, table = args.get("name"), self._locking.table
        wanted = None if name is None else resource(name, fold=self._fold)
        holds = list(table.holds) if wanted is None else table.holds.on(wanted)
        waits = list(table.waits) if wanted is None else table.waits.on([wanted])
        return {
            "locks": [
                {**lockreplies.holding(hold, now), "ttl": hold.ttl, "mine": hold.client == asker.client}
                for hold in sorted(holds, key=lambda one: (one.resource.name, one.token))
                if hold.deadline > now
            ],
            "waiting": [
                {**lockreplies.waiting(wait, table.waits.in_the_way(wait)[1], now), "mine": wait.client == asker.client}
                for wait in waits
            ],
            "lost": [lockreplies.lost(one) for one in self._locking.lost(asker.client)],
        }

    def _break(self, asker: Asker, args: Message, now: float) -> Message:
        reason, steal = lockargs.text_of(args, "reason"), args.get("steal", False)
        if reason is None:
            raise BadRequest("a reason is needed to break a lock", hint="git session unlock PATH --force --reason WHY")
        if not isinstance(steal, bool):
            raise BadRequest("steal is true or false", hint="see docs/protocol.md")
        wanted = resource(args.get("name"), fold=self._fold)
        by = Asked(asker.holder, (Want(wanted, WRITE),), asker.ttl, None, reason)
        done = self._locking.break_off(wanted, by, steal, now, lockreplies.at(now, now))
        for one in done:
            if isinstance(one, Denied) and one.ticket == 0:
                raise lockreplies.refusal(one, now)
        broken = lockreplies.broken(done, now)
        return {"locks": lockreplies.stolen(done, now) if steal else broken, "broken": broken}

    def _holder_of(self, client: Client) -> Holder:
        """A client as others are told of it, in the session it works in now."""
        session = self._known.session_of(client)
        return holder_of(client, branch_at(self._place.common_dir, client.cwd), session)

    # -- what editors do ------------------------------------------------------------------------------------

    def mark(self, client: Client, name: str, mode: str, reason: str, now: float) -> None:
        """Have a client hold a lock that it has not asked for; it does not wait for it."""
        if self._unusable is not None:
            return
        self._locking.wake(now)
        holder = self._holder_of(client)
        want = Want(resource(name, fold=self._fold), mode)
        ttl = self._settings.coordinating.now().ttl_s
        self._locking.acquire(Asked(holder, (want,), ttl, None, reason), now)

    def unmark(self, client: str, name: str, now: float) -> None:
        """Take that back."""
        if self._unusable is None:
            self._locking.wake(now)
            self._locking.release(client, [resource(name, fold=self._fold)], now)

    def keep(self, client: str, name: str, now: float) -> bool:
        """Let what a client holds of a name last anew; False: nothing is left of it."""
        if self._unusable is not None:
            return True
        self._locking.wake(now)
        return bool(self._locking.renew(client, [resource(name, fold=self._fold)], now))

    # -- what is heard of clients ---------------------------------------------------------------------------

    def gone(self, client: str, now: float) -> None:
        """A client is dead: what it held is free."""
        self._askers = {link: asker for link, asker in self._askers.items() if asker.client != client}
        if self._unusable is None:
            self._locking.wake(now)
            self._locking.gone(client, now)

    def hear(self, event: Message) -> None:
        """An event of the recorder, which may say that locks are for nothing any more."""
        if event.get("type") == LOCKS_DONE and self._unusable is None:
            self._locking.done(event["tokens"], time.monotonic())

    def beat(self, client: str, now: float) -> list[Message]:
        """A client lives: all it holds lasts anew."""
        if self._unusable is not None:
            return []
        self._locking.wake(now)
        return [lockreplies.lock(hold, now) for hold in self._locking.renew(client, None, now)]

    def left(self, link: Link) -> None:
        """A connection has ended: what was asked over it and still waits is for nobody."""
        self._askers.pop(link, None)
        nobody = []
        for ticket, askers in list(self._waiting.items()) if self._waiting else ():
            askers[:] = [one for one in askers if one[0] is not link]
            if not askers:
                nobody.append(ticket)
        if nobody:
            self._locking.cancel(nobody, time.monotonic())

    # -- the loop -------------------------------------------------------------------------------------------

    def next_look(self) -> float | None:
        """When something ends, or should have been renewed."""
        return None if self._unusable is not None else self._locking.next_look(time.monotonic())

    def tick(self, now: float) -> None:
        """End what is over, write all down, then tell."""
        if self._unusable is not None:
            return
        self._locking.look(now)
        done = self._locking.commit(now)
        for one in done:
            self._reply(one, now)
        replies, self._replies = self._replies, []
        for link, reply, changes in replies:
            self._send(link, reply, changes)
        self._tell_trouble()
        for one in done:
            if not isinstance(one, Failed):
                for event in lockreplies.events_of(one):
                    self._told.publish(event)

    def _send(self, link: Link, reply: Message, changes: bool = True) -> None:
        """Send a good reply; where nothing could be written down it says so, and is none without a daemon."""
        trouble = self._locking.trouble
        if trouble is not None and self._alone and changes:
            reply = reply_error(reply["id"], trouble)
        elif trouble is not None and not self._alone:
            reply["ok"]["degraded"] = trouble.message
        self._told.send(link, reply)

    def _tell_trouble(self) -> None:
        """Publish that nothing can be written down any more, or that it can be again."""
        trouble = self._locking.trouble
        if (trouble is None) == (self._trouble is None):
            return
        self._trouble = trouble
        log("locks are written down again" if trouble is None else f"locks are in memory only: {trouble.message}")
        reason = None if trouble is None else trouble.message
        kind = "restored" if trouble is None else "degraded"
        self._told.publish({"type": kind, "session": None, "what": "locks", "reason": reason})

    def _reply(self, one: Effect | Failed, now: float) -> None:
        """Answer the request that this is the end of."""
        if not isinstance(one, Acquired | Denied | Failed):
            return
        askers = self._waiting.pop(one.ticket, ())
        if not askers:
            return
        if isinstance(one, Acquired):
            found = lockreplies.locks(one, now)
            for link, number in askers:
                self._send(link, reply_ok(number, found))
            return
        error = lockreplies.refusal(one, now) if isinstance(one, Denied) else one.error
        for link, number in askers:
            self._told.send(link, reply_error(number, error))

    def look(self, now: float, deep: bool) -> Looked:
        """How many are held and waited for; ``deep``: and what cannot be."""
        if self._unusable is not None:
            error = self._unusable
            return Looked({"locks": None}, [], [Finding("lock table", "fail", error.message, error.hint)])
        self.tick(now)
        return looked(self._locking, self.is_known, now, deep)

    def close(self) -> None:
        """Leave the locks to the next daemon; who waits is to ask that."""
        if self._unusable is not None:
            return
        self.tick(time.monotonic())
        error = Unreachable("the daemon is stopping", hint="run the command again")
        for askers in self._waiting.values():
            for link, number in askers:
                self._told.send(link, reply_error(number, error, again=True))
        self._waiting.clear()
        self._locking.close()


VERBS: dict[str, Callable[[Locks, Asker, Message, float], Message]] = {
    "lock.release": Locks._release,
    "lock.renew": Locks._renew,
    "lock.check": Locks._check,
    "lock.cancel": Locks._cancel,
    "lock.list": Locks._list,
    "lock.break": Locks._break,
}
