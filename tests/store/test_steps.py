"""Steps: written, read again, and told as history."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gitsessiond.model.encoding import StoredFile
from gitsessiond.model.errors import NotFound, StateUnreadable
from gitsessiond.model.files import File
from gitsessiond.model.fileset import Files
from gitsessiond.model.owners import Owners
from gitsessiond.model.reasons import OF_PATCHES, PLAIN
from gitsessiond.model.records import Conflict, Patch, SeriesCommit, Session
from gitsessiond.model.registers import Fact
from gitsessiond.model.values import BASE, EMPTY_TREE, REGULAR, Entry
from gitsessiond.model.weave import Run, Weave
from gitsessiond.store.crossing import commit_links
from gitsessiond.store.intents import Intent
from gitsessiond.store.steps import history, load_state, read_session_refs, state_trees, write_step
from gitsessiond.store.trees import edit_tree
from tests.conftest import git
from tests.store.kit import (
    ANN,
    NOW,
    PID,
    SID,
    WID,
    first_state,
    is_sound,
    note,
    oid_at,
    opened,
    patch,
    record,
    saved,
    store_git,
)


def same(one: object, other: object) -> bool:
    """States compared by what they say; Owners and Files compare by identity otherwise."""
    assert hasattr(one, "owners") and hasattr(other, "owners")
    left, right = one.owners, other.owners

    def told(file: File) -> tuple[object, ...]:
        return (
            file.id,
            file.base_path,
            file.base,
            file.path,
            file.mode,
            file.content,
            file.weave,
            file.whole,
        )

    return (
        replace(one, owners=Owners()).__dict__ | {"owners": None}  # type: ignore[type-var]
        == replace(other, owners=Owners()).__dict__ | {"owners": None}  # type: ignore[type-var]
        and {fid: told(f) for fid, f in left.files.items()} == {fid: told(f) for fid, f in right.files.items()}
        and (left.patches, left.declared, left.directions, left.judged)
        == (right.patches, right.declared, right.directions, right.judged)
    )


def test_a_state_comes_back_as_it_was_written(repo: Path) -> None:
    """Everything a state holds survives the store, a checkpoint, and a new process."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo), note("start", op_id="kkkkkkkklmno", by=ANN, text="one"))
        live, raw = store.put("blob", b"line 1\nnew\n"), store.put("blob", b"line 1\r\nnew\r\n")
        base = Entry(REGULAR, oid_at(repo, "HEAD:a.txt"))
        weave = Weave(
            (Run(BASE, None, -1, 0, (b"line 1\n",)), Run(PID, None, 0, 0, (b"new\n",)),
             Run(BASE, PID, -1, 0, tuple(b"line %d\n" % n for n in range(2, 11))))
        )  # fmt: skip
        file = File("ooooooookkkk", b"a.txt", base, weave=weave, mode=(Fact(PID, 0o100755, 0),))
        record_of = Conflict(
            id="rrrrrrrrkkkk", kind="git_merge", shape="content", path="a.txt", patch=PID, created_at=NOW
        )
        after = replace(
            state,
            session=state.session.model_copy(update={"patches": (PID,), "patch_in_use": PID}),
            patches={PID: patch().model_copy(update={"status": "ready"})},
            conflicts={record_of.id: record_of},
            sides={record_of.id: {"base": base.oid, "ours": live}},
            owners=Owners(files=Files({file.id: file}), patches=((PID, "open"),), declared=frozenset({(PID, PID)})),
            work=edit_tree(store, state.work, {b"a.txt": Entry(0o100755, live)}),
            raw=edit_tree(store, None, {b"a.txt": Entry(REGULAR, raw)}),
            trees={PID: edit_tree(store, state.work, {b"a.txt": Entry(0o100755, live)})},
        )
        after = record(store, state, after, note("patch.new", 1, op_id="kkkkkkkkllll", by=ANN))
        assert after.session.declared == ((PID, PID),)
        assert same(load_state(store, after.step or ""), after)
        store.checkpoint()
        assert is_sound(store)
    with opened(repo) as store:
        assert same(load_state(store, read_session_refs(store)[SID]), after)


def test_plain_git_reads_the_documented_tree(repo: Path) -> None:
    """After a checkpoint `git ls-tree` on refs/sessions/<sid> shows the tree of docs/format.md."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        with_patch = replace(
            state,
            session=state.session.model_copy(update={"patches": (PID,)}),
            patches={PID: patch()},
            trees={PID: state.work},
        )
        record(store, state, with_patch)
        store.checkpoint()
        names = store_git(store, "ls-tree", "-r", "--name-only", f"refs/sessions/{SID}").split()
    assert "session.json" in names
    assert f"patches/{PID}/patch.json" in names
    assert f"patches/{PID}/tree/src/b.txt" in names
    assert f"work/{WID}/a.txt" in names
    assert not [name for name in names if name.startswith("raw/")]


def test_a_step_tells_what_happened(repo: Path) -> None:
    """Number, verb, id, person, text and time of a step come back from its commit."""
    with opened(repo) as store:
        told = note("patch.new", 7, op_id="kkkkkkkklmno", by="Zoë <z@x.org>", text="two\nlines: here", args={"n": [1]})
        record(store, None, first_state(repo), told)
        (step,) = history(store, SID)
    assert (step.number, step.verb, step.op_id, step.by) == (1, "patch.new", "kkkkkkkklmno", "Zoë <z@x.org>")
    assert step.text == "two lines: here"
    assert step.at == NOW + timedelta(seconds=7)
    assert step.args == {"n": [1]}


def test_history_names_the_files_each_step_changed(repo: Path) -> None:
    """Newest first; a path asks for its own steps; the first step is compared with the base."""
    with opened(repo) as store:
        first = first_state(repo)
        dirty = edit_tree(store, first.work, {b"a.txt": Entry(REGULAR, store.put("blob", b"dirty\n"))})
        state = record(store, None, replace(first, work=dirty), note("start"))
        state = saved(store, state, b"src/b.txt", b"one\n", 1)
        state = saved(store, state, b"src/new", b"two\n", 2)
        steps = list(history(store, state))
        assert [[change.path for change in step.changes] for step in steps] == [
            [b"src/new"],
            [b"src/b.txt"],
            [b"a.txt"],
        ]
        assert [step.number for step in history(store, state, path=b"src")] == [3, 2]
        assert [step.number for step in history(store, state, path=b"src/b.txt")] == [2]
        assert [step.number for step in history(store, SID, limit=2)] == [3, 2]
        assert state_trees(store, steps[1].step)[1] == EMPTY_TREE
        with pytest.raises(NotFound):
            next(history(store, "nnnnnnnnnnnn"))


def test_an_unchanged_member_is_not_written_again(repo: Path) -> None:
    """A step of the same state adds one commit and nothing else."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        before = len(store.journal)
        record(store, state, state)
        assert len(store.journal) == before + 1


def test_an_empty_worktree_can_be_recorded(repo: Path) -> None:
    """A worktree without files is the empty tree, and git reads it."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        gone = record(store, state, replace(state, work=EMPTY_TREE))
        assert load_state(store, gone.step or "").work == EMPTY_TREE
        store.checkpoint()
        assert is_sound(store)


def test_commits_a_step_names_survive_their_deletion(repo: Path) -> None:
    """Chain and series commits are in the store with all they need when the repository lost them."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        chain = []
        for number in range(3):
            (repo / "src" / "b.txt").write_text(f"{number}\n")
            git(repo, "commit", "-qam", f"c{number}")
            chain.append(oid_at(repo, "HEAD"))
        tip = SeriesCommit(oid=chain[-1], of=chain[-1])
        after = replace(
            state,
            session=state.session.model_copy(update={"chain": tuple(chain), "patches": (PID,)}),
            patches={PID: patch().model_copy(update={"series": (tip,)})},
        )
        after = record(store, state, after, note("commit"))
        store.checkpoint()
        git(repo, "reset", "-q", "--hard", state.session.base)
        git(repo, "reflog", "expire", "--expire=now", "--all")
        git(repo, "gc", "-q", "--prune=now")
        assert not store.in_repository(chain[0])
        assert is_sound(store)
        assert store_git(store, "show", f"{chain[1]}:src/b.txt") == "1\n"
        parents = store_git(store, "rev-parse", f"{after.step}^@").split()
        assert parents == [state.step, chain[-1]]


def test_a_base_that_was_left_sideways_is_kept(repo: Path) -> None:
    """When the base moves to a commit that does not descend from the old one, old steps stay readable."""
    (repo / "a.txt").write_text("old upstream\n")
    git(repo, "commit", "-qam", "old upstream")
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        git(repo, "reset", "-q", "--hard", "HEAD~1")
        (repo / "a.txt").write_text("new upstream\n")
        git(repo, "commit", "-qam", "new upstream")
        moved = state.session.model_copy(update={"base": oid_at(repo, "HEAD")})
        after = record(store, state, replace(state, session=moved, work=oid_at(repo, "HEAD^{tree}")), note("update"))
        store.checkpoint()
        git(repo, "reflog", "expire", "--expire=now", "--all")
        git(repo, "gc", "-q", "--prune=now")
        assert is_sound(store)
        assert [c.path for c in next(history(store, after)).changes] == [b"a.txt"]


def test_provisional_steps_remember_where_sorting_was_settled(repo: Path) -> None:
    """`settled` comes back as the step it named."""
    with opened(repo) as store:
        settled = record(store, None, first_state(repo))
        one = record(store, settled, replace(settled, settled=settled.step))
        two = record(store, one, replace(one))
        assert load_state(store, two.step or "").settled == settled.step
        assert load_state(store, settled.step or "").settled is None


def test_damage_is_named_and_never_taken_for_an_empty_state(repo: Path) -> None:
    """A record that cannot be read, and one of a newer format, end in exit 14."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        for content in (b"{}", b"", b'{"format": 2}'):
            bad = write_step(store, state, state, note())
            root = edit_tree(
                store,
                commit_links(store.read(bad.step or "").data)[0],
                {b"session.json": Entry(REGULAR, store.put("blob", content))},
            )
            data = store.read(bad.step or "").data.split(b"\n", 1)[1]
            step = store.put("commit", b"tree " + root.encode() + b"\n" + data)
            with pytest.raises(StateUnreadable) as caught:
                load_state(store, step)
            assert caught.value.exit_code == 14
            newer = "format" in content.decode()
            assert caught.value.hint == ("install a newer gitsessiond" if newer else "git session doctor")
        with pytest.raises(StateUnreadable):
            load_state(store, oid_at(repo, "HEAD"))
        with pytest.raises(StateUnreadable):
            load_state(store, "1" * 40)


def test_the_format_document_names_every_field(repo: Path) -> None:
    """docs/format.md explains each field of each stored record, and no owner that there is not."""
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    for kind, heading in (
        (Session, "### session.json"),
        (Patch, "### patch.json"),
        (Conflict, "### conflicts/"),
        (Intent, "### intents/"),
        (StoredFile, "### own/"),
    ):
        section = text[text.index(heading) :].split("\n### ", 1)[0].split("\n## ", 1)[0]
        missing = [name for name in kind.model_fields if f"`{name}`" not in section]
        assert not missing, (heading, missing)
    owners = text[text.index("### Owners") :].split("\n### ", 1)[0]
    told = set(re.findall(r"`~([a-z]+)", owners))
    assert told - {*PLAIN, *OF_PATCHES, "cycle", "guard", "foreign"} == set()
    assert len(told) > 10
