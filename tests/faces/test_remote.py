"""publish and push as a face: what git prints, what is asked of the daemon in which order, what people read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsessiond.faces.cli import gitpush, lines, panel, remotelines
from gitsessiond.faces.cli.app import main
from gitsessiond.faces.cli.gitpush import Pushed, RefResult
from gitsessiond.faces.cli.terminal import Look
from gitsessiond.model.errors import Moved, Refused, StoreFailed
from tests.faces import replies
from tests.faces.schemas import SCHEMAS

THERE, NEWER = "a" * 40, "b" * 40
GOAL = "refs/heads/fix"


def planned(**changes: Any) -> dict[str, Any]:
    """A plan of one branch."""
    row = {
        "patch": {"id": replies.VALIDATION, "name": "fix"}, "branch": "fix", "commit": replies.OID, "tip": replies.OID, "commits": 2,
        "expected": None, "begun": True, "url": None,
    }  # fmt: skip
    return {
        "patch": replies.validation(), "remote": "origin", "target": "main", "onto": replies.BASE, "ask": None,
        "branches": [row | changes], "notes": [],
    }  # fmt: skip


def pushed(flag: str, words: str, said: tuple[str, ...] = (), goal: str = GOAL, source: str = replies.OID) -> Pushed:
    """What git came to with one ref."""
    code = 1 if flag == "!" else 0
    return Pushed(code, (RefResult(flag, source, goal, words),), said, ("failed to push some refs to 'x'",) * code)


class Remote:
    """Stands in for git: gives what it is told to, one push after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, repo: Path, *pushes: Pushed, heads: str | None = None) -> None:
        self.left, self.options, self.looks = list(pushes), list[list[str]](), 0
        monkeypatch.chdir(repo)
        monkeypatch.setattr(gitpush, "push", self.push)
        monkeypatch.setattr(gitpush, "heads_at", lambda *_, **__: self.look(heads))
        monkeypatch.setattr(gitpush, "fetch", lambda *_, **__: THERE)
        monkeypatch.setattr(gitpush, "let_go", lambda: None)

    def push(self, _remote: str, _specs: list[str], options: list[str], **_: Any) -> Pushed:
        self.options.append(list(options))
        return self.left.pop(0)

    def look(self, heads: str | None) -> dict[str, str | None]:
        self.looks += 1
        return {"fix": heads}


NEW, STALE = pushed("*", "[new branch]"), pushed("!", "[rejected] (stale info)")


def test_publish_asks_pushes_and_tells(
    repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Plan, push with the lease of the plan, record; the reply fits its schema."""
    url = "https://hub/x/pull/new/fix"
    for words in ([], ["--json"]):
        git = Remote(monkeypatch, repo, NEW._replace(said=(f"remote:   {url}   ",)))
        asked = replies.FakeClient({"publish": planned(), "published": {"patch": replies.validation()}})
        assert main(["publish", "fix", "--no-verify", *words], asked.dial) == 0
        told = capsys.readouterr()
        result = {
            "patch": replies.VALIDATION,
            "branch": "fix",
            "commit": replies.OID,
            "tip": replies.OID,
            "landed": True,
        }
        assert [verb for verb, _ in asked.asked] == ["publish", "published"]
        assert (asked.asked[1][1]["results"], asked.asked[1][1]["url"]) == ([result], url)
        assert git.options == [["--no-verify", f"--force-with-lease={GOAL}:"]]
    SCHEMAS["publish"].model_validate_json(told.out)


def test_a_stale_lease_is_looked_into_once(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remote is asked, the daemon decides with what it has; the refused try is recorded as over."""
    Remote(monkeypatch, repo, STALE, pushed("+", "a...b (forced update)"), heads=THERE)
    told = replies.FakeClient({"publish": planned(expected=NEWER), "published": {"patch": replies.validation()}})
    assert main(["publish", "fix"], told.dial) == 0
    assert [args["heads"] for verb, args in told.asked if verb == "publish"] == [None, {"fix": THERE}]
    assert [args["results"][0]["landed"] for verb, args in told.asked if verb == "published"] == [False, True]


def test_a_branch_that_never_stands_still(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three times stale is enough: exit 12."""
    Remote(monkeypatch, repo, STALE, STALE, STALE, heads=THERE)
    told = replies.FakeClient({"publish": planned(), "published": {"patch": replies.validation()}})
    assert main(["publish", "fix"], told.dial) == Moved.exit_code


def test_what_git_says_nothing_of_stays_tried(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No network: nothing is recorded, for the remote may have it; the hook of one's own: it cannot."""
    for complaint, recorded in (("Could not read from remote repository.", 0), ("failed to push some refs to 'x'", 1)):
        code = StoreFailed.exit_code if not recorded else Refused.exit_code
        Remote(monkeypatch, repo, Pushed(1, (), ("why",), (complaint,)))
        told = replies.FakeClient({"publish": planned(), "published": {"patch": replies.validation()}})
        assert main(["publish", "fix"], told.dial) == code
        assert len(told.asked) == 1 + recorded


def test_a_stack_where_all_or_none_cannot_be(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A remote without --atomic gets one branch after the other, and none after one that it refuses."""
    plan = planned()
    plan["branches"] = [plan["branches"][0] | {"branch": "below"}, *plan["branches"]]
    no_atomic = Pushed(128, (), (), ("the receiving end does not support --atomic push",))
    git = Remote(monkeypatch, repo, no_atomic, pushed("*", "[new branch]", goal="refs/heads/below"), NEW)
    told = replies.FakeClient({"publish": plan, "published": {"patch": replies.validation()}})
    assert main(["publish", "fix"], told.dial) == 0
    assert ["--atomic" in options for options in git.options] == [True, False, False]
    refused = pushed("!", "[remote rejected] (no)", goal="refs/heads/below")
    git = Remote(monkeypatch, repo, no_atomic, refused)
    assert main(["publish", "fix"], told.dial) == Refused.exit_code and not git.left


def test_push_merges_and_tries_again(
    repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rejected for what the remote has: that is fetched, merged by the daemon, and pushed again."""
    main_ref = {"goal": "refs/heads/main", "source": "refs/heads/main"}
    lock = "remote: error: cannot lock ref 'refs/heads/main': is at abc but expected def"
    Remote(
        monkeypatch, repo, pushed("!", "[rejected] (fetch first)", **main_ref),
        pushed("!", "[remote rejected] (failed to update ref)", (lock,), **main_ref), pushed(" ", "a..b", **main_ref),
    )  # fmt: skip
    merged = {"commit": NEWER, "merged": True, "behind": 0, "pull": "git pull", "output": ""}
    told = replies.FakeClient({"push": {"remote": "origin", "target": "main", "commit": NEWER}, "push.merge": merged})
    assert main(["push", "--json"], told.dial) == 0
    reply = json.loads(capsys.readouterr().out)
    SCHEMAS["push"].model_validate(reply)
    assert (reply["outcome"], reply["tries"], reply["merged"]) == ("updated", 3, NEWER)
    assert remotelines.push_lines(reply)[0] == f"Merged origin/main into main as {NEWER[:7]}."


def test_porcelain_is_read_among_what_hooks_print() -> None:
    """Results by ref; everything else between is what somebody said."""
    text = "hook says\tsomething\nTo /x\n*\tabc:refs/heads/x\t[new branch]\n!\ta:b\t[rejected] (stale info)\nDone"
    refs, other = gitpush.read_porcelain(text.split("\n"))
    assert [(one.flag, one.goal, one.reason) for one in refs] == [
        ("*", "refs/heads/x", "[new branch]"), ("!", "b", "stale info"),
    ]  # fmt: skip
    assert other == ["hook says\tsomething"]


@given(st.lists(st.binary(max_size=12)), st.data())
def test_lines_are_cut_the_same_however_they_come(pieces: list[bytes], data: st.DataObject) -> None:
    """Progress and lines: nothing is lost, and only the last piece may lack an end."""
    whole = b"".join(pieces)
    *lines_, left = gitpush.split_lines(whole)
    assert b"".join(lines_) + left == whole
    assert all(line.endswith((b"\r", b"\n")) for line in lines_) and not left.endswith((b"\r", b"\n"))


def test_addresses_are_found_where_remotes_put_them() -> None:
    """As GitHub, GitLab, Gitea and Gerrit print them; not in what hooks of one's own say."""
    said = (
        "https://not.the/remote", "remote: Create a pull request for 'fix' on GitHub by visiting:",
        "remote:      https://github.com/a/b/pull/new/fix        ",
        "remote:   https://gitlab.com/a/b/-/merge_requests/new?merge_request%5Bsource_branch%5D=fix        ",
        "remote: see <https://x.org/y>.", "remote: https://x.org/y\udcff",
    )  # fmt: skip
    urls = Pushed(0, (), said, ()).urls
    assert urls == [
        "https://github.com/a/b/pull/new/fix",
        "https://gitlab.com/a/b/-/merge_requests/new?merge_request%5Bsource_branch%5D=fix",
        "https://x.org/y",
    ]
    assert remotelines.urls_for("fix", urls) == urls[:2] and remotelines.urls_for("other", urls) == []
    assert remotelines.urls_for("other", urls[2:]) == ["https://x.org/y"]


def test_git_runs_here_and_asks_only_a_person() -> None:
    """What names another repository is not handed on; all else is; a program is asked for no password."""
    env = {"GIT_DIR": "/x", "GIT_INDEX_FILE": "/y", "GIT_SSH_COMMAND": "ssh -v", "SSH_AUTH_SOCK": "/s"}
    handed = {"GIT_SSH_COMMAND": "ssh -v", "SSH_AUTH_SOCK": "/s", "LANGUAGE": "C", gitpush.INSIDE: str(os.getpid())}
    assert gitpush.environment(env, False) == handed
    assert gitpush.environment(env, True)["GIT_TERMINAL_PROMPT"] == "0"
    assert gitpush.environment({"GIT_TERMINAL_PROMPT": "1"}, True)["GIT_TERMINAL_PROMPT"] == "1"


@pytest.mark.parametrize(
    ("ahead", "behind", "words"),
    [(0, 0, ""), (0, 3, "main is 3 behind origin/main"), (2, 3, "main is 2 ahead of and 3 behind origin/main")],
)
def test_how_far_the_target_is_from_its_upstream(ahead: int, behind: int, words: str) -> None:
    """In the panel, and at start where the target is behind."""
    session = replies.session(upstream={"name": "origin/main", "ahead": ahead, "behind": behind})
    shown = "\n".join(panel.panel_lines(replies.status(session=session), Look(ascii=True)))
    assert words in shown and ("origin/main" in shown) == bool(words)
    assert ("git session push" in shown) == bool(ahead or behind)
    hints = lines.start_hints({"session": session, "new_worktree": False, "before": [], "offered": []}, "/")
    assert hints == ([words] if behind else [])


def test_the_panel_says_where_a_patch_is_published() -> None:
    """And whether it has changed since."""
    one = {"remote": "origin", "branch": "fix", "commit": replies.OID, "current": False, "at": None, "url": None}
    patches = [replies.validation(published=[one]), replies.performance(published=[one | {"current": True}])]
    shown = "\n".join(panel.panel_lines(replies.status(patches=patches), Look(ascii=True)))
    assert "ready to merge, published to origin/fix, changed since)" in shown and "published to origin/fix)" in shown
