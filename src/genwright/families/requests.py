"""What a sampler is asked for: checks that name what does not fit, and random draws from the caller's generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from genwright.core import CapabilityError
from genwright.core.protocols import Given, Shape, Tokens


def asked(
    family: Any,
    n: int,
    /,
    *,
    cond: Any,
    guidance: float,
    steps: int | None,
    temperature: float,
    device: torch.device,
    guides: bool = False,
) -> Tensor | None:
    """The condition of `n` samples as (n, k), None where the family knows none; passes where all that is asked fits.

    Raises:
        CapabilityError: a number is out of range, the condition does not fit, or guidance is asked for in vain.
    """
    check_numbers(n, steps=steps, temperature=temperature)
    check_guidance(guidance, cond=cond, able=guides, family=family.config.kind)
    return condition_for(cond, shape=family.shape, count=n, device=device)


def condition_for(cond: Any, /, *, shape: Shape, count: int, device: torch.device) -> Tensor | None:
    """The condition as (count, k) float32, NaN where there is none; None where the model knows no condition.

    Raises:
        CapabilityError: the model takes none, or it has another size.
    """
    if not shape.cond_size:
        if cond is not None:
            raise CapabilityError(
                "this model was trained without a condition, so it takes no cond", hint="leave cond out"
            )
        return None
    if cond is None:
        return torch.full((count, shape.cond_size), torch.nan, device=device)
    out = torch.as_tensor(cond, dtype=torch.float32, device=device)
    if out.shape != (count, shape.cond_size):
        raise CapabilityError(
            f"cond has shape {tuple(out.shape)}; {count} samples of this model take ({count}, {shape.cond_size})",
            hint="give one row per sample, NaN for a sample without a condition",
        )
    return out


def check_guidance(guidance: float, /, *, cond: Any, able: bool, family: str) -> None:
    """Passes where guidance is off, or the family can and has a condition to exaggerate.

    Raises:
        CapabilityError: otherwise.
    """
    if guidance == 1.0:
        return
    if not able:
        raise CapabilityError(f"family '{family}' cannot guide, got guidance={guidance}", hint="leave it out")
    if cond is None:
        raise CapabilityError("guidance exaggerates a condition, and none is given", hint="give cond")
    if guidance < 0.0:
        raise CapabilityError(f"guidance must not be negative, got {guidance}")


def check_numbers(n: int, /, *, steps: int | None, temperature: float) -> None:
    """Passes where there is something to do.

    Raises:
        CapabilityError: a number is out of range.
    """
    if n < 0 or (steps is not None and steps < 1) or temperature < 0.0:
        raise CapabilityError(
            f"cannot sample n={n} with steps={steps} and temperature={temperature}",
            hint="n and temperature are at least 0, steps at least 1",
        )


def check_given(given: Any, /, *, entries: Sequence[int], n: int) -> Given:
    """`given` where it fits `n` samples whose entries have that shape.

    Raises:
        CapabilityError: it is no `Given`, or has another shape.
    """
    if not isinstance(given, Given):
        raise CapabilityError(f"given must be a Given(batch, known), got {type(given).__name__}")
    values = given.batch.ids if isinstance(given.batch, Tokens) else given.batch.values
    wanted = (n, *entries)
    if tuple(values.shape) != wanted or tuple(given.known.shape) != wanted:
        raise CapabilityError(
            f"given has values of shape {tuple(values.shape)} and known of {tuple(given.known.shape)}; "
            f"this model takes {wanted} for both"
        )
    return given


def known_starts(
    given: Any, /, *, n: int, bos_id: int, device: torch.device
) -> tuple[Int[Tensor, "n t"], Int[Tensor, " n"]]:
    """Ids of which the first few of each row count, begin mark included, and how many; the mark alone without `given`.

    Raises:
        CapabilityError: `given` does not fit, or what is known of a row is not its start.
    """
    if given is None:
        return torch.full((n, 1), bos_id, device=device), torch.ones(n, dtype=torch.long, device=device)
    size = getattr(getattr(getattr(given, "batch", None), "ids", None), "shape", (n, 1))[1]
    found = check_given(given, entries=(size,), n=n)
    known = found.known.to(device)
    count = known.sum(1)
    if bool((known != (torch.arange(size, device=device) < count[:, None])).any()):
        raise CapabilityError(
            "this family goes from left to right: only the start of a sample can be given",
            hint="train.family = 'diffusion' fills in any part",
        )
    return cast("Tokens", found.batch).ids.to(device), count


def known_cells(
    given: Any, /, *, n: int, cells: int, device: torch.device | str = "cpu"
) -> tuple[Int[Tensor, "n p"], Bool[Tensor, "n p"]]:
    """Ids of a fixed layout of cells, 0 where a cell is not given, and which are.

    Raises:
        CapabilityError: `given` does not fit.
    """
    ids = torch.zeros(n, cells, dtype=torch.long, device=device)
    if given is None:
        return ids, torch.zeros_like(ids, dtype=torch.bool)
    found = check_given(given, entries=(cells,), n=n)
    known = found.known.to(device, copy=True)
    return torch.where(known, cast("Tokens", found.batch).ids.to(device), ids), known


def up_to_end(ids: Int[Tensor, "n t"], /, *, eos_id: int) -> Bool[Tensor, "n t"]:
    """Marks all up to and with the first end mark after the first token."""
    ended = ids == eos_id
    ended[:, 0] = False
    return (ended.long().cumsum(1) - ended.long()) == 0


def guided(plain: Tensor, told: Tensor, guidance: float, /) -> Tensor:
    """Log-probabilities under a condition, moved away from those without it; what is impossible stays so.

    Source: arXiv:2207.12598, equation 6.
    """
    return torch.where(told.isinf(), told, plain + guidance * (told - plain))


def draw(logits: Tensor, /, *, temperature: float, rng: torch.Generator | None) -> Tensor:
    """One index per row of (..., m) log-weights; the largest at temperature 0."""
    return choose(logits / temperature, rng=rng) if temperature else logits.argmax(-1)


def normal(size: Sequence[int], /, *, rng: torch.Generator | None, device: torch.device) -> Tensor:
    """Standard normal numbers on `device`, drawn where the generator lives: the same bits for every target."""
    home = torch.device("cpu") if rng is None else rng.device
    return torch.randn(tuple(size), generator=rng, device=home).to(device)


def uniform(size: Sequence[int], /, *, rng: torch.Generator | None, device: torch.device) -> Tensor:
    """Uniform numbers in [0, 1) on `device`, drawn where the generator lives."""
    home = torch.device("cpu") if rng is None else rng.device
    return torch.rand(tuple(size), generator=rng, device=home).to(device)


def choose(log_weights: Tensor, /, *, rng: torch.Generator | None) -> Tensor:
    """One index per row of (..., m) unnormalised log-weights. Source: Gumbel-max, arXiv:1411.0030, section 2."""
    noise = uniform(log_weights.shape, rng=rng, device=log_weights.device).clamp_min(1e-20)
    return (log_weights - (-noise.log()).log()).argmax(-1)
