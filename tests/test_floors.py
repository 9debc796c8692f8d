"""Data goes one way: the floors of docs/architecture.md, read from the imports themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

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


def imports(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node


def test_imports_go_down_only() -> None:
    """A floor imports itself and the floors below it; main.py alone may import every floor."""
    wrong = []
    for name, path in modules():
        floor = name.split(".")[1] if name.count(".") else ""
        allowed = FLOORS.get(floor)
        if allowed is None:
            continue
        for wanted, _ in imports(ast.parse(path.read_text())):
            if not wanted.startswith("gitsessiond."):
                continue
            inside = wanted.removeprefix("gitsessiond.")
            if not any(inside == ok or inside.startswith(ok + ".") for ok in allowed):
                wrong.append(f"{name} imports {wanted}")
    assert not wrong, "\n".join(wrong)


def test_libraries_stay_on_their_floor() -> None:
    """Only store knows pygit2, sqlite3 and portalocker; only daemon watchdog; only faces click."""
    wrong = []
    for name, path in modules():
        floor = name.split(".")[1] if name.count(".") > 1 else ""
        for wanted, _ in imports(ast.parse(path.read_text())):
            floors = LIBRARIES.get(wanted.split(".")[0])
            if floors is not None and floor and floor not in floors:
                wrong.append(f"{name} imports {wanted}")
    assert not wrong, "\n".join(wrong)


def test_git_is_started_in_one_place() -> None:
    """store/git.py is the only module of the store that starts processes (packs.py starts itself again)."""
    found = {
        name for name, path in modules() if name.startswith(("gitsessiond.store", "gitsessiond.actions", "gitsessiond.model"))
        for wanted, _ in imports(ast.parse(path.read_text())) if wanted == "subprocess"
    }  # fmt: skip
    assert found <= {"gitsessiond.store.git", "gitsessiond.store.housekeeping"}, found  # the latter starts itself


def test_no_import_inside_a_function() -> None:
    """Imports stand at the top; the command line's and main's lazy ones are the exception."""
    wrong = []
    for name, path in modules():
        if name.startswith("gitsessiond.faces.cli") or name in ("gitsessiond.main", "gitsessiond.entry"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                wrong += [f"{name}:{found.lineno}" for _, found in imports(node)]
    assert not wrong, wrong


def test_module_names_say_what_they_hold() -> None:
    """No util, helper, manager or common; package files are empty."""
    for name, path in modules():
        assert not any(bad in path.stem for bad in BAD_NAMES), name
        if path.stem == "__init__":
            assert not path.read_text().strip(), f"{name} must stay empty"
