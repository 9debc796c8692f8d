"""``requests/``: a request in a file, its reply in another."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping

from gitsessiond.daemon.control_acts import wished_request
from gitsessiond.daemon.control_brought import AGAIN, WHY
from gitsessiond.daemon.control_dir import REFUSED, NoSave
from gitsessiond.daemon.control_held import Held, Message
from gitsessiond.daemon.control_saves import in_shell, not_read
from gitsessiond.daemon.control_texts import REQUESTS
from gitsessiond.daemon.outbox import Ask
from gitsessiond.model.errors import BadRequest, GitSessionError, Unreachable
from gitsessiond.wire.requests import OWN, READS, VERSION, reply_error, reply_ok, request, who_asks

REQUEST, TAKEN, REPLY = b".json", b".taken", b".reply"
LONGEST = 200  # bytes of a request's name
AGAIN_S = 0.15  # until one is looked at whose name another has that is under way

AnswerOwn = Callable[[str, Message], Message]


class Requests:
    """Takes requests from their files and leaves the replies. ``own``: answers what front answers itself."""

    def __init__(self, own: AnswerOwn, numbers: Iterator[int], env: Mapping[str, str]) -> None:
        self._own, self._numbers, self._env = own, numbers, env

    def take(self, held: Held, path: bytes, now: float) -> None:
        """A request in a file: taken away first, so that it is carried out once."""
        found = held.files.dir.read(path)
        if isinstance(found, NoSave) and found.kind != "odd":
            not_read(held, path, found, now)
            return
        stem = path[: -len(REQUEST)]
        if stem in held.asked.values():  # another of its name is under way
            held.touched[path] = now + AGAIN_S
            return
        if held.brought.has(path):
            not_taken(held, path, WHY, AGAIN)
            return
        if len(os.path.basename(stem)) > LONGEST:
            not_taken(held, path, f"its name has more than {LONGEST} bytes", "save it under another name")
            return
        if not held.files.dir.move(path, stem + TAKEN):
            if held.files.dir.signature(path) is not None:
                not_taken(held, path, "it cannot be renamed", f"rm -r {in_shell(stem + TAKEN)}")
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
        self._put(held, stem, wish.verb, wish.args)

    def _put(self, held: Held, stem: bytes, verb: str, args: Message) -> None:
        """Have it queued as any client's, but before what was asked after it; several may be under way."""
        number = next(self._numbers)
        held.asked[number] = stem
        who = who_asks(held.worktree, held.session, self._env, acts=verb not in READS)

        def answered(reply: Message) -> None:
            if held.asked.pop(number, None) is not None:
                self._replied(held, stem, reply)

        held.requests.append(Ask(number, request(verb, args, who), False, time.monotonic(), answer=answered))

    def _replied(self, held: Held, stem: bytes, reply: Message) -> None:
        """Leave the answer beside where the request was; one that was refused stays beside too."""
        told = {name: value for name, value in reply.items() if name != "id"} | {"v": VERSION}
        error = told.get("error")
        if error is not None:
            held.files.note_refused(stem + REQUEST, error["message"], error.get("hint"))
        held.files.reply(stem + REPLY, told)
        beside = stem + REQUEST + REFUSED
        for path in (beside,) if error is not None else (beside, stem + TAKEN):
            found = held.files.dir.signature(path)
            if found is not None:
                held.files.dir.remove(path, found)
        if error is not None:
            held.files.dir.move(stem + TAKEN, beside)
        held.show_by(time.monotonic() + AGAIN_S)

    def fail(self, held: Held, error: GitSessionError) -> None:
        """What is under way will not be answered."""
        asked, held.asked = held.asked, {}
        for stem in asked.values():
            self._replied(held, stem, reply_error(None, error))

    def find_taken(self, held: Held) -> None:
        """Answer those that were under way when a former daemon ended."""
        for one in held.files.dir.names(REQUESTS):
            if one.name.endswith(TAKEN):
                words = "the daemon ended while it was at work on this; what was published is recorded"
                error = Unreachable(words, hint="git session history")
                stem = REQUESTS + b"/" + os.path.basename(one.name)[: -len(TAKEN)]
                self._replied(held, stem, reply_error(None, error))


def not_taken(held: Held, path: bytes, why: str, hint: str) -> None:
    """A request that cannot be taken away is not asked for, and that is told once."""
    if path not in held.files.waiting:
        held.files.refuse(path, NoSave("odd", why), why, hint)
