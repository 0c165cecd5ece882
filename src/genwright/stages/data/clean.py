"""The steps that look at one document alone, and the sketches for comparing it; they run in worker processes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genwright.detect import language, pii, quality, secrets
from genwright.detect.near_duplicates import NearDuplicates, Sketch, exact_digest
from genwright.stages.data.config import DataConfig, FilterConfig, NearConfig
from genwright.stages.data.outcome import Dropped, Kept, Outcome
from genwright.stages.data.repair import encodable, repair

Step = Callable[[str], Outcome]


@dataclass(frozen=True)
class Cleaned:
    """A document after the steps of its own: its text, why it goes (if it does), and what comparing needs."""

    text: str
    reason: str = ""
    step: str = ""
    detail: str = ""
    num_redactions: int = 0
    digest: bytes = b""
    signature: bytes = b""
    sample: bytes = b""

    @property
    def sketch(self) -> Sketch:
        """The sketch that crossed a pipe as bytes."""
        return Sketch(np.frombuffer(self.signature, dtype=np.uint32), np.frombuffer(self.sample, dtype=np.uint64))


def steps(config: DataConfig, /) -> Sequence[tuple[str, Step]]:
    """The configured steps in their order, by name. Redaction comes before filters: what they drop is kept, too."""
    chosen: list[tuple[str, Step]] = [("repair", lambda text: Kept(encodable(text)))]
    if config.repair.unicode == "repair":
        chosen.append(("repair", lambda text: Kept(repair(text))))
    chosen.append(("length", lambda text: check_length(text, filters=config.filters)))
    if config.redact.pii == "redact":
        chosen.append(("pii", lambda text: _redacted(*pii.redact(text))))
    if config.redact.secrets == "redact":
        chosen.append(("secrets", lambda text: _redacted(*secrets.redact(text))))
    if config.filters.languages:
        chosen.append(("language", lambda text: _check_language(text, filters=config.filters)))
    if config.filters.quality != "off":
        chosen.append(("quality", _quality_step(config.filters.quality)))
    return chosen


def clean_batch(
    texts: Sequence[str], /, *, chosen: Sequence[tuple[str, Step]], near: NearDuplicates | None
) -> list[Cleaned]:
    """The documents after the steps, those that stay with digest and sketch."""
    after = [_clean(text, chosen) for text in texts]
    staying = [place for place, fields in enumerate(after) if "reason" not in fields]
    if near is not None and staying:
        for place, sketch in zip(staying, near.sketch_many([after[place]["text"] for place in staying]), strict=True):
            after[place] |= {"signature": sketch.signature.tobytes(), "sample": sketch.sample.tobytes()}
    for place in staying:
        after[place]["digest"] = exact_digest(after[place]["text"])
    return [Cleaned(**fields) for fields in after]


def new_near(config: NearConfig, /) -> NearDuplicates | None:
    """The detector of near-duplicates that the settings ask for."""
    if config.duplicates == "ignore":
        return None
    return NearDuplicates(
        threshold=config.threshold,
        num_permutations=config.num_permutations,
        shingle_words=config.shingle_words,
        containment=config.containment if config.contained == "find" else None,
    )


def check_length(text: str, /, *, filters: FilterConfig) -> Outcome:
    """Dropped where the text is empty, too short or too long."""
    size = len(text.encode())
    if not text.strip():
        return Dropped("empty")
    if size < filters.min_bytes:
        return Dropped("too-short", f"{size} bytes")
    if filters.max_bytes and size > filters.max_bytes:
        return Dropped("too-long", f"{size} bytes")
    return Kept(text)


def _check_language(text: str, *, filters: FilterConfig) -> Outcome:
    code, confidence = language.identify(text)
    if code in filters.languages and confidence >= filters.min_language_confidence:
        return Kept(text)
    return Dropped("language", f"{code}, confidence {confidence:.2f}")


def _quality_step(rules: quality.RuleSet) -> Step:
    def check(text: str) -> Outcome:
        breach = quality.judge(text, rules=rules)
        return Kept(text) if breach is None else Dropped(breach.reason, breach.detail)

    return check


def _redacted(text: str, counts: Mapping[str, int]) -> Outcome:
    return Kept(text, sum(counts.values()))


def _clean(text: str, chosen: Sequence[tuple[str, Step]]) -> dict[str, Any]:
    num_redactions = 0
    for name, step in chosen:
        outcome = step(text)
        if isinstance(outcome, Dropped):
            dropped = {"reason": outcome.reason, "step": name, "detail": outcome.detail}
            return {"text": text, "num_redactions": num_redactions, **dropped}
        text = outcome.text
        num_redactions += outcome.num_redactions
    return {"text": text, "num_redactions": num_redactions}
