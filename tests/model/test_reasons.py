"""Reasons in words."""

from __future__ import annotations

import pytest

from gitsessiond.model.reasons import reason_words

NAMES = {"kkkkkkkkkkkk": "validation", "llllllllllll": "speed", "mmmmmmmmmmmm": "docs"}


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("~none", "no patch was in use"),
        ("~before", "was there before the session"),
        ("~over kkkkkkkkkkkk llllllllllll", "lines of validation and speed"),
        ("~format kkkkkkkkkkkk llllllllllll mmmmmmmmmmmm", "rewrites lines of validation, speed and docs"),
        ("~file kkkkkkkkkkkk", "whole file of validation"),
        ("~cycle kkkkkkkkkkkk llllllllllll", "cycle: validation already needs speed"),
        ("~merged kkkkkkkkkkkk", "made after validation was merged"),
        ("~abandoned kkkkkkkkkkkk", "patch validation is abandoned"),
        ("~guard large", "a large new file"),
        ("~foreign 3f2c1abdeadbeef main", "from main, commit 3f2c1ab"),
        ("builds ~", "an unassigned edit builds on these lines"),
        ("~new-code 1", "new-code 1"),
    ],
)
def test_labels_become_words(label: str, words: str) -> None:
    """Every code has its sentence with patches by name; an unknown one is shown as it is."""
    assert reason_words(label, lambda pid: NAMES.get(pid, pid)) == words
