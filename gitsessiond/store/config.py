"""git's configuration as git itself resolves it, read once and again only when one of its files changed.

Everything a person can set is a ``gitsession.*`` key (docs/recording.md, "Settings"); some of git's own matter
to us too. Keys are compared as git does: section and name without regard to case, the subsection exactly.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from gitsessiond.model.errors import BadRequest
from gitsessiond.model.settings import FALSE_WORDS, TRUE_WORDS, Setting, value_of
from gitsessiond.store.git import run_git
from gitsessiond.store.repository import Repository

Signature = tuple[int, int, int] | None


class Config:
    """The configuration of one worktree. Every getter sees changes made before it was called."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._values: dict[str, list[str]] = {}
        self._origins: dict[str, str] = {}
        self._sources: dict[str, Signature] = {}
        self.version = 0  # counts the times the files were read

    def of(self, repository: Repository) -> Config:
        """The configuration of another worktree of the repository (``config.worktree`` is each one's own)."""
        return self if repository == self._repository else Config(repository)

    def get(self, key: str, default: str | None = None) -> str | None:
        """The last value of a key; a key written without ``=`` reads ``true``."""
        values = self.all(key)
        return values[-1] if values else default

    def all(self, key: str) -> list[str]:
        """Every value of a key, least specific file first."""
        self.refresh()
        return self._values.get(canonical_key(key), [])

    def origin(self, key: str) -> str | None:
        """Where the last value of a key stands, as git says it: ``file:`` and a path; None: nowhere."""
        self.refresh()
        return self._origins.get(canonical_key(key))

    def flag(self, key: str, default: bool = False) -> bool:
        """A boolean by git's words.

        Raises:
            BadRequest: it is none of them.
        """
        value = self.get(key)
        if value is None:
            return default
        if value.lower() in TRUE_WORDS:
            return True
        if value.lower() in FALSE_WORDS:
            return False
        raise BadRequest(f"{key} = {value!r} is neither true nor false", hint=f"git config {key} true")

    def number(self, key: str, default: int) -> int:
        """A whole number that is not negative, with git's units k, m, g.

        Raises:
            BadRequest: it is none.
        """
        value = self.get(key)
        if value is None:
            return default
        found = value_of(Setting(key, "number", str(default), ""), value, key)
        return int(found) if isinstance(found, int | float) else default

    def keys(self, prefix: str) -> list[str]:
        """The keys that are set and begin with ``prefix`` (canonical), such as ``filter.``."""
        self.refresh()
        return [key for key in self._values if key.startswith(prefix)]

    def refresh(self) -> bool:
        """Read the files again if one of them changed, appeared or vanished; tells whether they were read."""
        if self._sources and all(signature_of(path) == known for path, known in self._sources.items()):
            return False
        places = self._possible_files()
        before = {path: signature_of(path) for path in places}
        own = self._repository.git_dir
        git_dir = own if os.path.isdir(own) else self._repository.common_dir  # its worktree was removed
        out = run_git(["config", "--list", "--show-origin", "-z"], git_dir=git_dir).out
        values: dict[str, list[str]] = {}
        origins: dict[str, str] = {}
        fields = os.fsdecode(out).split("\0")
        for origin, setting in zip(fields[::2], fields[1::2], strict=False):
            key, has_value, value = setting.partition("\n")
            values.setdefault(key, []).append(value if has_value else "true")
            origins[key] = origin
            if origin.startswith("file:"):
                path = origin.removeprefix("file:")
                before.setdefault(path, signature_of(path))
        self._values, self._origins, self._sources = values, origins, before
        self.version += 1
        return True

    def _possible_files(self) -> Sequence[str]:
        """Files git reads if they exist (git-config(1), FILES); included ones are known once read."""
        home = os.path.expanduser("~")
        xdg = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        return (
            "/etc/gitconfig",
            os.path.join(xdg, "git", "config"),
            os.path.join(home, ".gitconfig"),
            os.path.join(self._repository.common_dir, "config"),
            os.path.join(self._repository.git_dir, "config.worktree"),
        )


def canonical_key(key: str) -> str:
    """A key as ``git config --list`` spells it: section and name in lower case, the subsection as it is."""
    section, _, rest = key.partition(".")
    subsection, dot, name = rest.rpartition(".")
    return f"{section.lower()}.{subsection}{dot}{name.lower()}"


def signature_of(path: str | bytes) -> Signature:
    """What changes whenever a file is written or replaced: inode, size, mtime; None while there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
