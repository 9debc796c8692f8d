"""The command ``metrics``: counts and rates, for Prometheus or as JSON."""

from __future__ import annotations

import re

import click

from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face
from gitsessiond.faces.cli.metriclines import exposition
from gitsessiond.faces.cli.terminal import put, put_json
from gitsessiond.model.errors import BadRequest, Unreachable

LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)=(.*)", re.DOTALL)


@click.command("metrics", cls=SessionCommand)
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="A label for every figure; repeatable.")
@pass_face
def metrics(face: Face, labels: tuple[str, ...]) -> int:
    """Print figures of the daemon in Prometheus' text form

    docs/metrics.md says what each means. Counters begin with the daemon. Where no daemon runs or may
    be started, only what is kept is counted.
    """
    more = dict(label_of(one) for one in labels)
    up = 1.0
    found = face.call("metrics")["metrics"]
    try:
        found = [*face.call("daemon.metrics")["metrics"], *found]
    except Unreachable:
        up = 0.0
    told = {"name": "gitsession_up", "type": "gauge", "help": "Whether a daemon answers."}
    families = [told | {"samples": [{"labels": {}, "value": up}]}, *found]
    if face.json:
        put_json({"metrics": families})
    else:
        put(exposition(families, more))
    return 0


def label_of(text: str) -> tuple[str, str]:
    """Name and value of a label.

    Raises:
        BadRequest: Prometheus would not take the name.
    """
    found = LABEL.fullmatch(text)
    if found is None or found[1].startswith("__"):
        raise BadRequest(f"{text!r} is no label", hint="git session metrics --label repository=shop")
    return found[1], found[2]


COMMANDS = (metrics,)
