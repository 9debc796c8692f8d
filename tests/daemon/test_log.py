"""The daemon's log: put aside when it is long, by one process; the others follow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, sys
from gitsessiond.daemon import log
path = sys.argv[1]
read, write = os.pipe()
pid = os.fork()
log.keep_in(path, puts_aside=pid != 0)
if pid:
    os.close(read)
    for n in range(20000):
        log.log(f"front line {n} " + "x" * 50)
        if n % 1000 == 0:
            os.write(write, b"g")
    os.close(write)
    os.wait()
else:
    os.close(write)
    while os.read(read, 1):
        log.log("recorder line")
"""


def test_a_long_log_is_put_aside_while_both_write(tmp_path: Path) -> None:
    """It stays below its limit, the newest lines are all there, and both processes write into the new file."""
    path = tmp_path / "daemon.log"
    with open(path, "ab") as file:
        subprocess.run([sys.executable, "-c", SCRIPT, str(path)], stderr=file, check=True, timeout=60)
    older, newer = (tmp_path / "daemon.log.1").read_text(), path.read_text()
    assert len(newer) < (1 << 20) + 200 and len(older) < (1 << 20) + 200
    numbers = [int(line.split("front line ")[1].split()[0]) for line in (older + newer).splitlines() if "front" in line]
    assert numbers == list(range(numbers[0], 20000))
    assert (older + newer).count("recorder line") > 5


def test_a_terminal_is_no_log(tmp_path: Path) -> None:
    """Standard error that is not the log is left as it is."""
    code = (
        "from gitsessiond.daemon import log; log.keep_in(__import__('sys').argv[1], puts_aside=True); log.log('said')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "log")], capture_output=True, check=True)
    assert b"said" in done.stderr and not list(tmp_path.iterdir())


def test_a_line_cannot_repaint_the_terminal_it_is_read_on() -> None:
    """Control characters are written in letters; the lines of a traceback stay lines."""
    code = r"from gitsessiond.daemon import log; log.log('a\x1b[2J\x9b1m\r\udcff\n\tb')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stderr.endswith(b"a\\x1b[2J\\x9b1m\\x0d\\udcff\n\tb\n")
