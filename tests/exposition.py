"""A strict reader of Prometheus' text form ("Exposition formats", version 0.0.4), after its own words.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re
from typing import NamedTuple

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
VALUE = re.compile(r"[+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|Inf|NaN)|NaN")
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")
ESCAPED = {"\\": "\\", '"': '"', "n": "\n"}


class Metric(NamedTuple):
    """One figure, as it was read."""

    type: str
    help: str
    samples: dict[frozenset[tuple[str, str]], float]


class NotExposition(AssertionError):
    """What a scrape would refuse, or read as something else than was meant."""


def read_exposition(text: str) -> dict[str, Metric]:
    """All figures by name. Raises NotExposition with the line."""
    if text and not text.endswith("\n"):
        raise NotExposition("the last line must end with a line feed")
    if "\r" in text:
        raise NotExposition("lines end with a line feed alone")
    helps: dict[str, str] = {}
    types: dict[str, str] = {}
    found: dict[str, Metric] = {}
    last = ""
    for line in text.split("\n")[:-1]:
        if line.startswith(("# HELP ", "# TYPE ")):
            _, word, name, *rest = line.split(" ", 3)
            kept = helps if word == "HELP" else types
            if not NAME.fullmatch(name) or name in kept or name in found or not rest:
                raise NotExposition(f"a second or late {word}, or none: {line!r}")
            kept[name] = rest[0]
            if word == "TYPE":
                if rest[0] not in TYPES:
                    raise NotExposition(line)
                found[name] = Metric(rest[0], unescaped(helps.get(name, ""), quoted=False), {})
            last = name
        elif line.startswith("#") or not line.strip():
            raise NotExposition(f"a line that says nothing: {line!r}")
        else:
            name, labels, value = sample_of(line)
            if name != last or name not in found:
                raise NotExposition(f"samples of one figure stand together below its TYPE: {line!r}")
            if labels in found[name].samples:
                raise NotExposition(f"the same labels twice: {line!r}")
            found[name].samples[labels] = value
    for name, one in found.items():
        if not one.help:
            raise NotExposition(f"{name} has no HELP")
        if (one.type == "counter") != name.endswith("_total"):
            raise NotExposition(f"{name}: counters end in _total, and nothing else does")
        if one.type == "counter" and any(not value >= 0 for value in one.samples.values()):
            raise NotExposition(f"{name}: a counter below 0")
    return found


def sample_of(line: str) -> tuple[str, frozenset[tuple[str, str]], float]:
    """Name, labels and value of a sample."""
    named = NAME.match(line)
    if named is None:
        raise NotExposition(line)
    at, labels = named.end(), dict[str, str]()
    if line[at : at + 1] == "{":
        at += 1
        while line[at : at + 1] != "}":
            one = re.compile(r'([^=]*)="((?:[^"\\]|\\[\\"n])*)"(,|(?=\}))').match(line, at)
            if one is None or not LABEL.fullmatch(one[1]) or one[1].startswith("__") or one[1] in labels:
                raise NotExposition(f"labels: {line!r}")
            labels[one[1]] = unescaped(one[2], quoted=True)
            at = one.end()
        at += 1
    rest = line[at:]
    if not rest.startswith(" ") or not VALUE.fullmatch(rest[1:]):
        raise NotExposition(f"value: {line!r}")
    return named[0], frozenset(labels.items()), float(rest[1:])


def unescaped(text: str, *, quoted: bool) -> str:
    """Backslashes undone."""
    allowed = r'\\([\\"n])' if quoted else r"\\([\\n])"
    if re.search(r"\\(?!%s)" % ('[\\\\"n]' if quoted else "[\\\\n]"), re.sub(r"\\\\", "", text)):
        raise NotExposition(f"a backslash that means nothing: {text!r}")
    return re.sub(allowed, lambda one: ESCAPED[one[1]], text)
