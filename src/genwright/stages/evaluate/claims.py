"""What the evaluate stage claims."""

from dataclasses import replace

from genwright.core.claim import ClaimDraft, Derivation
from genwright.stages.evaluate.config import EvaluateConfig


def likelihood_claims(
    config: EvaluateConfig, /, *, ngram_order: int, changed_by: str | None = None
) -> list[ClaimDraft]:
    """Bits per byte of the system and each reference, their paired differences with tests, and perplexity.

    Where the stage `changed_by` made the model of another one, that is a reference, too.
    """
    references = {"parent": f"before [{changed_by}]"} if changed_by else {}
    references |= {"uniform": "uniform over bytes", "ngram": f"n-gram, order {ngram_order}"}
    if config.references.xz == "on":
        references |= {
            "xz": "xz -9e, test documents together",
            "xz_with_train": "xz -9e with the training text in front",
        }
    drafts = [_bits_per_byte(config, "model", "")]
    drafts += [_bits_per_byte(config, name, label) for name, label in references.items()]
    for name, label in references.items():
        drafts += _against(config, name, label)
    if changed_by:
        over = _ratio(config, "bits_model", "bits_parent")
        ratio = _draft("bits_per_byte_ratio", "1", over, better="lower")
        drafts.append(replace(ratio, label=f"system over before [{changed_by}]"))
    perplexity = replace(_ratio(config, "nats_model", "tokens"), transform="exp")
    drafts.append(_draft("perplexity_per_token", "1", perplexity, better="lower"))
    return drafts


def _bits_per_byte(config: EvaluateConfig, name: str, label: str) -> ClaimDraft:
    draft = _draft("bits_per_byte", "bit/byte", _ratio(config, f"bits_{name}", "bytes"), better="lower")
    return replace(draft, label=label and f"reference: {label}")


def _against(config: EvaluateConfig, name: str, label: str) -> list[ClaimDraft]:
    """The system minus one reference on the same documents, and Wilcoxon's p (one test of several: Holm in compare)."""
    roles = {"numerator_a": "bits_model", "numerator_b": f"bits_{name}", "denominator": "bytes"}
    difference = replace(_ratio(config, "", ""), estimator="ratio_difference", columns=roles)
    test = Derivation("wilcoxon_p", {"a": "bits_model", "b": f"bits_{name}"}, cluster="group")
    label = f"system minus {label}"
    return [
        replace(_draft("bits_per_byte_difference", "bit/byte", difference, better="lower"), label=label),
        replace(_draft("bits_difference_wilcoxon_p", "1", test), label=label, headline=False),
    ]


def _ratio(config: EvaluateConfig, numerator: str, denominator: str) -> Derivation:
    return Derivation(
        "ratio",
        {"numerator": numerator, "denominator": denominator},
        interval="bootstrap",
        level=config.level,
        cluster="group",
        resamples=config.resamples,
    )


def _draft(metric: str, unit: str, derivation: Derivation, *, better: str = "neither") -> ClaimDraft:
    return ClaimDraft(
        subject="system",
        metric=metric,
        unit=unit,
        scores="scores",
        derivation=derivation,
        data="dataset",
        better=better,  # type: ignore[arg-type]  # one of the three words, from this file
    )


SHOWN = {
    "copied_8gram_share": "share of the 8-word sequences that stand in the training text",
    "longest_copied_characters": "longest span of characters that stands in the training text",
    "distinct_2": "different pairs of words over all pairs",
    "repeated_4gram_share": "share of 4-word sequences that occurred before in the same sample",
}


def generation_claims(config: EvaluateConfig, /, *, num_samples: int) -> list[ClaimDraft]:
    """Means over samples, each beside the same figure of the real continuation of the same opening."""
    if not num_samples:
        return []
    drafts = []
    for metric in SHOWN:
        for of, label in (("sample", ""), ("real", "reference: real continuations of the same length")):
            mean = Derivation(
                "mean",
                {"value": f"{metric}_{of}"},
                interval="bootstrap",
                level=config.level,
                cluster="group",
                resamples=config.resamples,
            )
            drafts.append(_generated(metric, "character" if metric.endswith("characters") else "1", mean, label))
    longest = Derivation("max", {"value": "longest_copied_characters_sample"})
    drafts.append(_generated("longest_copied_characters_of_all", "character", longest, ""))
    if config.generation.check == "python":
        for of, label in (("sample", ""), ("real", "reference: real continuations of the same length")):
            share = Derivation("proportion", {"value": f"parses_{of}"}, interval="wilson", level=config.level)
            drafts.append(_generated("parses_as_python_share", "1", share, label))
    return drafts


def _generated(metric: str, unit: str, derivation: Derivation, label: str) -> ClaimDraft:
    return ClaimDraft(
        subject="system",
        metric=metric,
        unit=unit,
        scores="generation_scores",
        derivation=derivation,
        data="dataset",
        label=label,
        better="higher" if metric in ("distinct_2", "parses_as_python_share") else "lower",
        headline=metric in ("copied_8gram_share", "longest_copied_characters", "parses_as_python_share"),
    )
