"""The prune stage: a model with less in it, and what it costs beside its parent."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import torch

from genwright.core import CapabilityError, ClaimDraft, Context, DataError, Derivation, Produced, StageResult
from genwright.families.store import load_family, save_family
from genwright.measure import write_scores
from genwright.modalities.codec import load_codec
from genwright.modalities.dataset import read_split
from genwright.nets.config import TransformerConfig
from genwright.stages.prune.config import PruneConfig
from genwright.stages.prune.importance import watch
from genwright.stages.prune.pruning import prune
from genwright.systems.costs import cost_claims, cost_rows


def run(config: PruneConfig, context: Context, /) -> StageResult:
    """The smaller model, and a table of its costs and its parent's.

    Raises:
        CapabilityError: the model is no dense transformer.
        DataError: the train split is empty.
        SpecError: the share leaves nothing, or takes nothing out.
    """
    torch.set_num_threads(int(context.facts.get("threads", torch.get_num_threads())))
    family = load_family(context.inputs["model"].path, device=context.device)
    net = getattr(getattr(family, "net", None), "config", None)
    if not isinstance(net, TransformerConfig) or net.num_experts:
        raise CapabilityError("[prune] takes parts out of a dense transformer, and this model is none")
    with context.progress.task(f"prune {config.share:.0%} of the {config.what}", total=None):
        watched = watch(family.net, _texts(config, context))
        before = family.state_dict()
        smaller, tensors = prune(config, net, before, watched)
    folder, scores = context.folder("model"), context.folder("prune_scores")
    num_parameters = sum(value.numel() for value in tensors.values())
    facts = {"num_parameters": num_parameters, "pruned": config.what, "adapted_from": context.inputs["model"].digest}
    settings = family.config.model_copy(update={"net": smaller})
    save_family(folder, config=settings, shape=family.shape, tensors=tensors, facts=facts)
    rows: list[dict[str, Any]] = [
        {
            "num_parameters": num_parameters,
            "num_zeros": sum(int((value == 0).sum()) for value in tensors.values()),
            "num_before": sum(value.numel() for value in before.values()),
        },
        *cost_rows(config.costs, folder, num_parameters=num_parameters, context=context),
    ]
    names = dict.fromkeys(name for row in rows for name in row)
    write_scores(scores, {name: [row.get(name) for row in rows] for name in names})
    produced = {"model": Produced("model", folder), "prune_scores": Produced("scores", scores)}
    return StageResult(produced, [*CLAIMS, *cost_claims("prune_scores", config.costs.streams)])


def _texts(config: PruneConfig, context: Context) -> list[list[int]]:
    """The tokens of the first train samples, as the model reads them."""
    codec = load_codec(context.inputs["codec"].path)
    dataset: Path = context.inputs["dataset"].path
    column = "messages" if context.modality == "chat" else "text"
    found = []
    for row in islice(read_split(dataset, split="train", columns=("id", column)), config.samples):
        ids = _tokens(row[column], codec)[: config.context_tokens]
        if len(ids) > 1:
            found.append(ids)
    if not found:
        raise DataError("the train split is empty, and it says what matters in the model", hint="look at [data]")
    return found


def _tokens(sample: Any, codec: Any) -> list[int]:
    if isinstance(sample, str):
        return [codec.bos_id, *(int(token) for token in codec.encode([sample])[0])]
    question, answer = codec.encode_answered(sample)
    return [*question, *answer]


def _share(metric: str, above: str, below: str) -> ClaimDraft:
    derivation = Derivation("ratio", {"numerator": above, "denominator": below})
    return ClaimDraft("model", metric, "1", "prune_scores", derivation)


CLAIMS = (
    ClaimDraft("model", "parameters", "parameters", "prune_scores", Derivation("max", {"value": "num_parameters"})),
    _share("share_of_parameters", "num_parameters", "num_before"),
    _share("zero_share", "num_zeros", "num_parameters"),
)
