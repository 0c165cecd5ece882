"""What is in a text that should not be: duplicates, personal data, secrets, the wrong language, copied passages."""

from genwright.detect import injection, language, pii, quality, secrets
from genwright.detect.groups import DisjointSets
from genwright.detect.near_duplicates import DuplicatePair, NearDuplicates, Sketch, exact_digest, sketch_many
from genwright.detect.spans import Span

__all__ = [
    "DisjointSets",
    "DuplicatePair",
    "NearDuplicates",
    "Sketch",
    "Span",
    "exact_digest",
    "injection",
    "language",
    "pii",
    "quality",
    "secrets",
    "sketch_many",
]
