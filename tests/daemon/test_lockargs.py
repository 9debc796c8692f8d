"""What a request for locks may say: so many names, and of these so many patterns."""

from __future__ import annotations

import pytest

from gitsessiond.daemon.lockargs import MOST_NAMES, MOST_PATTERNS, names_of, wants_of
from gitsessiond.model.errors import BadRequest


def test_few_of_many_names_are_patterns() -> None:
    """A thousand names are taken; patterns, each of which is compared with all others, are a hundred at most."""
    names = [f"path/{number}" for number in range(MOST_NAMES)]
    patterns = [f"path/*{number}" for number in range(MOST_PATTERNS)]
    for listed in (names, patterns, [*patterns, *names[:7]]):
        assert len(wants_of({"resources": [{"name": name} for name in listed]}, False)) == len(listed)
        assert len(names_of({"names": listed}, False) or ()) == len(listed)
    for listed in ([*names, "path/x"], [*patterns, "path/?"], []):
        with pytest.raises(BadRequest):
            wants_of({"resources": [{"name": name} for name in listed]}, False)
        with pytest.raises(BadRequest):
            names_of({"names": listed}, False)
