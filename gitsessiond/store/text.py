"""git's line diff and three-way merge of texts in memory: xdiff as libgit2 carries it, exact bytes, LF only.

Nothing here decodes: a file of another encoding is bytes like any other. libgit2's ``git_merge_file`` works
on buffers, but pygit2 binds only the form that wants an index and a repository (and whose Python face decodes
as UTF-8 and fails on anything else); so it is called by ctypes in the very library pygit2 has loaded.
"""

from __future__ import annotations

import ctypes
import re

import pygit2
from pygit2 import _libgit2
from pygit2.enums import DiffOption

from gitsessiond.model.errors import StoreFailed
from gitsessiond.model.values import Hunk, Merged3, is_binary

DEFAULT_LABELS = ("base", "ours", "theirs")

# include/git2/merge.h of libgit2 1.x
_VERSION = 1
_STYLE_MERGE, _STYLE_DIFF3 = 1, 2
_FAVOR_NORMAL, _FAVOR_UNION = 0, 3


class _Input(ctypes.Structure):
    """``git_merge_file_input``."""

    _fields_ = (
        ("version", ctypes.c_uint),
        ("ptr", ctypes.c_char_p),
        ("size", ctypes.c_size_t),
        ("path", ctypes.c_char_p),
        ("mode", ctypes.c_uint),
    )


class _Options(ctypes.Structure):
    """``git_merge_file_options``."""

    _fields_ = (
        ("version", ctypes.c_uint),
        ("ancestor_label", ctypes.c_char_p),
        ("our_label", ctypes.c_char_p),
        ("their_label", ctypes.c_char_p),
        ("favor", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("marker_size", ctypes.c_ushort),
    )


class _Result(ctypes.Structure):
    """``git_merge_file_result``."""

    _fields_ = (
        ("automergeable", ctypes.c_uint),
        ("path", ctypes.c_char_p),
        ("mode", ctypes.c_uint),
        ("ptr", ctypes.c_void_p),
        ("len", ctypes.c_size_t),
    )


# A name looked up in pygit2's extension module is found in the libgit2 it is linked to, bundled or not.
_lib = ctypes.CDLL(_libgit2.__file__)
_merge_file = _lib.git_merge_file
_merge_file.restype = ctypes.c_int
_merge_file.argtypes = (ctypes.POINTER(_Result), *[ctypes.POINTER(_Input)] * 3, ctypes.POINTER(_Options))
_free_result = _lib.git_merge_file_result_free
_free_result.restype = None
_free_result.argtypes = (ctypes.POINTER(_Result),)


def diff_lines(old: bytes, new: bytes) -> list[Hunk]:
    """The differing runs of lines, in order, none touching another; binary content is compared as text too.

    A last line without its newline differs from the same line with one.
    """
    if old == new:
        return []
    patch = pygit2.Patch.create_from(old, new, flag=DiffOption.FORCE_TEXT, context_lines=0, interhunk_lines=0)
    out = []
    for hunk in patch.hunks:
        # A side without lines is named by the line before it ("@@ -3,0 +4 @@"): 0-based, that is its place.
        old_from = hunk.old_start - 1 if hunk.old_lines else hunk.old_start
        new_from = hunk.new_start - 1 if hunk.new_lines else hunk.new_start
        out.append(Hunk(old_from, old_from + hunk.old_lines, new_from, new_from + hunk.new_lines))
    return out


def merge_text(
    base: bytes,
    ours: bytes,
    theirs: bytes,
    *,
    labels: tuple[str, str, str] = DEFAULT_LABELS,
    marker_size: int = 7,
) -> Merged3:
    """Merge as ``git merge`` does; on a conflict the content has diff3 markers with these labels.

    ``labels`` are those of base, ours and theirs; ``marker_size`` is at most 65,535. Binary sides that both
    changed are a conflict whose content is ours, without markers.

    Raises:
        StoreFailed: libgit2 refused (a side of more than 1 GB).
    """
    if theirs in (base, ours):
        return Merged3(ours, False)
    if ours == base:
        return Merged3(theirs, False)
    if is_binary(base) or is_binary(ours) or is_binary(theirs):
        return Merged3(ours, True)
    merged = _merged(base, ours, theirs, _STYLE_MERGE)
    if not merged.conflicts:
        return merged
    # The plain style decides, as in git: it sets lines common to both sides aside, which the diff3 style
    # cannot show and so would call a conflict.
    marked = _merged(base, ours, theirs, _STYLE_DIFF3, labels=labels, marker_size=marker_size)
    for mark, side, label in zip(b"|<>", (base, ours, theirs), labels, strict=True):
        if not side:
            marked = _labelled(marked, base + ours + theirs, b"%c" % mark * marker_size, label)
    return marked


def _labelled(marked: Merged3, sides: bytes, marker: bytes, label: str) -> Merged3:
    """Put a label behind its marker: libgit2 leaves it out where that side is empty."""
    bare = re.compile(rb"^%s(?=\r?$)" % re.escape(marker), re.MULTILINE)
    if bare.search(sides):  # a line of the text looks the same; better bare than a changed text
        return marked
    label_bytes = label.encode("utf-8", "surrogateescape")
    return Merged3(bare.sub(lambda found: found[0] + b" " + label_bytes, marked.content), True)


def union_text(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """Merge without conflicts: lines both changed are ours, then theirs (gitattributes(5), ``union``).

    Raises:
        StoreFailed: libgit2 refused.
    """
    return _merged(base, ours, theirs, _STYLE_MERGE, favor=_FAVOR_UNION).content


def _merged(
    base: bytes,
    ours: bytes,
    theirs: bytes,
    flags: int,
    *,
    favor: int = _FAVOR_NORMAL,
    labels: tuple[str, str, str] = DEFAULT_LABELS,
    marker_size: int = 7,
) -> Merged3:
    """One call of ``git_merge_file``; the result's memory is libgit2's and is freed here."""
    inputs = [_Input(_VERSION, side, len(side), None, 0) for side in (base, ours, theirs)]
    names = [label.encode("utf-8", "surrogateescape") for label in labels]
    options = _Options(_VERSION, *names, favor, flags, marker_size)
    result = _Result()
    code = _merge_file(ctypes.byref(result), *[ctypes.byref(one) for one in inputs], ctypes.byref(options))
    if code < 0:
        raise StoreFailed(f"libgit2 cannot merge this text (error {code})", hint="git session doctor")
    try:
        content = ctypes.string_at(result.ptr, result.len) if result.len else b""
        return Merged3(content, not result.automergeable)
    finally:
        _free_result(ctypes.byref(result))
