"""Numbers of editors are kept for the next daemon, whatever became of their file."""

from __future__ import annotations

from pathlib import Path

from gitsessiond.store.numbers import Numbers, numbers_file


def test_numbers_are_kept(tmp_path: Path) -> None:
    """In the order in which paths came, whatever is in their names."""
    file = numbers_file(str(tmp_path), "kkkk")
    paths = [b"a.txt", b"new\nline", b"\xff \xe9", "\u00e9t\u00e9".encode(), b'"quoted"']
    assert Numbers(file).of(paths) == {path: number for number, path in enumerate(paths, 1)}
    assert Numbers(file).of([b"b.txt", *reversed(paths)]) == {b"b.txt": 6} | {
        path: number for number, path in enumerate(paths, 1)
    }
    again = Numbers(file)
    assert again.of([b"c.txt", b"c.txt"]) == {b"c.txt": 7} and again.of([b"a.txt"]) == {b"a.txt": 1}


def test_a_file_that_is_damaged(tmp_path: Path) -> None:
    """No number is given twice; a write that was cut short leaves a number that nobody has."""
    file = Path(numbers_file(str(tmp_path), "kkkk"))
    file.parent.mkdir()
    file.write_bytes(b'a.txt\n"unended\n\xff\na.txt\nb.t')
    assert Numbers(str(file)).of([b"a.txt", b"b.txt"]) == {b"a.txt": 1, b"b.txt": 6}
    assert Numbers(str(file)).of([b"b.txt", b"c.txt"]) == {b"b.txt": 6, b"c.txt": 7}
    file.unlink()
    file.mkdir()
    assert Numbers(str(file)).of([b"z"]) == {b"z": 1}
