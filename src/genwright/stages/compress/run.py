"""The compress stage: the same model in fewer bits, and what it costs beside its parent."""

from __future__ import annotations

import torch

from genwright.core import Context, Produced, StageResult
from genwright.measure import write_scores
from genwright.stages.compress.config import CompressConfig
from genwright.stages.compress.quantise import quantise
from genwright.systems.costs import cost_claims, cost_rows


def run(config: CompressConfig, context: Context, /) -> StageResult:
    """The model, and a table of its costs and its parent's.

    Raises:
        DataError: the model's weights are not finite.
        CapabilityError: the net has no layout of the type asked for.
    """
    torch.set_num_threads(int(context.facts.get("threads", torch.get_num_threads())))
    folder, scores = context.folder("model"), context.folder("compress_scores")
    with context.progress.task(f"quantise to {config.type}", total=None):
        num_parameters = quantise(
            config, model=context.inputs["model"].path, codec=context.inputs["codec"].path, out=folder
        )
    rows = cost_rows(config.costs, folder, num_parameters=num_parameters, context=context)
    names = dict.fromkeys(name for row in rows for name in row)
    write_scores(scores, {name: [row.get(name) for row in rows] for name in names})
    produced = {"model": Produced("model", folder), "compress_scores": Produced("scores", scores)}
    return StageResult(produced, cost_claims("compress_scores", config.costs.streams))
