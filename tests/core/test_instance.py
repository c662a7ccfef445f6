"""Instance ids are derived, and read back as they were written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verdazul.core.instance import Instance, InstanceId, Phase

NAMES = st.from_regex(r"[a-zA-Z]([-a-zA-Z0-9]{0,30}[a-zA-Z0-9])?", fullmatch=True)
REVISIONS = st.from_regex(r"[0-9a-f]{10}", fullmatch=True)


@given(NAMES, NAMES, REVISIONS, st.integers(0, 50))
def test_an_id_reads_back_as_it_was_written(
    endpoint: str, deployment: str, revision: str, ordinal: int
) -> None:
    written = InstanceId(endpoint, deployment, revision, ordinal)

    assert InstanceId.parse(str(written)) == written


@pytest.mark.parametrize("text", ["", "credit", "credit.blue", "credit.blue.aa", "a.b.aa-", "../x"])
def test_other_text_is_no_id(text: str) -> None:
    with pytest.raises(ValueError, match="is not an instance id"):
        InstanceId.parse(text)


def test_a_start_of_unknown_age_is_as_old_as_its_phase() -> None:
    known = Instance(InstanceId("a", "b", "aa", 0), Phase.EXITED, "", since=20.0, began=10.0)
    unknown = Instance(InstanceId("a", "b", "aa", 0), Phase.EXITED, "", since=20.0)

    assert known.began_before(15.0)
    assert not unknown.began_before(15.0)
