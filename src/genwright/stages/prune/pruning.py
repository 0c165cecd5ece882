"""The weights of a smaller transformer, out of those of a larger one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from genwright.core import SpecError
from genwright.nets.config import TransformerConfig
from genwright.stages.prune.config import PruneConfig
from genwright.stages.prune.importance import Watched, channel_scores, least_turning, weight_scores

LAYER = re.compile(r"^net\.layers\.(\d+)\.")
CHANNEL_STEP = 16  # widths that matrix kernels like

Pruned = tuple[TransformerConfig, dict[str, Tensor]]


def prune(config: PruneConfig, net: TransformerConfig, tensors: Mapping[str, Tensor], watched: Watched) -> Pruned:
    """The settings and the weights of the smaller net.

    Raises:
        SpecError: the share leaves nothing, or takes nothing out.
    """
    match config.what:
        case "layers":
            return _without_layers(config.share, net, tensors, watched)
        case "channels":
            return _without_channels(config.share, net, tensors, watched)
    return net, _without_weights(config.share, tensors, watched)


def _without_layers(share: float, net: TransformerConfig, tensors: Mapping[str, Tensor], watched: Watched) -> Pruned:
    assert net.num_layers is not None
    num = round(share * net.num_layers)
    if not 0 < num < net.num_layers:
        raise SpecError(
            f"prune.share = {share} of {net.num_layers} layers is {num}", hint="at least one goes and one stays"
        )
    start = least_turning(watched, num)
    kept = {}
    for name, value in tensors.items():
        found = LAYER.match(name)
        layer = int(found.group(1)) if found else -1
        if layer >= start + num:
            kept[name.replace(f".{layer}.", f".{layer - num}.", 1)] = value
        elif layer < start:
            kept[name] = value
    return net.model_copy(update={"num_layers": net.num_layers - num}), kept


def _without_channels(share: float, net: TransformerConfig, tensors: Mapping[str, Tensor], watched: Watched) -> Pruned:
    assert net.num_layers is not None and net.d_ff is not None
    width = round(net.d_ff * (1.0 - share) / CHANNEL_STEP) * CHANNEL_STEP
    if not 0 < width < net.d_ff:
        raise SpecError(
            f"prune.share = {share} leaves {width} of {net.d_ff} channels (in steps of {CHANNEL_STEP})",
            hint="change the share so that some go and some stay",
        )
    kept = dict(tensors)
    for layer in range(net.num_layers):
        at = f"net.layers.{layer}.mlp"
        squares = watched.squares[f"layers.{layer}.mlp.down_proj"]
        scores = channel_scores(tensors[f"{at}.down_proj.weight"], squares)
        chosen = scores.topk(width).indices.sort().values
        for name in ("gate_proj", "up_proj"):
            kept[f"{at}.{name}.weight"] = tensors[f"{at}.{name}.weight"][chosen].contiguous()
        kept[f"{at}.down_proj.weight"] = tensors[f"{at}.down_proj.weight"][:, chosen].contiguous()
    return net.model_copy(update={"d_ff": width}), kept


def _without_weights(share: float, tensors: Mapping[str, Tensor], watched: Watched) -> dict[str, Tensor]:
    """In each row of each matrix between the layers, the share that carries least is 0."""
    kept = dict(tensors)
    for name, squares in watched.squares.items():
        full = f"net.{name}.weight"
        if LAYER.match(full) is None:
            continue
        scores = weight_scores(tensors[full], squares)
        num = int(share * scores.shape[1])
        gone = scores.topk(num, dim=1, largest=False).indices
        kept[full] = tensors[full].scatter(1, gone, 0.0)
    return kept
