"""Entry points. The only module that may import every floor; it imports each only where it is needed.

``git-session`` answers its short commands before anything slow is loaded. ``gitsessiond`` is the daemon's processes:
``run`` is front, ``recorder`` its child, ``once`` both for a single request; ``check`` runs the user's check.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

USAGE = """usage: gitsessiond run [--foreground] | once | stop | status | --version

The daemon of one repository. `git session` starts and asks it; nothing here is needed in daily work.
  run --foreground   serve the repository one stands in until interrupted (for systemd and launchd)
  stop, status       the same as `git session daemon stop`, `... status`
"""


def cli() -> None:
    """``git session``."""
    leave(ended_quietly(sys.argv[1:]))


def leave(code: int) -> NoReturn:
    """End this process; without a last search for circles, which took a fifth of a short command's time."""
    gc.freeze()
    sys.exit(code)


def ended_quietly(argv: Sequence[str]) -> int:
    """Run the command; a reader that goes away, as ``head`` does, is no error."""
    try:
        code = run_command(argv)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the interpreter's own last flush
        return 0
    except KeyboardInterrupt:
        return 130


def run_command(argv: Sequence[str]) -> int:
    """Run the command line; what fails, loading its modules included, ends as docs/cli.md says."""
    from gitsessiond.faces.cli.ending import run_guarded

    return run_guarded(lambda: run_any(argv), argv)


def run_any(argv: Sequence[str]) -> int:
    """The fast commands first, then all."""
    if argv[:1] == ["agent-hook"]:
        from gitsessiond.faces.cli.agenthook import run_agent_hook

        code = run_agent_hook(argv[1:])
        return run_slow(argv) if code is None else code
    from gitsessiond.faces.cli.fast import run_fast
    from gitsessiond.faces.cli.inturn import run_quickly

    code = run_quickly(argv) if argv[:1] == ["exec"] else run_fast(argv)
    return run_slow(argv) if code is None else code


def run_slow(argv: Sequence[str]) -> int:
    """Load the whole command line."""
    from gitsessiond.faces.cli import app

    return app.main(argv)


def daemon() -> None:
    """``gitsessiond``."""
    argv = sys.argv[1:]
    if argv[:1] == ["--version"]:
        print(f"gitsessiond {version()}")
        sys.exit(0)
    if argv[:1] in (["stop"], ["status"]):
        leave(ended_quietly(["daemon", *argv]))
    leave(run_process(argv))


def run_process(argv: Sequence[str]) -> int:
    """Be one of the daemon's processes."""
    import argparse

    parser = argparse.ArgumentParser(prog="gitsessiond", usage=USAGE, add_help=False)
    parser.add_argument("role", choices=["run", "once", "check", "recorder"])
    parser.add_argument("--foreground", action="store_true")
    parser.add_argument("--repository", default=None)
    parser.add_argument("--fd", type=int)
    parser.add_argument("--lock-fd", type=int)
    parser.add_argument("--ready-fd", type=int)
    if not argv or argv[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if argv else 2
    asked = parser.parse_args(argv)
    where = os.path.abspath(asked.repository or os.getcwd())
    if asked.role == "run":
        if asked.ready_fd is None and not asked.foreground:
            return ended_quietly(["daemon", "start"])
        from gitsessiond.daemon.front_process import be_front
        from gitsessiond.faces.cli.panel import panel_lines
        from gitsessiond.faces.cli.terminal import Look

        return be_front(where, asked.ready_fd, version(), lambda status: panel_lines(status, Look()))
    if asked.fd is None:
        print(f"gitsessiond {asked.role} is started by git session itself", file=sys.stderr)
        return 2
    if asked.role == "check":
        from gitsessiond.daemon.check_process import be_check

        return be_check(where, asked.fd)
    gc.disable()  # what is loaded stays; nothing of it need be searched for circles
    from gitsessiond.daemon.recorder_process import be_once, be_recorder

    gc.enable()
    return be_once(where, asked.fd) if asked.role == "once" else be_recorder(where, asked.fd, asked.lock_fd)


def version() -> str:
    """The installed version."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("gitsessiond")
    except PackageNotFoundError:
        return "unknown"


if __name__ == "__main__":
    daemon()
