"""Spare a first look the reading of every file: git already knows most of them to be unchanged."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from gitsessiond.store.files import is_racy, signature
from gitsessiond.store.filters import Filters
from gitsessiond.store.known import KnownPaths
from gitsessiond.store.scan import Look
from gitsessiond.store.tracked import Tracked

WORTH_ASKING = 100  # fewer files are read sooner than git has answered


def trust_git(look: Look, known: KnownPaths, tracked: Tracked, filters: Filters) -> None:
    """Take files that were never compared as known where git holds them to be what is recorded.

    The files' signatures in ``look`` were taken before git is asked, so that a change in between shows as a
    difference at the next look.
    """
    fresh = {path: found for path, found in look.differs if not known.is_compared(path)}
    if len(fresh) < WORTH_ASKING:
        return
    now = time.time_ns()
    clean = tracked.clean_entries()
    same = [path for path in fresh if known.is_just(path, clean.get(path))]
    for path in unfiltered(same, fresh, known, filters=filters, tracked=tracked):
        known.set_compared(path, signature(fresh[path]), is_racy(fresh[path], now))
    look.differs = [(path, found) for path, found in look.differs if path not in fresh or not known.is_compared(path)]


def unfiltered(
    paths: Sequence[bytes],
    found: Mapping[bytes, os.stat_result],
    known: KnownPaths,
    *,
    filters: Filters,
    tracked: Tracked,
) -> list[bytes]:
    """Those clean files whose bytes are the stored ones: no filter, or line ends, which change the size."""
    if not filters.active:
        return list(paths)
    unseen = filters.may_change_unseen(paths)
    plain = [path for path, may_change in zip(paths, unseen, strict=True) if not may_change]
    sizes = tracked.blob_sizes([entry.oid for path in plain if (entry := known[path].entry)])
    return [path for path, size in zip(plain, sizes, strict=True) if size == found[path].st_size]
