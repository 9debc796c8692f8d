"""Commands as hints name them: each word quoted where a shell needs it, so that a hint can be pasted."""

from __future__ import annotations

import shlex


def command_words(*words: str) -> str:
    """``git session`` and these words, as they are typed."""
    return "git session " + shlex.join(words)
