"""Figures in Prometheus' text form (its "Exposition formats", version 0.0.4), as lines. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def exposition(families: Sequence[Mapping[str, Any]], more: Mapping[str, str]) -> Iterator[str]:
    """Name, type and value of each figure; ``more``: labels that each has besides."""
    for family in families:
        name = family["name"]
        yield f"# HELP {name} {escaped(family['help'])}"
        yield f"# TYPE {name} {family['type']}"
        for sample in family["samples"]:
            labels = {**more, **sample["labels"]}
            told = ",".join(f'{key}="{quoted(value)}"' for key, value in labels.items())
            yield f"{name}{{{told}}} {number(sample['value'])}" if told else f"{name} {number(sample['value'])}"


def escaped(text: str) -> str:
    """As it stands behind HELP."""
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def quoted(text: str) -> str:
    """As it stands between a label's quotes; a stray byte, which no UTF-8 has, is a question mark."""
    return escaped(text.encode("utf-8", "replace").decode("utf-8")).replace('"', '\\"')


def number(value: float) -> str:
    """A whole number without a point."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
