"""Which numbers follow from the scores table of pictures, and how."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace
from typing import Any, Literal

from genwright.core import ClaimDraft, Derivation
from genwright.core.protocols import Candidate

Better = Literal["lower", "higher", "neither"]


def drafts_for(
    candidate: Candidate, made: Set[str], net: str, /, *, teller: str, grouped: bool, resamples: int
) -> Iterator[ClaimDraft]:
    """The claims of one candidate. `made` holds "NAME COLUMN" of what was measured.

    The unit says whose features a number is of (`net`), or who told what is shown (`teller`), weights included: numbers
    of other nets do not compare.
    """
    name = candidate.name
    has_floor = "floor side_floor" in made and name != "floor"
    for draft in (
        *_distances(name, net=net, resamples=resamples, has_floor=has_floor),
        *_neighbours(name, made, net=net),
        *_two_samples(name, made, net=net),
        *_of_pictures(name, made, net=teller),
    ):
        yield replace(draft, label=candidate.label, derivation=_by_group(draft.derivation, grouped=grouped))


def _by_group(derivation: Derivation, *, grouped: bool) -> Derivation:
    """With rows that belong together, an interval resamples groups."""
    if not grouped or derivation.interval == "none":
        return derivation
    kept: Any = "t" if derivation.estimator == "kid" else "bootstrap"
    return replace(derivation, interval=kept, cluster="group")


def _distances(name: str, *, net: str, resamples: int, has_floor: bool) -> Iterator[ClaimDraft]:
    """Fréchet distances draw again less often, for each takes the roots of a matrix of 128 by 128."""
    side = {"side": f"side_{name}"}

    def frechet(features: str) -> Derivation:
        return Derivation("frechet", side | {"features": features}, interval="bootstrap", resamples=resamples)

    yield _draft("frechet_distance", f"features of {net}", frechet("features"), better="lower")
    if has_floor:
        ratio = Derivation("frechet_ratio", {"side": f"ratio_{name}"}, interval="bootstrap", resamples=resamples)
        yield _draft("frechet_ratio", f"distance of other real pictures, {net}", ratio, better="lower")
    yield _draft("kid", f"features of {net}", Derivation("kid", side, interval="t"), better="lower", headline=False)
    yield _draft("power_spectrum_distance", "nats squared", frechet("spectrum"), better="lower")


def _neighbours(name: str, made: Set[str], *, net: str) -> Iterator[ClaimDraft]:
    if f"{name} precision" not in made:
        return
    own = {"set": name}
    share = f"share of pictures, {net}"
    for metric, derivation in (
        ("precision", Derivation("proportion", {"value": "precision"}, interval="wilson", where=own)),
        ("density", Derivation("mean", {"value": "density"}, interval="bootstrap", where=own)),
        ("recall", Derivation("proportion", {"value": f"recall_{name}"}, interval="wilson")),
        ("coverage", Derivation("proportion", {"value": f"coverage_{name}"}, interval="wilson")),
    ):
        yield _draft(metric, share, derivation, better="higher", headline=metric == "coverage")


def _two_samples(name: str, made: Set[str], *, net: str) -> Iterator[ClaimDraft]:
    if f"{name} made_{name}" not in made:
        return
    for metric, unit in (("pixels", "AUC of a convolutional net"), ("features", f"AUC of boosted trees on {net}")):
        roles = {"score": f"c2st_{metric}_{name}", "label": f"made_{name}"}
        derivation = Derivation("auc", roles, interval="delong")
        yield _draft(f"c2st_auc_{metric}", unit, derivation, better="lower", headline=metric == "pixels")


def _of_pictures(name: str, made: Set[str], *, net: str) -> Iterator[ClaimDraft]:
    where = {"set": name}
    near = {"numerator": "to_train", "denominator": "to_held_out"}
    nearest = Derivation("ratio", near, where=where, interval="bootstrap")
    yield _draft("nearest_train_ratio", "of distances in pixels", nearest, better="higher")
    told = {
        "as_asked": ("class_as_asked", "proportion", "wilson", f"share of pictures, {net}"),
        "caption_found": ("caption_found", "proportion", "wilson", f"share of pictures, {net}"),
        "class": ("class_entropy", "entropy", "bootstrap", f"nats, {net}"),
        "first_of_class": ("classes_made", "sum", "none", f"classes, {net}"),
    }
    for column, (metric, estimator, interval, unit) in told.items():
        if f"{name} {column}" in made:
            derivation: Any = Derivation(estimator, {"value": column}, where=where, interval=interval)  # type: ignore[arg-type]
            yield _draft(metric, unit, derivation, better="higher", headline=column != "first_of_class")


def _draft(metric: str, unit: str, derivation: Derivation, *, better: Better, headline: bool = True) -> ClaimDraft:
    return ClaimDraft("system", metric, unit, "scores", derivation, data="dataset", better=better, headline=headline)
