"""Running a command in its turn at git's locks. Free of click: many processes may wait for the import.

The command is a child and no successor of this process: what it leaves running would hold the turn for ever.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from gitsessiond.faces.cli.ending import run_guarded
from gitsessiond.faces.cli.terminal import note, put_json
from gitsessiond.model.errors import NotFound
from gitsessiond.wire.gitturns import GitTurn

NO_SUCH, NOT_TO_BE_RUN = 127, 126  # as env(1), nohup(1) and every shell
PASSED_ON = (signal.SIGTERM, signal.SIGHUP)


def run_quickly(argv: Sequence[str]) -> int | None:
    """``exec -- CMD`` as it is written nearly always; None: the words are for the whole command line."""
    if len(argv) < 3 or list(argv[:2]) != ["exec", "--"]:
        return None
    return run_guarded(lambda: run_in_turn(argv[2:], within=None, as_json=False), argv[:2])


def run_in_turn(words: Sequence[str], *, within: float | None, as_json: bool) -> int:
    """Wait for the turn, run the command, and return its exit code as a shell has it.

    Raises:
        NotFound: this is no place in a repository.
        Locked: the turn did not come within ``within`` seconds.
    """
    try:
        cwd = os.getcwd()
    except FileNotFoundError as gone:
        raise NotFound("this directory no longer exists", hint="cd to the repository") from gone

    def tell(holder: str) -> None:
        if not as_json:
            note(f"waiting for {holder}")

    with GitTurn(cwd, words, tell, within=within) as turn:
        code = run(words, {**os.environ, **turn.environment()})
    if as_json:
        put_json({"code": code, "waited_s": round(turn.waited_s, 3)})
    return code


def run(words: Sequence[str], env: dict[str, str]) -> int:
    """Run a command to its end; Ctrl-C is its own affair, and what would end us ends it."""
    defaults = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    if before == signal.SIG_IGN:  # a job in the background, deaf to Ctrl-C as its shell wanted it
        defaults.remove(signal.SIGINT)
    try:
        pid = os.posix_spawnp(words[0], list(words), env, setsigdef=defaults)
    except OSError as why:
        signal.signal(signal.SIGINT, before)
        note(f"error: {words[0]}: {why.strerror}")
        return NO_SUCH if isinstance(why, FileNotFoundError) else NOT_TO_BE_RUN
    handlers = {number: signal.signal(number, lambda got, _: os.kill(pid, got)) for number in PASSED_ON}
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        for number, handler in (*handlers.items(), (signal.SIGINT, before)):
            signal.signal(number, handler)
    sys.stdout.flush()
    return code if code >= 0 else 128 - code
