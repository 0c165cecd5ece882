"""A quote is found in every document that repeats it, and to the character."""

from genwright.modalities.document.document import Document
from genwright.modalities.document.occurrences import Occurrences


def test_copies_are_found_whatever_their_line_breaks() -> None:
    first = Document("a", "A", "Before. A bound method\nis an  object that holds its instance. After.")
    second = Document("b", "B", "x\n\n   A bound method is an\n   object that holds its instance.\n")
    places = Occurrences([first, second]).of("A bound method is an object that holds its instance.")
    texts = {"a": first.text, "b": second.text}
    assert [name for name, _, _ in places] == ["a", "b"]
    for name, start, end in places:
        assert " ".join(texts[name][start:end].split()) == "A bound method is an object that holds its instance."


def test_short_quotes_and_other_texts_are_not_looked_for() -> None:
    found = Occurrences([Document("a", "A", "None is None. " * 3)])
    assert found.of("None is") == ()
    assert found.of("a sentence that stands nowhere at all") == ()
