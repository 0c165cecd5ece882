"""What the model has forgotten: bits per byte of texts of another kind, before and after, text by text."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from genwright.core import ClaimDraft, Context, DataError, Derivation
from genwright.core.protocols import Sample
from genwright.modalities.files.packages import fetch
from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.modality import TextModality
from genwright.stages.adapt.config import GeneralConfig
from genwright.systems.windows import score, windows

NATS_PER_BIT = 0.6931471805599453
SIDES = ("before", "after")
COLUMNS = ("id", "group", "bytes", "tokens", *(f"{unit}_{side}" for unit in ("bits", "nats") for side in SIDES))


def read_general(config: GeneralConfig, context: Context, /) -> list[Sample]:
    """The first texts of the sources, cut to their length.

    Raises:
        DataError: there is no text.
    """
    found = list(itertools.islice(read_texts(config.sources, context), config.max_documents))
    if not found:
        raise DataError("adapt.general names no text", hint="look at its sources")
    return found


def read_texts(sources: Sequence[SourceConfig], context: Context, /) -> Iterator[Sample]:
    """The texts of the sources that hold more than white space, in their order."""
    fetch(sources, progress=context.progress)
    for source in sources:
        for sample in TextModality().read(source, root=context.root):
            if isinstance(sample, Sample) and sample.text.strip():
                yield sample


def general_columns(
    samples: Sequence[Sample], families: dict[str, Any], /, *, codec: Any, config: GeneralConfig, context: Context
) -> dict[str, list[Any]]:
    """A row per text; `families` has the model before and after."""
    texts = [sample.text[: config.max_characters] for sample in samples]
    ids = [(codec.bos_id, *(int(token) for token in one), codec.eos_id) for one in codec.encode(texts)]
    columns: dict[str, list[Any]] = {
        "id": [sample.id for sample in samples],
        "group": [sample.group for sample in samples],
        "bytes": [len(text.encode()) for text in texts],
        "tokens": [len(tokens) - 1 for tokens in ids],
    }
    for side, family in families.items():
        with context.progress.task(f"general texts, {side}", total=None):
            nats = _nats(family, ids, device=context.device)
        columns |= {f"nats_{side}": nats, f"bits_{side}": [value / NATS_PER_BIT for value in nats]}
    return columns


def _nats(family: Any, ids: Sequence[Sequence[int]], *, device: str) -> list[float]:
    work = [
        window
        for document, tokens in enumerate(ids)
        for window in windows(tokens, document=document, context_tokens=family.shape.context_tokens)
    ]
    return score(family, work=work, num_documents=len(ids), device=device)


def general_claims(level: float, /) -> list[ClaimDraft]:
    """Bits per byte on either side, their difference, and the ratio of perplexities, all paired by text."""
    shared: dict[str, Any] = {"interval": "bootstrap", "level": level, "cluster": "group"}
    drafts = [
        _draft(
            "general_bits_per_byte",
            "bit/byte",
            Derivation("ratio", {"numerator": f"bits_{side}", "denominator": "bytes"}, **shared),
            label=f"{side} adapting",
        )
        for side in SIDES
    ]
    roles = {"numerator_a": "bits_after", "numerator_b": "bits_before", "denominator": "bytes"}
    drafts.append(
        _draft("general_bits_per_byte_difference", "bit/byte", Derivation("ratio_difference", roles, **shared))
    )
    roles = {"numerator_a": "nats_after", "numerator_b": "nats_before", "denominator": "tokens"}
    ratio = Derivation("ratio_difference", roles, transform="exp", **shared)
    return [*drafts, _draft("general_perplexity_ratio", "1", ratio)]


def _draft(metric: str, unit: str, derivation: Derivation, *, label: str = "after over before") -> ClaimDraft:
    return ClaimDraft("model", metric, unit, "general_scores", derivation, label=label, better="lower")
