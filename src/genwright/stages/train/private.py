"""Private training: who is a unit, how often it comes, and what was spent."""

from __future__ import annotations

import secrets

import numpy as np
from numpy.typing import NDArray

from genwright.core import ClaimDraft, Context, Derivation, SpecError
from genwright.modalities.dataset import num_rows, read_split
from genwright.stages.train.shape import Resolved
from genwright.trainer import PrivacyConfig, distributed
from genwright.trainer.poisson import PoissonRows
from genwright.trainer.private import Mechanism
from genwright.trainer.rows import RowFeed


def mechanism_of(resolved: Resolved, feed: RowFeed, context: Context, /) -> Mechanism | None:
    """How rows of the train split are drawn and what noise there is; None where no privacy is asked for.

    Raises:
        SpecError: delta allows to publish a whole unit, or there are several processes.
    """
    privacy = resolved.trainer.privacy
    if privacy is None:
        return None
    if distributed.world_size() > 1:
        raise SpecError("private training runs in one process", hint="run without torchrun, or without privacy")
    if len(feed) != num_rows(context.inputs["dataset"].path, split="train"):
        raise SpecError(
            "the codec makes copies of training rows, which private training would count as others",
            hint="fit.codec.transpose_up_to = 0",
        )
    owners = _groups(context) if privacy.unit == "group" else np.arange(len(feed))
    num_units = len(np.unique(owners))
    if privacy.delta * num_units >= 1.0:
        raise SpecError(
            f"train.trainer.privacy.delta is {privacy.delta:g}, and the train split has {num_units:,} {privacy.unit}s",
            hint=f"with delta below {1 / num_units:.1g}; else one of them could be published whole",
        )
    # Not a stream of the project's seed: whoever knows the seed of the noise can take it away.
    kept = context.decide("privacy seed", lambda: privacy.seed if privacy.seed is not None else secrets.randbits(62))
    rate = min(1.0, resolved.batch_rows / num_units)
    units = PoissonRows(owners, rate=rate, seed=int(kept))
    return Mechanism(
        draw=units.drawing(feed.rows),
        rate=rate,
        expected_rows=min(resolved.batch_rows, num_units),
        bound=privacy.max_grad_norm,
        seed=int(kept),
    )


def _groups(context: Context) -> NDArray[np.int64]:
    """A number for each row's group."""
    rows = read_split(context.inputs["dataset"].path, split="train", columns=("group",))
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(row["group"], len(numbers)) for row in rows], dtype=np.int64)


def privacy_claim(privacy: PrivacyConfig, /) -> ClaimDraft:
    """Epsilon of all steps that were made, by the noise and the rate that the log holds."""
    columns = {"noise": "noise_multiplier", "rate": "sampling_rate", "steps": "interval_steps"}
    return ClaimDraft(
        "model",
        "epsilon",
        f"delta {privacy.delta:g} per {privacy.unit}, training only",
        "training_log",
        Derivation("epsilon", columns, parameter=privacy.delta),
        data="dataset",
        better="lower",
    )
