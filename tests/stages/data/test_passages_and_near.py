"""Repeated passages, and which of near-duplicates stays."""

from genwright.detect import DuplicatePair
from genwright.stages.data.near import group_names, mark_near_duplicates
from genwright.stages.data.outcome import Row
from genwright.stages.data.passages import Passages

LONG = "A passage that is long enough to be compared with others."


def test_a_passage_of_an_earlier_document_is_taken_out():
    passages = Passages(min_characters=20)
    assert passages.take_out(f"{LONG}\n\nshort\n", index=0) == (f"{LONG}\n\nshort\n", [])
    text, repeats = passages.take_out(
        f"Something new at the start here.\n\n  {LONG[:10]}\n{LONG[10:]}\n\nshort\n", index=1
    )
    assert "new at the start" in text and "short" in text
    text, repeats = passages.take_out(f"new start of a third document\n\n   {LONG}\n\nshort\n", index=2)
    assert text == "new start of a third document\n\nshort\n"
    assert [(r.text.strip(), r.first) for r in repeats] == [(LONG, 0)]


def test_a_repeat_inside_one_document_stays():
    text = f"{LONG}\n\n{LONG}\n"
    assert Passages(min_characters=20).take_out(text, index=0) == (text, [])


def rows(*sizes):
    return [Row(str(n), "s", f"g{n}", size, bytes_out=size) for n, size in enumerate(sizes)]


def similar(a, b):
    return DuplicatePair(a, b, "similar", 0.9)


def contained(short, long):
    return DuplicatePair(min(short, long), max(short, long), "contained", 1.0, short)


def test_the_longest_of_similar_documents_stays():
    found = rows(10, 30, 20, 5)
    assert mark_near_duplicates(found, pairs=[similar(0, 1), similar(1, 2)]) == {0: 1, 2: 1}
    assert [row.near_duplicate for row in found] == [True, False, True, False]


def test_the_first_of_equally_long_documents_stays():
    assert mark_near_duplicates(rows(7, 7, 7), pairs=[similar(0, 1), similar(1, 2)]) == {1: 0, 2: 0}


def test_a_contained_document_goes_without_joining_its_containers():
    found = rows(10, 100, 90)
    pairs = [contained(0, 1), contained(0, 2)]
    assert mark_near_duplicates(found, pairs=pairs) == {0: 1}
    assert group_names(found, pairs=pairs) == ["g0", "g0", "g0"]


def test_circles_end_at_a_document_that_stays():
    found = rows(10, 12)
    stands_for = mark_near_duplicates(found, pairs=[contained(0, 1), contained(1, 0)])
    assert stands_for == {0: 1}


def test_near_duplicates_pull_their_groups_together():
    found = [Row(str(n), "s", group, 1) for n, group in enumerate(["a", "a", "b", "b", "c"])]
    assert group_names(found, pairs=[similar(1, 2)]) == ["a", "a", "a", "a", "c"]
