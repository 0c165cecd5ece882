"""What the fit stage claims of a codec."""

from genwright.core import ClaimDraft, Derivation

_HELD_OUT = {"held_out": True}

CLAIMS = (
    ClaimDraft(
        subject="codec",
        metric="codec_round_trip",
        unit="share of documents",
        scores="codec_scores",
        derivation=Derivation("proportion", {"value": "exact"}, where=_HELD_OUT, interval="wilson"),
        data="dataset",
        better="higher",
    ),
    ClaimDraft(
        subject="codec",
        metric="bytes_per_token",
        unit="bytes/token",
        scores="codec_scores",
        derivation=Derivation(
            "ratio",
            {"numerator": "bytes", "denominator": "tokens"},
            where=_HELD_OUT,
            interval="bootstrap",
            cluster="group",
        ),
        data="dataset",
        better="higher",
    ),
    ClaimDraft(
        subject="codec",
        metric="vocabulary_used_tokens",
        unit="tokens",
        scores="codec_scores",
        derivation=Derivation("sum", {"value": "new_tokens"}, where={"split": "train"}),
        label="train",
        data="dataset",
        headline=False,
    ),
)
