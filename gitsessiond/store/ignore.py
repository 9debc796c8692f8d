"""Which paths git ignores, asked of git itself: one ``git check-ignore`` child is kept and asked many times.

Only for paths that are not tracked (git ignores none of the others); the caller knows which those are. The
child never looks at the index (``--no-index``): it would see the one of the time it was started.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from gitsessiond.model.errors import StoreFailed
from gitsessiond.store.config import Config, Signature, signature_of
from gitsessiond.store.git import KeptGit
from gitsessiond.store.repository import Repository

IGNORE_FILE = b".gitignore"
REMEMBERED = 200_000  # answers; then they are asked anew
HARMLESS = b"./.gitignore\0"  # a path that git judges in every worktree
FIELDS = 4  # source, line number, pattern, path; the first three are empty where no pattern matches


class Ignore:
    """Answers for one worktree, remembered until a rule changes.

    Rule files inside the worktree (``.gitignore``) are the caller's to meet and tell (:meth:`saw`); those
    outside are looked at by :meth:`refresh`.
    """

    def __init__(self, repository: Repository, config: Config) -> None:
        self._repository, self._config = repository, config
        self._child = KeptGit(["check-ignore", "--no-index", "--stdin", "-z", "-v", "-n"], cwd=repository.worktree)
        self._answers: dict[bytes, bool] = {}
        self._sources: tuple[object, ...] = ()
        self._rule_files: dict[bytes, Signature] = {}
        self.version = 0  # counts the times that rules changed

    def ignored(self, paths: Sequence[bytes]) -> list[bool]:
        """For each path whether git ignores it; a directory is asked for with a ``/`` at its end."""
        if len(self._answers) > REMEMBERED:
            self._answers.clear()
        new = [path for path in dict.fromkeys(paths) if path not in self._answers]
        if new:
            self._ask(new)
        return [self._answers[path] for path in paths]

    def refresh(self) -> bool:
        """Look at the rules outside the worktree; tells whether one changed."""
        self._config.refresh()
        sources = (self._config.version, *self._signatures())
        if sources == self._sources:
            return False
        first, self._sources = not self._sources, sources
        self.forget()
        return not first

    def saw(self, path: bytes) -> bool:
        """A rule file of the worktree was met, or its name is gone; tells whether that changed the rules."""
        found = signature_of(os.path.join(os.fsencode(self._repository.worktree), path))
        if self._rule_files.get(path) == found:
            return False
        self._rule_files[path] = found
        self.forget()
        return True

    def forget(self) -> None:
        """Drop what is remembered, the child's rules too."""
        self._answers.clear()
        self._child.close()
        self.version += 1

    def close(self) -> None:
        """End the child."""
        self._child.close()

    def _ask(self, paths: Sequence[bytes]) -> None:
        """Have git answer for these paths.

        ``./`` keeps a name that begins with ``:`` from being read as pathspec magic. A path that git will not
        judge at all ends the child (its parent became a symbolic link just now): it is found by halving, and
        counts as not ignored, since it is no path of the worktree any more.

        Raises:
            StoreFailed: git judges nothing; what it would ignore is not known.
        """
        question = b"".join(b"./" + path + b"\0" for path in paths)
        try:
            fields = self._child.ask(question, FIELDS * len(paths))
        except StoreFailed:
            self._child.ask(HARMLESS, FIELDS)  # unless it is git itself that does not answer
            if len(paths) == 1:
                self._answers[paths[0]] = False
                return
            half = len(paths) // 2
            self._ask(paths[:half])
            self._ask(paths[half:])
            return
        for path, pattern in zip(paths, fields[2::FIELDS], strict=True):
            self._answers[path] = bool(pattern) and not pattern.startswith(b"!")

    def _signatures(self) -> tuple[Signature, ...]:
        """The states of the rule files outside the worktree (gitignore(5))."""
        places = [*outside_files(self._config, "core.excludesFile", "ignore")]
        places.append(os.path.join(self._repository.common_dir, "info", "exclude"))
        return tuple(signature_of(path) for path in places)


def outside_files(config: Config, key: str, default: str) -> tuple[str, ...]:
    """The user's own file of rules or attributes: as configured, else in git's configuration directory."""
    configured = config.get(key)
    if configured is not None:
        return (os.path.expanduser(configured),) if configured else ()
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return (os.path.join(home, "git", default),)
