"""Keeping ``.gitsession/`` out of git: one marked line in the common directory's ``info/exclude`` (gitignore(5))."""

from __future__ import annotations

import os

LINE = b"/.gitsession/\n"
MARK = b"# gitsessiond: control files of sessions\n"


def ensure_exclude(common_dir: str) -> None:
    """Add our line unless it is there; what a person wrote in the file stays as it is."""
    path = os.path.join(common_dir, "info", "exclude")
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        text = b""
    if LINE in text.splitlines(keepends=True):
        return
    if text and not text.endswith(b"\n"):
        text += b"\n"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    replace_file(path, text + MARK + LINE)


def forget_exclude(common_dir: str) -> bool:
    """Take our lines out again; tells whether they were there."""
    path = os.path.join(common_dir, "info", "exclude")
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        return False
    if MARK + LINE not in text:
        return False
    replace_file(path, text.replace(MARK + LINE, b""))
    return True


def replace_file(path: str, content: bytes) -> None:
    """Write a whole file beside the old one, then put it in its place; what a link leads to stays behind the link."""
    path = os.path.realpath(path)
    temporary = f"{path}.gitsessiond-{os.getpid()}"
    with open(temporary, "wb") as file:
        if os.path.exists(path):
            os.fchmod(file.fileno(), os.stat(path).st_mode & 0o7777)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
