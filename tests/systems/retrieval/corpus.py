"""Small documents, and an encoder that counts words."""

import re
from hashlib import blake2b

import numpy as np

from genwright.modalities.document.chunk import chunks
from genwright.modalities.document.config import ChunkConfig
from genwright.modalities.document.document import Document
from genwright.nets.encoder import TokenVectors
from genwright.systems.retrieval.store import Cutting
from genwright.systems.retrieval.terms import terms

D = 64


class WordEncoder:
    """A text's vector is the sum of vectors of its words; `embedded` counts the texts."""

    window_tokens, num_special, d = 64, 2, D
    precision = "float32"

    def __init__(self, identity="words"):
        self.identity, self.truncated_tokens, self.embedded = identity, 0, 0

    def count(self, text):
        return len(text.split())

    def cut(self, text):
        words = text.split(" ")
        return " ".join(words[:62]), max(0, len(words) - 62)

    def embed(self, texts, *, role="document"):
        self.embedded += len(texts)
        rows = [sum((self._word(word) for word in terms(text)), np.full(D, 1e-3)) for text in texts]
        found = np.array(rows, np.float32).reshape(-1, D)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def tokens(self, texts, *, role="document"):
        return [self._tokens(text) for text in texts]

    def _tokens(self, text):
        found = [(word.span(), self.embed([word.group()])[0]) for word in re.finditer(r"\w+|[^\w\s]", text)]
        spans = np.array([span for span, _ in found], np.int64).reshape(-1, 2)
        return TokenVectors(np.array([vector for _, vector in found], np.float32).reshape(-1, D), spans)

    @staticmethod
    def _word(word):
        seed = int.from_bytes(blake2b(word.encode(), digest_size=4).digest())
        return np.random.default_rng(seed).standard_normal(D)


def cutting_for(encoder, config=None):
    config = config or ChunkConfig()

    def cut(document):
        return chunks(document, config=config, count=encoder.count, window_tokens=encoder.window_tokens)

    return Cutting(cut, config.model_dump_json())


def document(name, text, **fields):
    return Document(id=name, title=fields.pop("title", name), text=text, format="markdown", **fields)


DOCUMENTS = [
    document(
        "fruit",
        "# Fruit\n\nAn apple grows on a tree.\n\n## Bananas\n\nA banana is yellow and bent.\n\n"
        "Bananas ripen when they lie beside apples.\n",
        source="food",
    ),
    document(
        "code",
        "# Strings\n\nThe method `str.split_lines` cuts a text at its line ends.\n\n"
        "## Joining\n\nUse `joinWords` to put words together.\n",
        source="manual",
        title="Working with text",
    ),
    document("stars", "# Stars\n\nThe sun is a star.\n\n## Planets\n\nA planet circles a star.\n", source="sky"),
]
