"""Data goes one way: the floors of docs/architecture.md, read from the imports themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent / "gitsessiond"
FLOORS = {
    "model": {"model"},
    "wire": {"wire", "model.errors", "model.names"},
    "store": {"store", "model"},
    "actions": {"actions", "store", "model"},
    "daemon": {"daemon", "actions", "store", "model", "wire"},
    "faces": {"faces", "wire", "model.errors", "model.names"},
}
LIBRARIES = {
    "pygit2": {"store"},
    "sqlite3": {"store"},
    "portalocker": {"store"},
    "subprocess": {"store", "daemon", "wire", "faces"},
    "watchdog": {"daemon"},
    "click": {"faces"},
    "pydantic": {"model"},
}
BAD_NAMES = ("util", "helper", "manager", "common", "base_")


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT.parent).with_suffix("").as_posix().replace("/", "."), path


class Import(NamedTuple):
    """One name that a module imports, at the top or ``inside`` a function."""

    by: str
    wanted: str
    line: int
    inside: bool


@cache
def imports() -> list[Import]:
    """Those of all modules."""
    found: list[Import] = []
    for by, path in modules():
        for node, inside in statements(ast.parse(path.read_text()).body):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            found += [Import(by, name, node.lineno, inside) for name in names]
    return found


def statements(body: Iterable[ast.AST], inside: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """All statements, none of their expressions; with each whether it stands inside a function."""
    for node in body:
        yield node, inside
        deeper = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from statements(getattr(node, name, ()), deeper)


def test_imports_go_down_only() -> None:
    """A floor imports itself and the floors below it; main.py alone may import every floor."""
    wrong = []
    for one in imports():
        floor = one.by.split(".")[1] if one.by.count(".") else ""
        allowed = FLOORS.get(floor)
        if allowed is None or not one.wanted.startswith("gitsessiond."):
            continue
        inside = one.wanted.removeprefix("gitsessiond.")
        if not any(inside == ok or inside.startswith(ok + ".") for ok in allowed):
            wrong.append(f"{one.by} imports {one.wanted}")
    assert not wrong, "\n".join(wrong)


def test_libraries_stay_on_their_floor() -> None:
    """Only store knows pygit2, sqlite3 and portalocker; only daemon watchdog; only faces click."""
    wrong = []
    for one in imports():
        floor = one.by.split(".")[1] if one.by.count(".") > 1 else ""
        floors = LIBRARIES.get(one.wanted.split(".")[0])
        if floors is not None and floor and floor not in floors:
            wrong.append(f"{one.by} imports {one.wanted}")
    assert not wrong, "\n".join(wrong)


def test_git_is_started_in_one_place() -> None:
    """store/git.py is the only module of the store that starts processes (packs.py starts itself again)."""
    below = ("gitsessiond.store", "gitsessiond.actions", "gitsessiond.model")
    found = {one.by for one in imports() if one.wanted == "subprocess" and one.by.startswith(below)}
    assert found <= {"gitsessiond.store.git", "gitsessiond.store.housekeeping"}, found  # the latter starts itself


def test_no_import_inside_a_function() -> None:
    """Imports stand at the top; the command line's and main's lazy ones are the exception."""
    lazy = ("gitsessiond.faces.cli", "gitsessiond.main", "gitsessiond.entry")
    wrong = [f"{one.by}:{one.line}" for one in imports() if one.inside and not one.by.startswith(lazy)]
    assert not wrong, wrong


def test_module_names_say_what_they_hold() -> None:
    """No util, helper, manager or common; package files are empty."""
    for name, path in modules():
        assert not any(bad in path.stem for bad in BAD_NAMES), name
        if path.stem == "__init__":
            assert not path.read_text().strip(), f"{name} must stay empty"
