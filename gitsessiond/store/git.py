"""The one place that starts git.

Every child runs with a clean environment (a daemon started from a hook would hand on ``GIT_DIR`` and
``GIT_INDEX_FILE``), with ``LC_ALL=C`` because messages are matched in a few places, without a terminal
prompt, and in a process group of its own, so that a Ctrl-C or a kill meant for us does not stop git between
two files.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from subprocess import DEVNULL, PIPE
from types import TracebackType
from typing import IO, NamedTuple

from gitsessiond.model.errors import StoreFailed, disk_refused
from gitsessiond.store.hooks import await_end, wait_while_asked

DAEMON_NAME = "gitsessiond"
DAEMON_EMAIL = "gitsessiond@localhost"

AT_WORK = "GITSESSION_AT_WORK"  # in the environment of hooks: the command that runs them is ours

_IDENTITY = {
    "GIT_AUTHOR_NAME": DAEMON_NAME,
    "GIT_AUTHOR_EMAIL": DAEMON_EMAIL,
    "GIT_COMMITTER_NAME": DAEMON_NAME,
    "GIT_COMMITTER_EMAIL": DAEMON_EMAIL,
}


_DISK = re.compile("No space left on device|Disk quota exceeded|Read-only file system|Input/output error")
_LOCK = re.compile(r"'([^']+\.lock)': File exists")


Stream = int | IO[bytes]


class GitResult(NamedTuple):
    """What a git child left: exit code, standard output and standard error as bytes."""

    code: int
    out: bytes
    err: bytes

    def words(self) -> str:
        """Its standard error (or output, when that is empty) as one line for a message."""
        text = (self.err.strip() or self.out.strip()).decode("utf-8", "replace")
        return "; ".join(line.strip() for line in text.splitlines() if line.strip())


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without any ``GIT_*`` variable, in the C locale, plus ``extra``.

    An identity of ours is set so that git never fails for want of ``user.email``; ``extra`` replaces it
    where the user's own is meant (an empty string removes a variable).
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"} | _IDENTITY | dict(extra or {})
    return {name: value for name, value in env.items() if value}


def git_words(
    args: Sequence[str | bytes], *, cwd: str | bytes | None = None, git_dir: str | bytes | None = None
) -> list[bytes]:
    """The whole argument list: ``git`` with ``--git-dir`` (never found by directory) or ``-C`` before
    ``args``.
    """
    words: list[bytes] = [b"git"]
    if cwd is not None:
        words += [b"-C", os.fsencode(cwd)]
    if git_dir is not None:
        words += [b"--git-dir=" + os.fsencode(git_dir)]
    return words + [os.fsencode(word) for word in args]


def run_git(
    args: Sequence[str | bytes],
    *,
    cwd: str | bytes | None = None,
    git_dir: str | bytes | None = None,
    input: bytes | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    timeout: float | None = 600.0,
) -> GitResult:
    """Run git once and wait for it.

    Args:
        cwd: the worktree to run in; without it the child's directory is ``/`` and ``git_dir`` is needed.
        env: added to :func:`clean_environment`.
        check: raise when the exit code is not 0.
        timeout: seconds; the whole process group is killed after it.

    Raises:
        StoreFailed: git is not installed, did not end in time, or (with ``check``) failed.
    """
    words = git_words(args, cwd=cwd, git_dir=git_dir)
    child = _start(words, env)
    try:
        out, err = child.communicate(input, timeout=timeout)
    except subprocess.TimeoutExpired as exc:
        _end(child)
        raise StoreFailed(f"git {_verb(args)} did not end within {timeout:.0f} s", hint="git session doctor") from exc
    except BaseException:
        _end(child)
        raise
    result = GitResult(child.returncode, out, err)
    if check and result.code != 0:
        raise StoreFailed(
            f"git {_verb(args)} failed: {result.words() or f'exit {result.code}'}", hint="git session doctor"
        )
    return result


def run_with_hooks(
    args: Sequence[str | bytes], *, cwd: str | bytes, input: bytes = b"", env: Mapping[str, str] | None = None
) -> GitResult:
    """Run git where it runs the user's hooks, for as long as they take and somebody waits for it.

    What a hook leaves in the background is not waited for, and can go on writing: files take what is said, where
    pipes would stay open.

    Raises:
        StoreFailed: git is not installed, or the disk refused.
    """
    env = {**(env or {}), AT_WORK: "1"}
    try:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(input)
            given.seek(0)
            child = _start(git_words(args, cwd=cwd), env, (given, out, err))
            try:
                code = wait_while_asked(child)
            except BaseException:
                _end(child)
                raise
            out.seek(0)
            err.seek(0)
            return GitResult(code, out.read(), err.read())
    except OSError as exc:
        raise disk_refused(f"what git {_verb(args)} says cannot be kept", exc) from exc


def refused_by_surroundings(what: str, words: str) -> StoreFailed | None:
    """If git failed (in the C locale) for want of room, rights or a free lock, the error that says so."""
    if _DISK.search(words):
        return StoreFailed(f"{what}: {words}", hint="df -h .")
    held = _LOCK.search(words)
    if held is None:
        return None
    return StoreFailed(f"{what}: {words}", hint=f"wait for the other git; if none runs: rm '{held[1]}'")


class KeptGit:
    """A git child kept alive and asked many times, such as ``check-ignore --stdin -z``.

    Not for several threads at once. When the child dies, the next :meth:`ask` raises and the one after
    starts a new child.
    """

    def __init__(
        self,
        args: Sequence[str | bytes],
        *,
        cwd: str | bytes | None = None,
        git_dir: str | bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._args, self._env = tuple(args), dict(env or {})
        self._words = git_words(args, cwd=cwd, git_dir=git_dir)
        self._child: subprocess.Popen[bytes] | None = None
        self._spare = b""

    def start(self) -> subprocess.Popen[bytes]:
        """Start the child unless there is one, so that it is ready when it is asked."""
        if self._child is None:
            self._child, self._spare = _start(self._words, self._env, (PIPE, PIPE, DEVNULL)), b""
        return self._child

    def ask(self, question: bytes, fields: int, *, end: bytes = b"\0", timeout: float = 60.0) -> list[bytes]:
        """Write ``question``, read until ``fields`` fields came, each ended by ``end``; return them without
        it.

        Raises:
            StoreFailed: the child ended or stayed silent for ``timeout`` seconds.
        """
        child = self.start()
        try:
            return self._talk(child, question, fields, end, timeout)
        except (OSError, EOFError) as exc:
            self.close()
            raise StoreFailed(f"git {_verb(self._args)} ended unexpectedly: {exc}", hint="git session doctor") from exc
        except BaseException:
            self.close()  # half an answer is still in the pipe
            raise

    def _talk(
        self, child: subprocess.Popen[bytes], question: bytes, fields: int, end: bytes, timeout: float
    ) -> list[bytes]:
        """Write and read at once: a child that answers while we write would fill both pipes otherwise."""
        assert child.stdin is not None and child.stdout is not None
        to, back = child.stdin.fileno(), child.stdout.fileno()
        got = [self._spare]
        count, view = self._spare.count(end), memoryview(question)
        poll = select.poll()  # select() fails at descriptors over 1023
        poll.register(back, select.POLLIN)
        while view or count < fields:
            if view:
                poll.register(to, select.POLLOUT)
            ready = dict(poll.poll(timeout * 1000))
            if not ready:
                raise EOFError(f"no answer within {timeout:.0f} s")
            if to in ready:
                view = view[os.write(to, view[: select.PIPE_BUF]) :]
                if not view:
                    poll.unregister(to)
            if back in ready:
                piece = os.read(back, 1 << 16)
                if not piece:
                    raise EOFError("end of file")
                count += piece.count(end)
                got.append(piece)
        *answer, self._spare = b"".join(got).split(end, fields)
        return answer

    def close(self) -> None:
        """End the child; a later :meth:`ask` starts a new one."""
        child, self._child, self._spare = self._child, None, b""
        if child is not None:
            _end(child)

    def __enter__(self) -> KeptGit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _start(
    words: Sequence[bytes], env: Mapping[str, str] | None, streams: tuple[Stream, Stream, Stream] = (PIPE, PIPE, PIPE)
) -> subprocess.Popen[bytes]:
    """Start a git child; ``streams``: its input, output and messages."""
    try:
        return subprocess.Popen(
            words,
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            env=clean_environment(env),
            cwd="/",
            process_group=0,
        )
    except OSError as exc:
        raise StoreFailed(f"git cannot be started: {exc}", hint="install git 2.39 or newer") from exc


def _end(child: subprocess.Popen[bytes]) -> None:
    """Close the pipes, which ends a well-behaved child, and kill it if that did not within a second."""
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                pass  # a broken pipe: the child is gone already
    try:
        ended = None if child.returncode is not None else await_end(child, 1.0)
        child.wait(timeout=1.0 if ended is None else 0)
    except subprocess.TimeoutExpired:
        try:
            os.killpg(child.pid, signal.SIGKILL)  # its own group: git's children (hooks, filters) too
        except ProcessLookupError:
            pass  # it ended just now
        child.wait()


def _verb(args: Sequence[str | bytes]) -> str:
    """The subcommand among ``args``, for a message."""
    words = iter([os.fsdecode(word) for word in args])
    for word in words:
        if word in ("-c", "-C"):
            next(words, None)
        elif not word.startswith("-"):
            return word
    return ""
