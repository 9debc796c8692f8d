"""Figures as Prometheus reads them, by a reader that refuses what it would."""

from __future__ import annotations

from typing import Any

import pytest

from gitsessiond.faces.cli.metriclines import exposition
from gitsessiond.faces.cli.metrics import label_of
from gitsessiond.model.errors import BadRequest
from tests.exposition import NotExposition, read_exposition


def text_of(families: list[dict[str, Any]], more: dict[str, str] | None = None) -> str:
    return "".join(line + "\n" for line in exposition(families, more or {}))


def test_figures_are_read_as_they_were_meant() -> None:
    """Counters and gauges, with and without labels, and letters that have to be escaped."""
    odd = 'a "quote", a back\\slash\nand a line'
    families = [
        {"name": "gitsession_x_total", "type": "counter", "help": "One \\ two\nthree", "samples": [{"labels": {}, "value": 7.0}]},
        {"name": "gitsession_y", "type": "gauge", "help": "y", "samples": [
            {"labels": {"kind": odd}, "value": 0.25}, {"labels": {"kind": "ü"}, "value": 1e20},
        ]},
        {"name": "gitsession_z", "type": "gauge", "help": "none", "samples": []},
    ]  # fmt: skip
    found = read_exposition(text_of(families))
    assert found["gitsession_x_total"] == ("counter", "One \\ two\nthree", {frozenset(): 7.0})
    assert found["gitsession_y"].samples == {
        frozenset({("kind", odd)}): 0.25, frozenset({("kind", "ü")}): 1e20,
    }  # fmt: skip
    named = read_exposition(text_of(families, {"repository": "shop"}))
    assert named["gitsession_x_total"].samples == {frozenset({("repository", "shop")}): 7.0}
    assert "\udcff" not in text_of([families[1] | {"samples": [{"labels": {"kind": "a\udcff"}, "value": 1}]}])


@pytest.mark.parametrize(
    "text",
    [
        "x 1", "# TYPE x gauge\nx 1\n", "# HELP x y\n# TYPE x gauge\nx 1 \n", "# HELP x y\n# TYPE x gauge\nx 0x1\n",
        "# HELP x y\n# TYPE x gauge\nx 1\nx 2\n", '# HELP x y\n# TYPE x gauge\nx{a="b" 1\n', "# HELP x y\n# TYPE x count\nx 1\n",
        '# HELP x y\n# TYPE x gauge\nx{a="b",a="c"} 1\n', '# HELP x y\n# TYPE x gauge\nx{a="\\t"} 1\n', "\n",
        "# HELP x y\n# TYPE x counter\nx 1\n", "# HELP x_total y\n# TYPE x_total counter\nx_total -1\n",
        "# HELP x y\n# TYPE x gauge\ny 1\n", '# HELP x y\n# TYPE x gauge\nx{1a="b"} 1\n', "# HELP x y\n# TYPE x gauge\nx 1\r\n",
    ],
)  # fmt: skip
def test_the_reader_is_strict(text: str) -> None:
    """It sees what a scrape would refuse."""
    with pytest.raises(NotExposition):
        read_exposition(text)


def test_labels_of_the_command_line() -> None:
    """A name Prometheus takes, and any value."""
    assert label_of("a=b=c d") == ("a", "b=c d")
    assert label_of("a=") == ("a", "")
    for wrong in ("a", "=b", "1a=b", "__a=b", "ä=b"):
        with pytest.raises(BadRequest, match="is no label"):
            label_of(wrong)
