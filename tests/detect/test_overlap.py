"""Copied spans and sequences, against a brute-force search."""

import random

import pytest

from genwright.detect.overlap import Corpus


def brute(text, corpus):
    spans = (text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1))
    return max((len(s) for s in spans if any(s in document for document in corpus)), default=0)


@pytest.mark.parametrize("seed", range(20))
def test_longest_copy_equals_brute_force(seed):
    rng = random.Random(seed)
    letters = "ab é\n" if seed % 2 else "abcdefgh "
    corpus = ["".join(rng.choices(letters, k=rng.randrange(60))) for _ in range(4)]
    text = "".join(rng.choices(letters, k=30)) + corpus[0][5:25] + "".join(rng.choices(letters, k=10))
    assert Corpus(corpus).longest_copy(text) == brute(text, corpus)


def test_spans_do_not_cross_documents():
    assert Corpus(["one two", "three four"]).longest_copy("two" + "three") == 5


def test_shared_sequences_are_counted():
    corpus = Corpus(["a b c d e f g h i j", "x"])
    assert corpus.copied_share("a b c d e f g h", num_words=8) == 1.0
    assert corpus.copied_share("z a b c d e f g h", num_words=8) == 0.5
    assert corpus.copied_share("too short", num_words=8) is None


def test_nothing_is_copied_from_an_empty_corpus():
    assert Corpus([]).longest_copy("abc") == 0
