"""Which model answers and which drafts; what is compared with what; and what planning refuses."""

from types import SimpleNamespace
from typing import Any

import pytest

from genwright.core import Artifact, CapabilityError, GenwrightError, SpecError
from genwright.measure import read_scores
from genwright.stages.evaluate.config import EvaluateConfig, RowEvaluateConfig
from genwright.stages.evaluate.models import ModelsConfig, check
from genwright.stages.evaluate.parents import answering, drafting, parent
from genwright.stages.train.config import TrainConfig
from genwright.stages.train.run import run as train
from genwright.systems import read_manifest

from .test_run import NETS, _artifact, evaluate, inputs_of  # noqa: F401  # a fixture


def test_the_model_before_the_chosen_one_is_its_parent(tmp_path: Any) -> None:
    slots = ("model", "model:base", "model:prune", "model:adapt")
    inputs = {slot: Artifact("model", f"{number:064x}", tmp_path) for number, slot in enumerate(slots)}
    context: Any = SimpleNamespace(inputs=inputs)
    last, chosen, first = ModelsConfig(), ModelsConfig(model="prune", draft="adapt"), ModelsConfig(model="base")
    assert answering(last, context) is inputs["model"] and drafting(last, context) is None
    assert parent(last, context) == ("adapt", inputs["model:prune"])
    assert answering(chosen, context) is inputs["model:prune"]
    assert drafting(chosen, context) == inputs["model:adapt"].digest
    assert parent(chosen, context) == ("prune", inputs["model:base"])
    assert parent(first, context) is None


def test_a_system_of_texts_is_hurried_and_measured_both_ways(inputs_of: Any, make_context: Any) -> None:  # noqa: F811
    inputs = inputs_of()
    trainer = {"batch_tokens": 64, "budget": {"steps": 2}, "compile": "off", "validation": {"times": 1}}
    net = NETS["transformer"] | {"d_model": 8}
    settings = {"family": {"kind": "autoregressive", "net": net}, "context_tokens": 16, "trainer": trainer}
    made = train(TrainConfig.parse(settings, where="train"), make_context(inputs=inputs)).artifacts["model"]
    small, large = _artifact("model", made.path), inputs["model"]
    more = {"model": small, "model:train": large, "model:adapt": small}
    plain = evaluate(make_context, inputs)
    result = evaluate(make_context, inputs | more, model="train", draft="adapt")
    manifest: Any = read_manifest(result.artifacts["system"].path)
    assert (manifest.model, manifest.draft) == (large.digest, small.digest)
    scores, costs = (read_scores(result.artifacts[slot].path) for slot in ("draft_scores", "draft_costs"))
    assert all(value == 1.0 for value in scores["equal"]) and sum(scores["guessed"]) > 0
    assert costs["tokens_drafted"] == costs["tokens_plain"]
    same = [
        read_scores(one.artifacts[slot].path) for slot in ("scores", "generation_scores") for one in (plain, result)
    ]
    assert same[0] == same[1] and same[2] == same[3]
    assert "draft_scores" not in plain.artifacts
    again = evaluate(make_context, inputs | more, model="train", draft="adapt")
    assert read_scores(again.artifacts["draft_scores"].path) == scores


def sections(**more: Any) -> dict[str, Any]:
    base = SimpleNamespace(keep="weights")
    net = SimpleNamespace(kind="transformer")
    found = {
        "base": base,
        "prune": None,
        "train": SimpleNamespace(family=SimpleNamespace(kind="autoregressive", net=net)),
    }
    return found | more


@pytest.mark.parametrize(
    ("settings", "more", "error", "said"),
    [
        ({"model": "adapt"}, {}, SpecError, r"evaluate.model is the model of \[adapt\]"),
        ({"draft": "compress"}, {}, SpecError, r"evaluate.draft is the model of \[compress\]"),
        ({"draft": "prune"}, {}, SpecError, "both that of"),
        ({"model": "base"}, {"prompt": None}, CapabilityError, "searches with the model of"),
        ({"draft": "base"}, {"base": SimpleNamespace(keep="gguf")}, CapabilityError, "draft is a GGUF file"),
        (
            {"draft": "base"},
            {"compress": SimpleNamespace(type="q4_0")},
            CapabilityError,
            "evaluate.model is of type q4_0",
        ),
        (
            {"draft": "base"},
            {"train": SimpleNamespace(family=SimpleNamespace(kind="autoregressive", net=SimpleNamespace(kind="lstm")))},
            CapabilityError,
            "transformers of family",
        ),
    ],
)
def test_planning_refuses(settings: Any, more: Any, error: type[GenwrightError], said: str) -> None:
    with pytest.raises(error, match=said):
        check(sections(evaluate=EvaluateConfig(**settings), **more), "text")


def test_planning_lets_pass() -> None:
    check(sections(evaluate=EvaluateConfig(model="base", draft="prune")), "text")
    check(sections(evaluate=EvaluateConfig(draft="prune"), compress=SimpleNamespace(type="int8")), "text")
    check({"evaluate": RowEvaluateConfig()}, "table")
