"""``python -m tests.benchmarks [--files 1000,10000] [--large] [--saves N] [NAME...]``: the table of docs/performance.md.

``--large`` adds 50,000 files. Machines are shared and noisy: read the yardstick of the same run beside each figure.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import subprocess
import sys

from tests.benchmarks import figures
from tests.benchmarks.beside import BESIDE
from tests.benchmarks.collisions import COLLISIONS
from tests.benchmarks.events import EVENTS_FIGURES
from tests.benchmarks.figures import users_git
from tests.benchmarks.ground import Row, grounds
from tests.benchmarks.locks import LOCKS
from tests.benchmarks.scale import SCALE

FIGURES = figures.FIGURES | SCALE | BESIDE | LOCKS | COLLISIONS | EVENTS_FIGURES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FIGURES)} (default: all)")
    parser.add_argument("--files", default="1000,10000", help="sizes, comma-separated (default 1000,10000)")
    parser.add_argument("--large", action="store_true", help="also 50,000 files")
    parser.add_argument("--saves", type=int, default=20000, help="saves behind the user's git (default 20000)")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in FIGURES]
    if unknown:
        parser.error(f"no figure named {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    sizes = [int(part) for part in asked.files.split(",")] + ([50000] if asked.large else [])
    version = subprocess.run(["git", "--version"], capture_output=True, text=True).stdout.strip()
    print(
        f"{version}, Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}\n"
    )
    print("| what | size | gitsessiond | yardstick, same run | to reach |\n|---|---|---|---|---|")
    with grounds(sizes) as ground:
        for name in asked.names or FIGURES:
            figure = functools.partial(users_git, saves=asked.saves) if name == "git" else FIGURES[name]
            for size in sizes if name != "git" else sizes[:1]:
                for row in figure(ground(size)):
                    print_row(row)
    return 0


def print_row(row: Row) -> None:
    print(f"| {row.what} | {row.size} | {row.ours} | {row.yardstick} | {row.reach} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
