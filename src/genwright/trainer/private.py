"""Differentially private gradients: rows drawn by chance, each row's gradient bounded, noise on their sum.

Source: DP-SGD, arXiv:1607.00133, algorithm 1. What leaves a step is the noisy sum; all that optimisers, averages and
validation make of it follows from it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from genwright.core import SpecError, load_reference
from genwright.core.protocols import Batch, Clock
from genwright.core.rng import derive_seed
from genwright.nets.plain import plain_formulas
from genwright.trainer.config import PrivacyConfig

ACCOUNTANT = "rdp"
# Each of them has a gradient as large as the net: more at once cost memory and no less time.
MOST_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Mechanism:
    """What makes a step private. `draw` gives the rows of a step, each unit with chance `rate`, None where none came.

    The noise on the summed gradient has the deviation `multiplier` x `bound`; the sum is divided by `expected_rows`,
    which does not depend on how many came. `seed` starts the noise.
    """

    draw: Callable[[int], Batch | None]
    rate: float
    expected_rows: int
    bound: float
    seed: int
    multiplier: float = 1.0


def multiplier_for(config: PrivacyConfig, /, *, rate: float, num_steps: int) -> float:
    """The noise multiplier that was asked for, or the one at which so many steps spend at most epsilon.

    Raises:
        SpecError: no noise is enough for that epsilon.
        DependencyError: the extra `privacy` is not installed.
    """
    if config.noise_multiplier is not None:
        return config.noise_multiplier
    find = load_reference("opacus.accountants.utils:get_noise_multiplier", extra="privacy")
    asked = {"target_epsilon": config.epsilon, "target_delta": config.delta}
    try:
        with warnings.catch_warnings():
            # Of orders that would allow less noise; what is found holds all the same.
            warnings.filterwarnings("ignore", message="Optimal order is")
            return float(find(**asked, sample_rate=rate, steps=num_steps, accountant=ACCOUNTANT))
    except ValueError as error:
        raise SpecError(
            f"train.trainer.privacy: {num_steps:,} steps cannot be had for epsilon {config.epsilon} at delta "
            f"{config.delta:g} ({error})",
            hint="raise epsilon, or take fewer steps or smaller batches",
        ) from None


class _FirstLoss(nn.Module):
    """A family's first loss on a batch of one row, as a function of its parameters."""

    def __init__(self, family: Any) -> None:
        super().__init__()
        self.family = family

    def forward(self, kind: type[Any], row: Mapping[str, Tensor], clock: Clock) -> tuple[Tensor, Tensor]:
        """The loss that is trained on, and the one that is logged."""
        batch = kind(**{name: value[None] for name, value in row.items()})
        _, loss, logs = next(self.family.losses(batch, clock))
        return loss, next(iter(logs.values()))


class PrivateGradients:
    """Noisy gradients of a family with one part."""

    def __init__(self, family: Any, *, mechanism: Mechanism, micro_rows: int) -> None:
        if len(family.parts()) != 1:
            raise SpecError("differential privacy is for families with one part", hint="choose another train.family")
        self.mechanism, self._rows_at_once = mechanism, min(micro_rows, MOST_ROWS_AT_ONCE)
        self._loss = _FirstLoss(family)
        self._noted = False

    def fill(self, step: int, clock: Clock) -> float:
        """Puts the gradients of that step into the parameters; the rows' mean loss, which is not private."""
        named = dict(self._loss.named_parameters())
        sums = {name: torch.zeros_like(value) for name, value in named.items()}
        losses: list[Tensor] = []
        batch = self.mechanism.draw(step)
        for rows in _slices(batch, self._rows_at_once) if batch is not None else ():
            self._note(type(batch), rows, clock)
            bounded, found = self._bounded(type(batch), rows, clock)
            losses.append(found)
            for name, value in bounded.items():
                sums[name] += value
        self._add_noise(named, sums, step)
        known = torch.cat(losses) if losses else torch.zeros(1)
        return float(known[known.isfinite()].mean()) if bool(known.isfinite().any()) else float("nan")

    def _note(self, kind: type[Any], rows: Mapping[str, Tensor], clock: Clock) -> None:
        """A family may note once what its batches are like, which a transformed loss cannot; nothing of the rows."""
        if self._noted:
            return
        with torch.random.fork_rng(devices=[]), torch.no_grad(), plain_formulas():
            self._loss(kind, {name: value[0] for name, value in rows.items()}, clock)
        self._noted = True

    def _bounded(self, kind: type[Any], rows: Mapping[str, Tensor], clock: Clock) -> tuple[dict[str, Tensor], Tensor]:
        """The sum of the rows' gradients, each shortened to the bound, and the rows' losses."""
        parameters = {name: value.detach() for name, value in self._loss.named_parameters()}

        def loss(values: Mapping[str, Tensor], row: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
            out: tuple[Tensor, Tensor] = functional_call(self._loss, dict(values), (kind, row, clock))
            return out

        with plain_formulas(), sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            # Of an operator that is taken row by row: nothing that a reader could do about it.
            warnings.filterwarnings("ignore", message="There is a performance drop")
            each, found = vmap(grad(loss, has_aux=True), in_dims=(None, 0), randomness="different")(parameters, rows)
        norms = torch.stack([value.flatten(1).square().sum(1) for value in each.values()]).sum(0).sqrt()
        if not bool(norms.isfinite().all()):  # what has no length cannot be shortened: it counts for nothing
            norms = torch.where(norms.isfinite(), norms, torch.inf)
            each = {name: torch.nan_to_num(value, 0.0, 0.0, 0.0) for name, value in each.items()}
        share = (self.mechanism.bound / norms.clamp_min(1e-12)).clamp_max(1.0)
        return {name: (share @ value.flatten(1)).view(value.shape[1:]) for name, value in each.items()}, found

    def _add_noise(self, named: Mapping[str, nn.Parameter], sums: Mapping[str, Tensor], step: int) -> None:
        mechanism = self.mechanism
        rng = torch.Generator().manual_seed(derive_seed(mechanism.seed, f"noise {step}"))
        deviation = mechanism.multiplier * mechanism.bound
        for name, parameter in named.items():
            noise = torch.randn(parameter.shape, generator=rng).to(parameter.device)
            parameter.grad = (sums[name] + deviation * noise) / mechanism.expected_rows


def _slices(batch: Batch, size: int) -> list[dict[str, Tensor]]:
    """The batch's tensors, so many rows at a time."""
    tensors = {one.name: getattr(batch, one.name) for one in fields(batch)}
    kept = {name: value for name, value in tensors.items() if isinstance(value, Tensor)}
    return [{name: value[at : at + size] for name, value in kept.items()} for at in range(0, len(batch), size)]
