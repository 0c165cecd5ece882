"""What a passage is to a classifier: how often it has which pieces."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer  # type: ignore[import-untyped]

WIDTH = 512


def features_of(texts: Sequence[str | None], /) -> NDArray[np.float64]:
    """(n, 512): counts of the pieces of 1 to 4 characters, hashed, each row of length 1."""
    made = HashingVectorizer(
        analyzer="char", ngram_range=(1, 4), n_features=WIDTH, alternate_sign=False, lowercase=False
    )
    return np.asarray(made.transform([text or "" for text in texts]).toarray(), dtype=np.float64)
