"""Make the frozen state of the current format: `python -m tests.frozen.make` writes tests/frozen/format-N.tar.gz.

Once for each number of the format, by the version that writes it, and never again: what lies there is what people have
on their disks. The state has every kind of record: steps, patches committed, merged and abandoned, a conflict,
unassigned edits, a file with raw bytes, a binary one, a link.
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.bench import Workbench
from tests.conftest import sealed_environment

HERE = Path(__file__).parent
# Beside the worktree's own: what another process of the same format makes again by itself (docs/format.md).
LEFT_OUT = {"cache", "logs", "lock", "sock", "alive", "cookies"}


def make(root: Path) -> None:
    """A small day, by the installed command."""
    root.mkdir()
    bench = Workbench(root)
    bench.git("init", "-q", "-b", "main")
    bench.git("config", "user.name", "Ann")
    bench.git("config", "user.email", "ann@example.org")
    bench.write("a.txt", "".join(f"line {n}\n" for n in range(1, 31)))
    bench.write("b.txt", "".join(f"b {n}\n" for n in range(1, 11)))
    bench.write(".gitattributes", "dos.txt text eol=crlf\n")
    bench.write("dos.txt", "one\r\ntwo\r\n")
    bench.git("add", "-A")
    bench.git("commit", "-qm", "first")
    bench.run("start", "day", "-m", "A day to keep", "--here")
    bench.edit("a.txt", "line 2\n", "line two\n")
    bench.run("patch", "new", "landed", "-m", "Lands first")
    bench.run("commit", "-m", "two in words")
    bench.run("merge", "landed", "--ready")
    bench.run("patch", "new", "checks")
    bench.edit("a.txt", "line 10\n", "line ten\n")
    bench.write("new.py", "def check():\n    return True\n")
    bench.write("dos.txt", "one\r\ntwo\r\nthree\r\n")
    bench.run("commit", "-m", "ten in words")
    bench.edit("a.txt", "line 12\n", "line twelve\n")
    bench.run("patch", "new", "speed")
    bench.edit("a.txt", "line 11\n", "line eleven, fast\n")
    bench.write("pixel.bin", b"\0\1\2")
    bench.run("assign", "pixel.bin", "--patch", "speed")
    bench.run("patch", "new", "dropped")
    bench.edit("b.txt", "b 3\n", "b three\n")
    bench.run("patch", "abandon", "dropped")
    (root / "link").symlink_to("a.txt")
    bench.run("patch", "new", "fights")
    bench.edit("b.txt", "b 9\n", "b nine\n")
    other = bench.at(root.parent / "other")
    bench.git("worktree", "add", "-q", str(other.root), "main")
    other.edit("b.txt", "b 9\n", "b 9 of others\n")
    other.git("commit", "-qam", "others")
    bench.git("worktree", "remove", str(other.root))
    bench.run("merge", "fights", "--ready", code=3)
    bench.run("patch", "use", "-")
    bench.edit("a.txt", "line 30\n", "nobody's\n")
    bench.status()
    bench.stop()


def pack(root: Path) -> bytes:
    """The checkout with its repository and our state, with no time or user in the archive's own records."""
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w") as archive:
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            if inside.parts[:2] == (".git", "hooks") or path.is_socket():
                continue
            if inside.parts[:2] == (".git", "gitsession") and len(inside.parts) > 2 and inside.parts[2] in LEFT_OUT:
                continue
            one = archive.gettarinfo(path, str(Path("shop") / inside))
            one.mtime, one.uid, one.gid, one.uname, one.gname = 0, 0, 0, "", ""
            archive.addfile(one, path.open("rb") if one.isreg() else None)
    return gzip.compress(kept.getvalue(), mtime=0)


def main() -> None:
    with tempfile.TemporaryDirectory() as top:
        home = Path(top) / "home"
        (home / "run").mkdir(parents=True, mode=0o700)
        (home / "tmp").mkdir()
        os.environ.update(sealed_environment(home))
        make(Path(top) / "shop")
        number = (Path(top) / "shop/.git/gitsession/format").read_text().strip()
        goal = HERE / f"format-{number}.tar.gz"
        if goal.exists():
            sys.exit(f"{goal} exists: it is never made again")
        goal.write_bytes(pack(Path(top) / "shop"))
        subprocess.run(["ls", "-l", str(goal)], check=True)


if __name__ == "__main__":
    main()
