"""Near-duplicates: recall and precision on made pairs, containment, order and batching."""

import random

import numpy as np
import pytest

from genwright.core import SpecError
from genwright.detect import NearDuplicates, exact_digest, sketch_many
from genwright.detect.banding import band_shape, candidate_pairs, matching_share
from genwright.detect.shingles import BLOCK_BYTES, shingle_hashes, word_hashes

WORDS = [f"w{n}" for n in range(5000)]


def _text(rng: random.Random, *, num_words: int) -> str:
    return " ".join(rng.choices(WORDS, k=num_words))


def _jaccard(a: str, b: str) -> float:
    x, y = set(shingle_hashes(a).tolist()), set(shingle_hashes(b).tolist())
    return len(x & y) / len(x | y)


def _edited(text: str, *, rng: random.Random, every: int) -> str:
    words = text.split()
    for at in range(rng.randrange(every), len(words), every):
        words[at] = rng.choice(WORDS)
    return " ".join(words)


def test_groups_hold_the_edited_copies_and_nothing_else() -> None:
    rng = random.Random(0)
    originals = [_text(rng, num_words=400) for _ in range(60)]
    copies = [_edited(text, rng=rng, every=100) for text in originals[:20]]
    found = NearDuplicates()
    found.add_many([*originals, *copies])
    assert all(_jaccard(a, b) > 0.85 for a, b in zip(originals, copies, strict=False))
    assert found.groups() == [[n, 60 + n] for n in range(20)]


def test_pairs_well_below_the_threshold_stay_apart() -> None:
    rng = random.Random(1)
    originals = [_text(rng, num_words=400) for _ in range(40)]
    copies = [_edited(text, rng=rng, every=12) for text in originals]
    found = NearDuplicates()
    found.add_many([*originals, *copies])
    assert max(_jaccard(a, b) for a, b in zip(originals, copies, strict=True)) < 0.6
    assert found.pairs() == []


def test_estimate_is_close_to_the_exact_similarity() -> None:
    rng = random.Random(2)
    originals = [_text(rng, num_words=300) for _ in range(50)]
    copies = [_edited(text, rng=rng, every=80) for text in originals]
    sketches = sketch_many([*originals, *copies])
    pairs = np.array([[n, 50 + n] for n in range(50)])
    shares = matching_share(np.stack([s.signature for s in sketches]), pairs)
    exact = np.array([_jaccard(a, b) for a, b in zip(originals, copies, strict=True)])
    assert abs(float((shares - exact).mean())) < 0.02
    assert float(np.abs(shares - exact).max()) < 0.16


@pytest.mark.parametrize(("short_words", "long_words"), [(300, 3000), (1500, 20000)])
def test_a_short_text_inside_a_long_one_is_contained(short_words: int, long_words: int) -> None:
    rng = random.Random(3)
    short, other = _text(rng, num_words=short_words), _text(rng, num_words=short_words)
    long = f"{_text(rng, num_words=long_words)} {short} {_text(rng, num_words=long_words)}"
    found = NearDuplicates()
    found.add_many([other, long, short])
    (pair,) = found.pairs()
    assert (pair.first, pair.second, pair.kind, pair.shorter) == (1, 2, "contained", 2)
    assert pair.share > 0.9
    plain = NearDuplicates(containment=None)
    plain.add_many([other, long, short])
    assert plain.pairs() == []


def test_a_small_text_inside_a_small_one_is_contained() -> None:
    rng = random.Random(4)
    short = _text(rng, num_words=30)
    found = NearDuplicates()
    found.add_many([f"{_text(rng, num_words=200)} {short}", short])
    assert found.groups() == [[0, 1]]


def test_many_copies_form_one_group() -> None:
    rng = random.Random(5)
    text = _text(rng, num_words=200)
    found = NearDuplicates()
    found.add_many([text] * 500 + [_text(rng, num_words=200) for _ in range(5)] + [text])
    assert found.groups() == [[*range(500), 505]]


def test_one_at_a_time_equals_many_and_sketches_from_elsewhere() -> None:
    rng = random.Random(6)
    texts = [_text(rng, num_words=100) for _ in range(20)]
    texts += [_edited(text, rng=rng, every=90) for text in texts[:7]]
    together, single, sketched = NearDuplicates(), NearDuplicates(), NearDuplicates()
    assert together.add_many(texts) == range(27)
    assert [single.add(text) for text in texts] == list(range(27))
    sketched.add_sketches([*sketch_many(texts[:10]), *sketch_many(texts[10:])])
    assert together.pairs() == single.pairs() == sketched.pairs() != []


def test_order_of_arrival_does_not_change_the_groups() -> None:
    rng = random.Random(7)
    texts = [_text(rng, num_words=100) for _ in range(30)]
    texts += [_edited(text, rng=rng, every=90) for text in texts[:15]]
    order = rng.sample(range(45), k=45)
    straight, shuffled = NearDuplicates(), NearDuplicates()
    straight.add_many(texts)
    shuffled.add_many([texts[n] for n in order])
    back = sorted(sorted(order[n] for n in group) for group in shuffled.groups())
    assert back == straight.groups()


def test_texts_without_words_are_never_duplicates() -> None:
    found = NearDuplicates()
    found.add_many(["", "...", "   ", "one", "one"])
    assert found.groups() == [[3, 4]]
    assert NearDuplicates().groups() == []


def test_shingles_follow_words_case_and_script() -> None:
    assert len(word_hashes("The cat_1 sat. The")) == 4
    assert word_hashes("The")[0] == word_hashes("the")[0]
    assert len(word_hashes("東京は日本")) == 5
    assert len(word_hashes("ein Häuschen")) == 2
    assert len(shingle_hashes("a b")) == 1
    assert len(word_hashes("x" * (BLOCK_BYTES + 10))) == 2
    assert shingle_hashes("a b c d e")[0] != shingle_hashes("b a c d e")[0]


def test_exact_digest_ignores_only_outer_and_trailing_space() -> None:
    assert exact_digest("a \n b\n") == exact_digest("a\n b")
    assert exact_digest("a\n  b") != exact_digest("a\n b")


def test_candidates_are_unique_sorted_and_complete_for_equal_rows() -> None:
    signatures = np.random.default_rng(0).integers(0, 2**32, (6, 128), dtype=np.uint32)
    signatures[4] = signatures[1]
    pairs = candidate_pairs(signatures, shape=band_shape(0.8, num_permutations=128), threshold=0.8)
    assert pairs.tolist() == [[1, 4]]


def test_a_threshold_outside_its_range_is_refused() -> None:
    with pytest.raises(SpecError, match="threshold is 0"):
        NearDuplicates(threshold=0)
