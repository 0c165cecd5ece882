"""How likely questions are behind passages: as the model has it, in batches and alone, remembered, and refused."""

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import Tokens, TokenShape
from genwright.families import AutoregressiveConfig
from genwright.families.store import build_family, save_family
from genwright.modalities.text.bytes import BytesCodec
from genwright.systems import question_likelihood
from genwright.systems.question_likelihood import BEFORE, BEHIND, QuestionLikelihood

NET = {"kind": "transformer", "d_model": 16, "num_layers": 2, "num_heads": 2, "num_kv_heads": 2, "d_ff": 32}
TEXTS = ["Figs are watered by hand.", "Dates.", "The price of hops is set in autumn at the old market. " * 3]


def make_family(context_tokens=600):
    codec = BytesCodec()
    config = AutoregressiveConfig.parse({"kind": "autoregressive", "net": NET}, where="family")
    shape = TokenShape(codec.vocab_size, codec.bos_id, codec.eos_id, context_tokens)
    family = build_family(config, shape=shape, seed=0)
    torch.manual_seed(1)
    for parameter in family.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return family.eval()


@pytest.fixture(autouse=True)
def in_float32(monkeypatch):
    monkeypatch.setattr(question_likelihood, "fast_precision", lambda device: "float32")


def directly(family, question, text):
    codec = BytesCodec()
    before, asked = (codec.encode([one])[0].tolist() for one in (f"{BEFORE}{text}{BEHIND}", question))
    found = family.token_log_prob(Tokens(torch.tensor([before + asked])))[0]
    return float(found[-len(asked) :].mean())


def test_it_is_the_mean_log_probability_of_the_question_behind_each_text():
    family = make_family()
    found = QuestionLikelihood(family, codec=BytesCodec())(" how are figs watered? ", TEXTS)
    wanted = [directly(family, "how are figs watered?", text) for text in TEXTS]
    assert found == pytest.approx(wanted, abs=1e-4)
    assert len({round(one, 3) for one in found}) == 3


def test_a_text_beyond_the_context_is_cut_and_a_question_is_measured_once(monkeypatch):
    likely = QuestionLikelihood(make_family(context_tokens=100), codec=BytesCodec())
    room = 100 - len(BEFORE) - len(BEHIND) - len("why?")
    long = "x" * 500
    assert likely("why?", [long]) == pytest.approx(likely("why?", [long[:room]]), abs=1e-5)
    read = []
    monkeypatch.setattr(likely, "_measured", lambda question, texts: read.extend(texts) or [])
    likely("why?", [long, long[:room]])
    assert not read, "both were met before"


def test_what_cannot_say_it_is_refused(tmp_path):
    (tmp_path / "remote").mkdir()
    (tmp_path / "remote" / "remote.json").write_text("{}")
    with pytest.raises(CapabilityError, match="remote model"):
        QuestionLikelihood.load(tmp_path / "remote", tmp_path)
    family, (model, codec) = make_family(), (tmp_path / "model", tmp_path / "codec")
    for folder in (model, codec):
        folder.mkdir()
    save_family(model, config=family.config, shape=family.shape, tensors=family.state_dict(), facts={})
    BytesCodec().save(codec)
    assert QuestionLikelihood.load(model, codec)("why?", ["x"]) == pytest.approx(
        [directly(family, "why?", "x")], abs=1e-4
    )
