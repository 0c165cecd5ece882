"""Scores of drawn pictures, one row per pair of content and style."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genwright.modalities.image.pixels import Levels
from genwright.modalities.image.style.edges import edges, ssim
from genwright.modalities.image.style.trunk import Trunk, style_distance

Row = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """A content, the number of its style, and what is drawn of them by the system and by the baseline."""

    content: Levels
    style: int
    drawn: Levels
    colours: Levels


def score_pairs(
    pairs: Sequence[Pair],
    styles: Sequence[Levels],
    names: Sequence[str],
    /,
    *,
    trunk: Trunk,
    choices: int,
    seed: int,
    advance: Callable[[], None],
) -> Iterator[Row]:
    """A row per pair; see `genwright.modalities.image.style.claims` for what the columns are."""
    rng = np.random.default_rng(seed)
    grams = [trunk.grams(style) for style in styles]
    maps = [edges(pair.content) for pair in pairs]
    for at, pair in enumerate(pairs):
        looks = {"content": pair.content, "system": pair.drawn, "colours": pair.colours}
        found = {name: trunk.grams(picture) for name, picture in looks.items()}
        rivals = _others(len(styles), pair.style, choices, rng)
        foils = _others(len(pairs), at, choices, rng)
        row: Row = {"pair": at, "style": names[pair.style]}
        for name in looks:
            row[f"distance_{name}"] = style_distance(found[name], grams[pair.style])
            # Over the result's own size: over the rival's, a style of strong contrasts is near to everything.
            own = style_distance(grams[pair.style], found[name])
            row[f"style_found_{name}"] = int(all(own < style_distance(grams[k], found[name]) for k in rivals))
        for name in ("system", "colours"):
            kept = edges(looks[name])
            own = ssim(kept, maps[at])
            foil = [ssim(kept, maps[k]) for k in foils]
            row[f"ssim_{name}"] = own
            row[f"content_found_{name}"] = int(all(own > other for other in foil))
            if name == "system":
                row["ssim_other"] = foil[0]
        advance()
        yield row


def _others(count: int, own: int, choices: int, rng: np.random.Generator) -> list[int]:
    """`choices` - 1 numbers below `count` other than `own`, or all where there are no more."""
    rest = [number for number in range(count) if number != own]
    return [int(one) for one in rng.permutation(rest)[: choices - 1]]
