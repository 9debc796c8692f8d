"""How a command ends: the one place that prints errors and chooses the exit code (docs/cli.md, "Exit codes").

Free of click, because the fast commands end here too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from gitsessiond.faces.cli.terminal import hint, note, put_json
from gitsessiond.model.errors import Bug, GitSessionError

EXIT_CODES = {
    0: "done",
    1: "cannot",
    2: "usage",
    3: "conflicts, what was named did not land",
    4: "refused in this state",
    10: "no such thing",
    11: "locked or claimed by another",
    12: "moved meanwhile",
    13: "daemon not reachable",
    14: "state unreadable or newer",
    15: "git or disk refused",
    70: "bug, the log is named",
    130: "interrupted",
}
INTERRUPTED = 130


def run_guarded(run: Callable[[], int], argv: Sequence[str]) -> int:
    """Run a command, print its failure as ``error:`` and ``hint:`` or as JSON, and return the exit code."""
    try:
        return run()
    except KeyboardInterrupt:
        note("interrupted")
        return INTERRUPTED
    except GitSessionError as error:
        return print_error(error, wants_json(argv))
    except Exception as problem:  # nobody foresaw it: people get one sentence, the log gets the rest
        return print_error(bug_of(problem), wants_json(argv))


def print_error(error: GitSessionError, as_json: bool) -> int:
    """Print an error for a person or a program; returns its exit code."""
    if as_json:
        put_json({"error": {key: value for key, value in error.as_dict().items() if key != "exit"}})
        return error.exit_code
    note(f"error: {error.message}")
    for command in (error.hint or "").splitlines():
        hint(command)
    return error.exit_code


def wants_json(argv: Sequence[str]) -> bool:
    """Whether ``--json`` is among the words, even where the rest of them makes no sense."""
    words = list(argv)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def bug_of(problem: Exception) -> Bug:
    """The error to show for an exception nobody foresaw; its traceback is in the file the message names."""
    import time
    import traceback

    path = os.path.join(log_directory(), f"bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log")
    try:
        with open(path, "w", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{sys.argv!r}\npython {sys.version}\n\n")
            traceback.print_exception(problem, file=log)
    except OSError as refused:
        path = f"nowhere: {refused}"
    words = str(problem) or type(problem).__name__
    return Bug(f"something went wrong inside git session: {words}; log: {path}", hint="report it with that file")


def log_directory() -> str:
    """Where logs of the command itself go: the XDG state directory, or the temporary one."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    path = os.path.join(state, "gitsessiond")
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError:
        import tempfile

        return tempfile.gettempdir()
    return path
