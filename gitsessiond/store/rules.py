"""Everything that decides what of a worktree is recorded: ignore rules, attributes, the index, configuration."""

from __future__ import annotations

from collections.abc import Iterable

from gitsessiond.model.errors import BadRequest
from gitsessiond.store.config import Config
from gitsessiond.store.filters import ATTRIBUTES_FILE, Filters
from gitsessiond.store.ignore import IGNORE_FILE, Ignore
from gitsessiond.store.known import KnownPaths
from gitsessiond.store.repository import Repository
from gitsessiond.store.scan import Look
from gitsessiond.store.tracked import Tracked

MAX_FILE_SIZE = 50 << 20


class Rules:
    """The rules of one worktree, and whether they changed since they were looked at last."""

    def __init__(self, repository: Repository, config: Config, scratch: str) -> None:
        self._config = config
        self.ignore = Ignore(repository, config)
        self.filters = Filters(repository, config, scratch)
        self.tracked = Tracked(repository, config)
        self._seen_index = 0

    def changed(self, paths: Iterable[bytes], known: KnownPaths) -> bool:
        """Look at the rule files among these paths and outside; tells whether what is ignored may change."""
        changed = self.ignore.refresh()
        self.filters.refresh()
        for path in paths:
            name = path.rpartition(b"/")[2]
            if name == IGNORE_FILE:
                changed = self.ignore.saw(path) or changed
            elif name == ATTRIBUTES_FILE:
                self.filters.forget()
                self.filters.has_files = True
        self.filters.has_files |= any(path.endswith(ATTRIBUTES_FILE) for path in known.rules)
        return changed

    def attributes_changed(self, look: Look) -> bool:
        """Whether a look found an attributes file that is not as it was."""
        seen = (*(path for path, _ in (*look.differs, *look.new)), *look.vanished)
        if all(path.rpartition(b"/")[2] != ATTRIBUTES_FILE for path in seen):
            return False
        self.filters.forget()
        self.filters.has_files = True
        return True

    def filtered(self, known: KnownPaths) -> list[bytes]:
        """The known paths of which git stores something else than line ends would make of them."""
        names = list(known.names)
        return [path for path, turns in zip(names, self.filters.may_change_unseen(names), strict=True) if turns]

    def index_changed(self) -> bool:
        """Whether git wrote the index since this was asked last."""
        version = self.tracked.refresh()
        changed, self._seen_index = version != self._seen_index, version
        return changed

    def unwanted(self, known: KnownPaths) -> list[bytes]:
        """Known paths that are neither tracked nor wanted any more: ``git add -A`` would not store them."""
        untracked = sorted(known.names - self.tracked.all())
        answers = self.ignore.ignored(untracked)
        return [path for path, ignored in zip(untracked, answers, strict=True) if ignored]

    def max_file_size(self) -> int:
        """Bytes; a mistyped setting is no reason to stop recording."""
        try:
            return self._config.number("gitsession.maxFileSize", MAX_FILE_SIZE)
        except BadRequest:
            return MAX_FILE_SIZE

    def modes_count(self) -> bool:
        """Whether executable bits on disk mean something."""
        try:
            return self._config.flag("core.fileMode", True)
        except BadRequest:
            return True

    def close(self) -> None:
        """End the children."""
        self.ignore.close()
        self.filters.close()
