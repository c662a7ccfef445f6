"""Pages of a container: every blob once, in order, with the folders between them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from verdazul.core.blobs import Blob, listing

paths = st.lists(
    st.lists(st.sampled_from(["a", "b", "cc"]), min_size=1, max_size=3).map("/".join),
    unique=True,
    max_size=8,
).map(sorted)


def blobs(names: list[str]) -> list[Blob]:
    return [Blob(name, 1, 0.0, '"e"') for name in names]


@given(paths, st.integers(1, 4), st.sampled_from(["", "a", "a/", "b/cc"]), st.sampled_from("/ "))
def test_pages_together_are_the_whole_list(
    names: list[str], most: int, prefix: str, delimiter: str
) -> None:
    delimiter, marker = delimiter.strip(), ""
    seen: list[str] = []
    folders: list[str] = []
    while True:
        page = listing(blobs(names), prefix=prefix, delimiter=delimiter, marker=marker, most=most)
        seen += [blob.path for blob in page.blobs]
        folders += page.folders
        assert len(page.blobs) + len(page.folders) <= most
        marker = page.next_marker
        if not marker:
            break

    wanted = [name for name in names if name.startswith(prefix)]
    flat = [n for n in wanted if not delimiter or delimiter not in n[len(prefix) :]]
    assert seen == flat
    assert len(set(folders)) == len(
        {n[: n.index("/", len(prefix))] for n in wanted if n not in flat}
    )
    assert all(any(name.startswith(folder) for name in wanted) for folder in folders)
