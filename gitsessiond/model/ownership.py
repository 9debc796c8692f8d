"""Ownership of a session as a whole: everything the floors above use, by the module it is in.

Rules: docs/ownership.md. All of it is pure: values in, values out.
"""

from __future__ import annotations

from gitsessiond.model.assigning import assign, merged_outside, take
from gitsessiond.model.basing import MovedBase, move_base
from gitsessiond.model.discarding import Discarded, discard_patch
from gitsessiond.model.files import File, Tools, version_of
from gitsessiond.model.graph import Graph, graph_of
from gitsessiond.model.judging import judge
from gitsessiond.model.laying import Edge
from gitsessiond.model.learning import learn_commit, remap_commits
from gitsessiond.model.owners import (
    Assigned,
    How,
    Owners,
    Refusal,
    Sorted,
    add_patch,
    changed_files,
    changed_paths,
    empty_owners,
    loose_paths,
    set_state,
)
from gitsessiond.model.rows import Row, unassigned_rows
from gitsessiond.model.sorting import sort_save
from gitsessiond.model.versions import (
    Op,
    count_ops,
    edits_of,
    live_overlay,
    ops_of,
    uncommitted_paths,
    versions,
    with_uncommitted,
)

__all__ = [
    "Assigned",
    "Discarded",
    "Edge",
    "File",
    "Graph",
    "How",
    "MovedBase",
    "Op",
    "Owners",
    "Refusal",
    "Row",
    "Sorted",
    "Tools",
    "add_patch",
    "assign",
    "changed_files",
    "changed_paths",
    "count_ops",
    "discard_patch",
    "edits_of",
    "empty_owners",
    "graph_of",
    "judge",
    "learn_commit",
    "live_overlay",
    "loose_paths",
    "merged_outside",
    "move_base",
    "ops_of",
    "remap_commits",
    "set_state",
    "sort_save",
    "take",
    "unassigned_rows",
    "uncommitted_paths",
    "version_of",
    "versions",
    "with_uncommitted",
]
