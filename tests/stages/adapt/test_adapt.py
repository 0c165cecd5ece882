"""Adapting a model: it learns answers, comes out in its own layout, stops and goes on, and says what it forgot."""

import json
import math

import peft
import pytest
import torch
from transformers import AutoModelForCausalLM

from genwright.core import CapabilityError, DataError, DivergenceError, SpecError
from genwright.core.protocols import Tokens
from genwright.families.store import load_family
from genwright.families.tuning import SupervisedTuning
from genwright.measure import derive, read_scores
from genwright.modalities.codec import load_codec
from genwright.project.plan import make_plan
from genwright.project.spec import load_specs
from genwright.stages.adapt.config import AdaptConfig
from genwright.trainer.packed import PackedFeed, Sequences

from .samples import chats

METHODS = ("lora", "dora", "qlora", "full")


def claimed(result, metric, label=""):
    draft = next(one for one in result.claims if one.metric == metric and one.label == label)
    return derive(read_scores(result.artifacts[draft.scores].path), derivation=draft.derivation).value


def family_of(result):
    return load_family(result.artifacts["model"].path)


def tensors_of(result):
    return dict(family_of(result).state_dict())


@pytest.mark.parametrize("method", METHODS)
def test_it_learns_and_comes_out_in_the_layout_of_the_base(method, adapt, base):
    result = adapt(method=method)
    log = read_scores(result.artifacts["training_log"].path)
    losses = [value for value in log["validation_loss"] if value is not None]
    assert losses[-1] < 0.9 * losses[0]
    before, after = load_family(base["model"].path).state_dict(), tensors_of(result)
    assert before.keys() == after.keys()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    frozen = {name for name in before if "norm" in name or "embed" in name}
    assert moved == before.keys() if method == "full" else moved == before.keys() - frozen
    described = json.loads((result.artifacts["adapter"].path / "base.json").read_text())
    assert described["digest"] == base["model"].digest and described["method"] == method
    share = claimed(result, "trainable_parameters") / claimed(result, "parameters")
    assert share == 1.0 if method == "full" else 0 < share < 1


def test_the_loss_is_the_mean_over_the_answers(adapt, base):
    """What validation says is what the plain likelihood of each answer says, token by token."""
    result = adapt()
    kept = claimed(result, "validation_loss")
    codec, family = load_codec(base["codec"].path), family_of(result)
    nats, count = 0.0, 0
    for messages in chats(6, offset=1):
        question, answer = codec.encode_answered(messages)
        assert answer[-1] == 2, "the mark that ends a turn is learned"
        scored = family.token_log_prob(Tokens(torch.tensor([[*question, *answer]])))[0, len(question) - 1 :]
        nats, count = nats - float(scored.sum()), count + len(answer)
    assert kept == pytest.approx(nats / count, rel=1e-4)


def test_gradients_are_those_of_one_chat_at_a_time(base):
    """Packing, the fused loss and the frozen head change nothing but rounding."""
    codec, family = load_codec(base["codec"].path), load_family(base["model"].path)
    pairs = [codec.encode_answered(messages) for messages in chats(5)]
    feed = PackedFeed(Sequences.of([((*q, *a), len(q)) for q, a in pairs]), seed=0, device="cpu", shuffle=False)
    (_, loss, _) = next(SupervisedTuning(family.net).losses(feed.take(0, count=5), None))
    loss.backward()
    own = {name: value.grad.clone() for name, value in family.net.named_parameters()}
    family.net.zero_grad()
    plain = 0.0
    for question, answer in pairs:
        logits = family.net.logits(torch.tensor([[*question, *answer[:-1]]]))[0, len(question) - 1 :]
        plain = plain + torch.nn.functional.cross_entropy(logits, torch.tensor(answer), reduction="sum")
    plain = plain / sum(len(answer) for _, answer in pairs)
    plain.backward()
    torch.testing.assert_close(loss, plain)
    for name, value in family.net.named_parameters():
        torch.testing.assert_close(own[name], value.grad, rtol=1e-3, atol=1e-4 * float(value.grad.abs().max()))


def test_batches_in_parts_learn_the_same(adapt):
    whole = tensors_of(adapt())
    parts = tensors_of(adapt(trainer={"micro_batch_tokens": 1, "budget": {"steps": 8}}))
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=1e-3, atol=1e-3)


def test_checkpointing_learns_the_same(adapt):
    kept, again = tensors_of(adapt()), tensors_of(adapt(checkpointing="on"))
    for name, value in kept.items():
        torch.testing.assert_close(again[name], value, rtol=1e-4, atol=1e-4)


class Killed(BaseException):
    """Stands for a kill: nothing is saved after it."""


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_kill_changes_no_bit(method, adapt, tmp_path):
    frequent = {"checkpoint_seconds": 1e-9, "budget": {"steps": 8}}
    whole = tensors_of(adapt(method=method))
    calls, folder = [], tmp_path / "kept"
    folder.mkdir()

    def die():
        calls.append(1)
        if len(calls) > 5:
            raise Killed
        return False

    with pytest.raises(Killed):
        adapt(method=method, trainer=frequent, checkpoints=folder, should_stop=die)
    assert list(folder.glob("step-*")), "a checkpoint is there"
    resumed = tensors_of(adapt(method=method, trainer=frequent, checkpoints=folder))
    assert all(torch.equal(value, whole[name]) for name, value in resumed.items())


def test_a_checkpoint_holds_what_moves_alone(adapt, tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    adapt(trainer={"checkpoint_seconds": 1e-9, "budget": {"steps": 3}}, checkpoints=folder)
    from safetensors.torch import load_file

    names = load_file(next(folder.glob("step-*")) / "state.safetensors")
    assert names and all("lora_" in name or "optimiser" in name for name in names)


def test_peft_loads_the_adapter_with_equal_logits(adapt, small_base):
    result = adapt()
    theirs = peft.PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(small_base), result.artifacts["adapter"].path
    )
    ids = torch.arange(5, 25)[None]
    torch.testing.assert_close(theirs(ids).logits, family_of(result).net.logits(ids), rtol=1e-3, atol=1e-3)


def test_it_starts_from_an_adapter(adapt, tmp_path, as_artifact):
    first = adapt()
    folder = first.artifacts["adapter"].path
    second = adapt(root=folder.parent, lora={"start": folder.name}, trainer={"budget": {"steps": 1}})
    log = read_scores(second.artifacts["training_log"].path)
    earlier = read_scores(first.artifacts["training_log"].path)
    assert log["train_loss"][0] < 0.9 * earlier["train_loss"][0], "it goes on where the first one ended"
    with pytest.raises(SpecError, match="holds a lora adapter"):
        adapt(root=folder.parent, method="dora", lora={"start": folder.name})
    other = as_artifact(first.artifacts["model"])
    with pytest.raises(DataError, match="the adapter belongs to the model"):
        adapt(root=folder.parent, lora={"start": folder.name}, inputs={"model": other})


def test_what_is_too_long_is_dropped_with_its_reason_or_cut(adapt):
    long = chats(2, answer="def {word}(x): return x " * 8)
    columns = {"train": [*chats(8), *long], "validation": []}
    dropped = read_scores(adapt(columns).artifacts["adapt_samples"].path)
    assert dropped["dropped"].count("too-long") == 2
    result = adapt(columns, too_long="truncate")
    assert claimed(result, "samples_too_long") == 0
    assert max(read_scores(result.artifacts["adapt_samples"].path)["tokens"]) > 65
    with pytest.raises(DataError, match="no sample of the train split fits 8 tokens"):
        adapt(columns, context_tokens=8)


def test_tokens_are_counted(adapt, base):
    result = adapt(trainer={"batch_samples": 24}, epochs=2)
    codec = load_codec(base["codec"].path)
    pairs = [codec.encode_answered(messages) for messages in chats(24)]
    assert claimed(result, "training_tokens") == 2 * sum(len(q) + len(a) - 1 for q, a in pairs)
    assert claimed(result, "learned_tokens") == 2 * sum(len(a) for _, a in pairs)


def test_what_was_forgotten_is_measured_in_pairs(adapt, tmp_path):
    (tmp_path / "root").mkdir()
    for place, text in enumerate(("the quick brown fox " * 10, "café — naïve", "x" * 500)):
        (tmp_path / "root" / f"{place}.txt").write_text(text)
    result = adapt(root=tmp_path / "root", general={"sources": [{"path": "*.txt"}], "max_characters": 120})
    scores = read_scores(result.artifacts["general_scores"].path)
    assert len(scores["id"]) == 3 and max(scores["bytes"]) == 120
    before, after = (claimed(result, "general_bits_per_byte", f"{side} adapting") for side in ("before", "after"))
    label = "after over before"
    assert claimed(result, "general_bits_per_byte_difference", label) == pytest.approx(after - before)
    nats = {side: sum(scores[f"nats_{side}"]) for side in ("before", "after")}
    ratio = math.exp((nats["after"] - nats["before"]) / sum(scores["tokens"]))
    assert claimed(result, "general_perplexity_ratio", label) == pytest.approx(ratio)


def test_without_general_texts_nothing_is_claimed_of_them(adapt):
    assert not [one for one in adapt().claims if one.metric.startswith("general")]


def test_texts_are_learned_as_a_whole(adapt):
    texts = {"train": ["the quick brown fox " * 30] * 4, "validation": ["the quick brown fox"], "column": "text"}
    result = adapt(texts, modality="text", trainer={"batch_samples": 2, "budget": {"steps": 30}})
    log = read_scores(result.artifacts["training_log"].path)
    assert log["train_loss"][-1] < 0.85 * log["train_loss"][0]
    samples = read_scores(result.artifacts["adapt_samples"].path)
    assert not any(samples["dropped"]) and max(samples["tokens"]) > 100, "cut into stretches, not dropped"


def test_training_that_leaves_the_numbers_is_an_error(adapt):
    with pytest.raises(DivergenceError, match="learning rate"):
        adapt(
            method="full",
            trainer={"optimiser": {"learning_rate": 1.0}, "budget": {"steps": 200}, "runaway_factor": 1.5},
        )


def test_what_does_not_go_together_is_refused_at_planning(tmp_path):
    from genwright.ledger import Ledger

    data = '[data]\nname = "d"\n[[data.sources]]\npath = "a.txt"\n'
    (tmp_path / "genwright.toml").write_text(
        '[project]\nname = "x"\n' + data + '[fit]\n[train]\nfamily = {kind="autoregressive", net="lstm"}\n[adapt]\n'
    )
    with pytest.raises(CapabilityError, match="moves a transformer"):
        make_plan(load_specs(tmp_path / "genwright.toml")[0], ledger=Ledger(tmp_path / ".genwright"), root=tmp_path)
    for settings, message in (
        ({"epochs": 1, "trainer": {"budget": {"steps": 1}}}, "keep one of them"),
        ({"trainer": {"budget": {"tokens": 10}}}, "not tokens"),
        ({"trainer": {"privacy": {"epsilon": 1.0}}}, "this stage has none"),
    ):
        with pytest.raises(SpecError, match=message):
            AdaptConfig.parse(settings, where="adapt")


PROSE = "the quick brown fox jumps over the lazy dog and the fox returns to the dog "


def test_rehearsal_holds_the_model_to_what_it_said_of_other_texts(adapt, tmp_path):
    """The same steps with texts to keep forget less of held-out ones, and those that are measured are not rehearsed."""
    root = tmp_path / "root"
    root.mkdir()
    for number in range(8):
        words = PROSE.split()
        (root / f"{number}.txt").write_text(" ".join(words[number:] + words[:number]))
    asked = {
        "root": root,
        "general": {"sources": [{"path": "*.txt"}], "max_documents": 2},
        "trainer": {"budget": {"steps": 12}},
    }
    plain = adapt(**asked)
    kept = adapt(**asked, rehearsal={"sources": [{"path": "*.txt"}], "share": 1.0, "stretch_tokens": 16, "weight": 4.0})
    label = "after over before"
    ratios = [claimed(one, "general_perplexity_ratio", label) for one in (plain, kept)]
    assert abs(math.log(ratios[1])) < 0.5 * abs(math.log(ratios[0]))
    log = read_scores(kept.artifacts["training_log"].path)
    losses = [value for value in log["validation_loss"] if value is not None]
    assert losses[-1] < 0.9 * losses[0], "and the answers are learned"


def test_texts_that_are_measured_are_not_rehearsed(adapt, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "only.txt").write_text(PROSE)
    texts = {"sources": [{"path": "*.txt"}]}
    with pytest.raises(DataError, match="besides those of"):
        adapt(root=root, general=texts, rehearsal=texts)


def test_rehearsal_goes_with_supervised_tuning_alone():
    texts = {"sources": [{"path": "*.txt"}]}
    with pytest.raises(SpecError, match="rehearsal goes with objective 'sft'"):
        AdaptConfig.parse({"objective": "grpo", "rehearsal": texts}, where="adapt")
