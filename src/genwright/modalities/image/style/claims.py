"""What is claimed of drawn pictures: each figure beside the content as it was, the baseline, or chance."""

from __future__ import annotations

from typing import Any, Literal

from genwright.core import ClaimDraft, Derivation

BASELINE = "baseline: colour statistics"
CONTENT = "reference: the content as it was"
OTHER = "reference: another content"
Better = Literal["lower", "higher"]


def drafts(*, choices: int, level: float, resamples: int) -> list[ClaimDraft]:
    """Claims over pairs; intervals resample styles with all their pairs."""

    def draft(metric: str, unit: str, better: Better, label: str, **derivation: Any) -> ClaimDraft:
        settings = {"interval": "bootstrap", "level": level, "resamples": resamples, "cluster": "style"}
        made = Derivation(**{**settings, **derivation})
        return ClaimDraft("system", metric, unit, "scores", made, label=label, data="dataset", better=better)

    def mean(metric: str, unit: str, better: Better, column: str, label: str) -> ClaimDraft:
        return draft(metric, unit, better, label, estimator="mean", columns={"value": column})

    apart = "of the style's Gram matrices"
    return [
        mean("style_distance", apart, "lower", "distance_system", ""),
        mean("style_distance", apart, "lower", "distance_content", CONTENT),
        mean("style_distance", apart, "lower", "distance_colours", BASELINE),
        draft(
            "style_distance_ratio",
            "of the content's distance",
            "lower",
            "",
            estimator="ratio",
            columns={"numerator": "distance_system", "denominator": "distance_content"},
        ),
        *(
            draft(
                "style_distance_difference",
                apart,
                "lower",
                f"system minus {label}",
                estimator="mean_difference",
                columns={"a": "distance_system", "b": column},
            )
            for label, column in ((CONTENT, "distance_content"), (BASELINE, "distance_colours"))
        ),
        *(
            mean("style_found", f"share, nearest of up to {choices} styles", "higher", f"style_found_{name}", label)
            for name, label in (("system", ""), ("content", CONTENT), ("colours", BASELINE))
        ),
        *(
            mean("edge_ssim", "SSIM of edges", "higher", f"ssim_{name}", label)
            for name, label in (("system", ""), ("other", OTHER), ("colours", BASELINE))
        ),
        *(
            mean("content_found", f"share, nearest of up to {choices} contents", "higher", f"content_found_{name}", lb)
            for name, lb in (("system", ""), ("colours", BASELINE))
        ),
    ]
