"""One optimiser per part of a family: float32 masters, AdamW and Muon, clipping, moving average."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

from genwright.nets.precision import has_native_bfloat16
from genwright.trainer.config import OptimiserConfig
from genwright.trainer.muon import Float32Muon
from genwright.trainer.sharding import split_like, whole


class PartOptimiser:
    """The parameters of one part, their float32 masters and the optimisers that move them.

    Where a parameter is float32 already it is its own master. Gradients of several micro-batches add up in float32.
    """

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        *,
        originals: Mapping[str, Tensor],
        embeddings: Collection[str],
        config: OptimiserConfig,
        learning_rate: float,
        average: bool,
    ) -> None:
        self._config = config
        self._working = dict(parameters)
        self.masters = {name: _master(value, original=originals[name]) for name, value in parameters.items()}
        self.averages = {name: m.detach().clone() for name, m in self.masters.items()} if average else {}
        self.optimisers = _optimisers(self.masters, embeddings=embeddings, config=config, learning_rate=learning_rate)

    def clear(self) -> None:
        """Forgets all gradients."""
        for value in (*self._working.values(), *self.masters.values()):
            value.grad = None

    def collect(self) -> None:
        """Adds the working copies' gradients to the masters'."""
        for name, value in self._working.items():
            master = self.masters[name]
            if master is value or value.grad is None:
                continue
            if master.grad is None:
                master.grad = value.grad.float()
            else:
                master.grad += value.grad
            value.grad = None

    def gradients(self) -> list[Tensor]:
        """The masters' gradients, in a fixed order; a part without one has zeros."""
        for master in self.masters.values():
            if master.grad is None:
                master.grad = torch.zeros_like(master)
        return [master.grad for master in self.masters.values() if master.grad is not None]

    def step(self, rate: float, /) -> float:
        """Clips, moves the masters at `rate` times the learning rate, and returns the gradient norm before clipping."""
        norm = nn.utils.clip_grad_norm_(list(self.masters.values()), self._config.clip_norm)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * rate
            optimiser.step()
        self.publish()
        return float(whole(norm))

    @torch.no_grad()
    def publish(self, source: Mapping[str, Tensor] | None = None) -> None:
        """Copies masters (or `source`) into the working parameters."""
        for name, value in self._working.items():
            new = (source or self.masters)[name]
            if new is not value:
                value.copy_(new)

    @torch.no_grad()
    def update_average(self, decay: float, /) -> None:
        """average = decay x average + (1 - decay) x master."""
        if self.averages:
            averages = list(self.averages.values())
            torch._foreach_lerp_(averages, [self.masters[name] for name in self.averages], 1.0 - decay)

    @torch.no_grad()
    def settle(self) -> None:
        """The averaged weights become the weights."""
        for name, average in self.averages.items():
            self.masters[name].copy_(average)
        self.publish()

    def state(self) -> dict[str, Tensor]:
        """Everything that resuming needs, by name."""
        out = {f"master.{name}": value.detach() for name, value in self.masters.items()}
        out |= {f"average.{name}": value for name, value in self.averages.items()}
        for place, optimiser in enumerate(self.optimisers):
            for index, entries in optimiser.state_dict()["state"].items():
                out |= {f"optimiser.{place}.{index}.{key}": value for key, value in entries.items()}
        return {name: whole(value) for name, value in out.items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor], /) -> None:
        """Takes up what `state` gave."""
        for kind, targets in (("master", self.masters), ("average", self.averages)):
            for name, value in targets.items():
                value.copy_(split_like(state[f"{kind}.{name}"], like=value))
        for place, optimiser in enumerate(self.optimisers):
            owners = [parameter for group in optimiser.param_groups for parameter in group["params"]]
            entries: dict[int, dict[str, Tensor]] = {}
            for name, value in state.items():
                head, _, key = name.rpartition(".")
                if head.startswith(f"optimiser.{place}."):
                    index = int(head.rpartition(".")[2])
                    entries.setdefault(index, {})[key] = split_like(value.clone(), like=owners[index])
            optimiser.load_state_dict({"state": entries, "param_groups": optimiser.state_dict()["param_groups"]})
        self.publish()


def _master(parameter: nn.Parameter, *, original: Tensor) -> nn.Parameter:
    return parameter if parameter.dtype == torch.float32 else nn.Parameter(original)


def _optimisers(
    masters: Mapping[str, nn.Parameter],
    *,
    embeddings: Collection[str],
    config: OptimiserConfig,
    learning_rate: float,
) -> list[Optimizer]:
    """Muon takes the matrices between embedding and head, AdamW the rest; vectors are not decayed."""

    matrices = [n for n, m in masters.items() if m.ndim == 2 and n not in embeddings and config.kind == "muon"]
    rest = [name for name in masters if name not in set(matrices)]
    decayed = [masters[n] for n in rest if masters[n].ndim >= 2 and n not in embeddings]
    embedding = [masters[n] for n in rest if masters[n].ndim >= 2 and n in embeddings]
    vectors = [masters[n] for n in rest if masters[n].ndim < 2]
    out: list[Optimizer] = []
    if matrices:
        out.append(_muon([masters[name] for name in matrices], config=config, learning_rate=learning_rate))
    groups = [
        {"params": decayed, "lr": learning_rate, "weight_decay": config.weight_decay},
        {"params": embedding, "lr": learning_rate * config.embedding_rate, "weight_decay": config.weight_decay},
        {"params": vectors, "lr": learning_rate, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if groups:
        out.append(AdamW(groups, betas=(config.beta1, config.beta2), eps=1e-10, fused=True))
    for optimiser in out:
        for group in optimiser.param_groups:
            group["initial_lr"] = group["lr"]
    return out


def _muon(parameters: Sequence[nn.Parameter], *, config: OptimiserConfig, learning_rate: float) -> Optimizer:
    """Muon with updates as large per entry as AdamW's. Source: Moonlight, arXiv:2502.16982, section 2.2."""
    fast = has_native_bfloat16(parameters[0].device.type)
    return (Muon if fast else Float32Muon)(
        parameters,
        lr=learning_rate,
        weight_decay=config.weight_decay,
        momentum=config.momentum,
        ns_steps=config.newton_schulz_steps,
        adjust_lr_fn="match_rms_adamw",
    )
