"""The console scripts, with nothing before the place from which an interrupt ends them as docs/cli.md says.

What Python and the installer's own script load before is not ours to guard.
"""

import sys

INTERRUPTED = 130


def cli() -> None:
    """``git session``."""
    try:
        from gitsessiond.main import cli as run

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def daemon() -> None:
    """``gitsessiond``."""
    try:
        from gitsessiond.main import daemon as run

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
