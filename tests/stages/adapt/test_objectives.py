"""Preferences and rewards: their losses beside plain formulas, pairs read and made, and a reward that rises."""

import json
import math

import pytest
import torch

from genwright.core import CapabilityError, DataError
from genwright.families.store import load_family
from genwright.measure import read_scores
from genwright.modalities.codec import load_codec
from genwright.stages.adapt.config import AdaptConfig, check

from .samples import chats


def logged(result, column):
    return [value for value in read_scores(result.artifacts["training_log"].path)[column] if value is not None]


def write_pairs(folder, count=16):
    folder.mkdir(exist_ok=True)
    rows = [{"messages": one[:-1], "chosen": one[-1]["content"], "rejected": "the fox"} for one in chats(count)]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.mark.parametrize(
    ("kind", "method", "settings", "start"),
    [
        ("dpo", "lora", {"beta": 0.5}, math.log(2)),
        ("dpo", "full", {"beta": 0.5}, math.log(2)),
        ("kto", "lora", {"beta": 0.5}, 0.5),
        ("orpo", "lora", {"weight": 0.5}, 1e9),
    ],
)
def test_the_chosen_answer_gains(kind, method, settings, start, adapt, base, tmp_path):
    objective = {"kind": kind, "pairs": "pairs.jsonl", "held_out": 0.25, **settings}
    result = adapt(root=write_pairs(tmp_path / "root"), method=method, objective=objective)
    losses = logged(result, "validation_loss")
    assert losses[-1] < losses[0] and losses[-1] < 0.9 * start
    assert {one.unit for one in result.claims if one.metric == "validation_loss"} == {"nats/pair"}
    codec = load_codec(base["codec"].path)
    gains = []
    for text in (chats(1)[0][-1]["content"], "the fox"):
        question, answer = codec.encode_answered([chats(1)[0][0], {"role": "assistant", "content": text}])
        ids = torch.tensor([[*question, *answer]])
        families = [load_family(one.path) for one in (result.artifacts["model"], base["model"])]
        after, before = (one.net.token_nll(ids[:, :-1], ids[:, 1:])[0, len(question) - 1 :].sum() for one in families)
        gains.append(float(before - after))
    assert gains[0] > gains[1], "the answer that was chosen is likelier than before, beside the other one"


def test_the_first_loss_is_that_of_a_coin(adapt, tmp_path):
    objective = {"kind": "dpo", "pairs": "pairs.jsonl", "held_out": 0.0}
    result = adapt(
        root=write_pairs(tmp_path / "root"),
        objective=objective,
        trainer={"budget": {"steps": 1}, "precision": "float32"},
    )
    assert logged(result, "train_loss") == pytest.approx([math.log(2)], rel=1e-4)


def test_pairs_are_made_by_verifying_what_the_model_answers(adapt):
    objective = {"kind": "dpo", "verifier": "exact", "draws": 2, "max_tokens": 4}
    result = adapt(objective=objective, trainer={"budget": {"steps": 6}})
    assert logged(result, "train_loss")[-1] < math.log(2)
    with pytest.raises(DataError, match="no sample is left"):
        adapt(objective={**objective, "verifier": {"kind": "regex", "pattern": ".*"}})


def test_a_line_that_is_no_pair_is_named(adapt, tmp_path):
    root = write_pairs(tmp_path / "root", 1)
    with (root / "pairs.jsonl").open("a") as handle:
        handle.write('\n{"messages": [], "chosen": "a", "rejected": "b"}')
    with pytest.raises(DataError, match=r"pairs\.jsonl:2 is no pair"):
        adapt(root=root, objective={"kind": "dpo", "pairs": "pairs.jsonl"})
    with pytest.raises(DataError, match="is no file of the project"):
        adapt(root=root, objective={"kind": "dpo", "pairs": "none.jsonl"})


def test_a_reward_rises(adapt):
    """Answers with the letter e are rewarded: the share of those without falls."""
    objective = {"kind": "grpo", "verifier": {"kind": "regex", "pattern": "[^e]*e.*"}, "max_tokens": 3, "kl": 0.01}
    rate = {"learning_rate": 0.01}
    trainer = {"batch_samples": 4, "budget": {"steps": 24}, "log_lines": 24, "optimiser": rate}
    result = adapt(method="full", objective=objective, trainer=trainer)
    wrong = logged(result, "train_loss")
    first, last = (sum(part) / len(part) for part in (wrong[:4], wrong[-4:]))
    assert last < first - 0.2, wrong


def test_rewards_are_drawn_alike_again(adapt):
    objective = {"kind": "grpo", "verifier": {"kind": "regex", "pattern": "[^e]*e.*"}, "max_tokens": 3}
    trainer = {"batch_samples": 2, "budget": {"steps": 2}}
    one, other = (adapt(objective=objective, trainer=trainer).artifacts["model"].path for _ in range(2))
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


def test_texts_have_no_answers_to_prefer():
    config = AdaptConfig.parse({"objective": "grpo"}, where="adapt")
    with pytest.raises(CapabilityError, match="are of answers"):
        check({"adapt": config}, "text")
