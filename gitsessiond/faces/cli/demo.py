"""``git session demo``: a tour of the real thing in a repository of its own.

Every line shown after ``$`` is run as it stands, by ``sh`` and the installed commands, and what it prints is
shown. A step that does not do what the tour says ends the tour with exit 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import click

from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face
from gitsessiond.faces.cli.terminal import look_of, put, put_json
from gitsessiond.faces.cli.tour import SETUP, TOUR, Line
from gitsessiond.model.errors import GitSessionError, Refused

TIMEOUT_S = 120
KEPT = ("TMPDIR", "TERM", "NO_COLOR", "XDG_RUNTIME_DIR", "GITSESSION_DAEMON")


class Done(NamedTuple):
    """A line that was run."""

    line: str
    code: int
    output: str


@click.command("demo", cls=SessionCommand)
@click.option("--keep", metavar="DIR", help="Make the repository in this new directory.  [default: a temporary one]")
@pass_face
def demo(face: Face, keep: str | None) -> int:
    """Show a day's work in a repository made for it

    Two sessions, two patches in one file, a dependency, merges, and a conflict resolved by editing a
    file. Your own repositories and configuration are not touched. The repository is left to look at.
    """
    top = place_for(keep)
    done = []
    look = look_of(sys.stdout, os.environ)
    environ = sealed(top, os.environ)
    try:
        for step, title in walk(top, environ):
            done.append(step)
            if not face.json:
                heading = ["", look.paint(f"# {title}", "cyan")] if title else []
                code = [look.paint(f"[exit {step.code}]", "dim")] if step.code else []
                put([*heading, look.paint(f"$ {step.line}", "bold"), *step.output.splitlines(), *code])
    finally:
        stop_daemon(os.path.join(top, "shop"), environ)
    shop = os.path.join(top, "shop")
    if face.json:
        put_json({"repository": shop, "steps": [step._asdict() for step in done]})
    else:
        put(["", f"The tour is over. Its repository is {shop}; its daemon has stopped."])
    return 0


def place_for(keep: str | None) -> str:
    """An empty directory of ours.

    Raises:
        Refused: the named one holds something.
    """
    if keep is None:
        return os.path.realpath(tempfile.mkdtemp(prefix="gitsession-demo-"))
    if os.path.lexists(keep) and (not os.path.isdir(keep) or os.listdir(keep)):
        raise Refused(f"{keep} is not empty", hint="git session demo --keep NEW-DIRECTORY")
    os.makedirs(keep, exist_ok=True)
    return os.path.realpath(keep)


def sealed(top: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of the tour: its own HOME and identity, nothing of the machine's git configuration."""
    home = os.path.join(top, "home")
    os.makedirs(home, exist_ok=True)
    scripts = [os.path.dirname(os.path.abspath(sys.argv[0])), sysconfig.get_path("scripts")]
    path = [where for where in scripts if os.path.exists(os.path.join(where, "git-session"))]
    return {name: environ[name] for name in KEPT if name in environ} | {
        "PATH": os.pathsep.join([*path, environ.get("PATH", os.defpath)]),
        "HOME": home,
        "XDG_CONFIG_HOME": os.path.join(home, ".config"),
        "XDG_STATE_HOME": os.path.join(home, ".local", "state"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.path.join(home, ".gitconfig"),
        "GIT_PAGER": "cat",
        "GIT_EDITOR": "false",
        "LC_ALL": "C.UTF-8",
    }


def walk(top: str, environ: Mapping[str, str]) -> Iterator[tuple[Done, str]]:
    """Run the tour; each line that is shown comes with the title of its part, if it is the first there.

    Raises:
        GitSessionError: a line did not do what the tour says.
    """
    cwd = top
    for line in SETUP:
        run(line, cwd, environ)
    for part in TOUR:
        title = part.title
        for line in part.lines:
            done = run(line, cwd, environ)
            if line.text.startswith("cd "):
                cwd = os.path.normpath(os.path.join(cwd, line.text[3:]))
            yield done, title
            title = ""


def run(line: Line, cwd: str, environ: Mapping[str, str]) -> Done:
    """Run one line of the tour and compare it with what the tour says.

    Raises:
        GitSessionError: another exit code, or the output lacks what it should say.
    """
    done = subprocess.run(
        ["/bin/sh", "-c", line.text],
        cwd=cwd,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT_S,
        check=False,
    )
    output = done.stdout.decode("utf-8", "replace")
    missing = [words for words in line.says if words not in output]
    if done.returncode != line.code or missing:
        said = f" and no {missing[0]!r} in what it printed" if missing else ""
        raise GitSessionError(
            f"the tour expected exit {line.code} from `{line.text}`; got {done.returncode}{said}:\n{output}",
            hint=f"look into {cwd}",
        )
    return Done(line.text, done.returncode, output)


def stop_daemon(shop: str, environ: Mapping[str, str]) -> None:
    """Stop the daemon that the tour's commands started, also after a failed tour."""
    if os.path.isdir(shop):
        subprocess.run(
            ["git", "session", "daemon", "stop"],
            cwd=shop,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )


COMMANDS = (demo,)
