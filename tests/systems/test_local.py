"""A local system: exact scores over windows, batched generation, stop strings, its manifest."""

from pathlib import Path

import pytest
import torch

from genwright.core import CapabilityError, IntegrityError, SpecError
from genwright.core.protocols import Tokens, TokenShape
from genwright.families import AutoregressiveConfig, SamplingConfig
from genwright.families.speculative import SpeculativeDecoder
from genwright.families.store import build_family, save_family
from genwright.modalities.text.bytes import BytesCodec
from genwright.nets import TransformerConfig
from genwright.systems import Manifest, load_system, parts_of, read_manifest, write_manifest
from genwright.systems.local import LocalSystem
from genwright.systems.windows import windows

SHAPE = TokenShape(vocab_size=259, bos_id=256, eos_id=257, context_tokens=16)
MODEL, CODEC = "a" * 64, "c" * 64


def save_model(folder: Path, *, vocab_size: int = 259, context_tokens: int = 16, seed: int = 2) -> None:
    shape = TokenShape(vocab_size, SHAPE.bos_id, SHAPE.eos_id, context_tokens)
    net = TransformerConfig(d_model=32, num_layers=2, num_heads=2)
    config = AutoregressiveConfig(net=net).resolve(depth=2, shape=shape)
    family = build_family(config, shape=shape, seed=1)
    generator = torch.Generator().manual_seed(seed)
    for parameter in family.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.15, generator=generator)
    folder.mkdir()
    save_family(folder, config=config, shape=shape, tensors=family.state_dict(), facts={})


@pytest.fixture(name="system")
def fixture_system(tmp_path: Path) -> LocalSystem:
    codec = BytesCodec()
    assert (codec.vocab_size, codec.bos_id, codec.eos_id) == (259, 256, 257)
    save_model(tmp_path / "model")
    (tmp_path / "codec").mkdir()
    codec.save(tmp_path / "codec")
    (tmp_path / "system").mkdir()
    write_manifest(Manifest(model=MODEL, codec=CODEC, sampling=SamplingConfig(top_k=50)), folder=tmp_path / "system")
    return load_system(tmp_path / "system", locate=lambda digest: tmp_path / ("model" if digest == MODEL else "codec"))


def test_short_texts_score_exactly(system: LocalSystem) -> None:
    texts = ["hello", "", "naïve"]
    for text, got in zip(texts, system.log_prob(texts), strict=True):
        ids = torch.tensor([[256, *text.encode(), 257]])
        value = system.family.log_prob(Tokens(ids)).value
        assert value is not None
        assert got.nats == pytest.approx(-value.item(), rel=1e-5)
        assert got.num_tokens == ids.shape[1] - 1
        assert got.num_bytes == len(text.encode())


def test_a_score_does_not_depend_on_company(system: LocalSystem) -> None:
    texts = ["a long text " * 9, "short", "of middling length"]
    alone = [system.log_prob([text])[0].nats for text in texts]
    assert [score.nats for score in system.log_prob(texts)] == pytest.approx(alone, rel=1e-5)


@pytest.mark.parametrize("length", [2, 16, 17, 18, 25, 60])
def test_windows_score_each_token_once_with_enough_before_it(length: int) -> None:
    ids = list(range(length))
    found = windows(ids, document=0, context_tokens=16)
    scored = [token for window in found for token in window.ids[len(window.ids) - window.num_scored :]]
    assert scored == ids[1:]
    for window in found:
        assert len(window.ids) <= 17
        first_scored = window.ids[len(window.ids) - window.num_scored]
        assert first_scored - window.ids[0] >= min(first_scored, 8)


def test_batched_generation_equals_one_by_one_and_streaming(system: LocalSystem) -> None:
    requests = [system.request("ab", max_tokens=8, seed=seed) for seed in range(18)]
    together = system.generate(requests)
    alone = [system.generate([request])[0] for request in requests]
    assert [one.token_ids for one in together] == [one.token_ids for one in alone]
    assert together[0].logprobs == pytest.approx(alone[0].logprobs, abs=1e-5)
    assert [one.text for one in together] == ["".join(system.stream(request)) for request in requests]
    assert all(one.num_prompt_tokens == 3 and len(one.logprobs) == one.num_tokens for one in together)


def test_stop_strings_cut_the_text(system: LocalSystem) -> None:
    whole = system.generate([system.request("ab", max_tokens=30, seed=4)])[0]
    mark = whole.text[5:7]
    cut = system.generate([system.request("ab", max_tokens=30, seed=4, stop=[mark])])[0]
    assert cut.finish_reason == "stop"
    assert cut.text == whole.text[: whole.text.index(mark)]
    assert cut.num_tokens < whole.num_tokens


def test_sampling_comes_from_the_manifest_unless_said(system: LocalSystem) -> None:
    assert system.request("x", max_tokens=1).sampling.top_k == 50
    assert system.request("x", max_tokens=1, sampling={"top_k": 3}).sampling.top_k == 3
    with pytest.raises(SpecError, match="topk"):
        system.request("x", max_tokens=1, sampling={"topk": 3})


def test_a_codec_of_another_size_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path / "model", vocab_size=300)
    (tmp_path / "codec").mkdir()
    BytesCodec().save(tmp_path / "codec")
    manifest = Manifest(model=MODEL, codec=CODEC)
    with pytest.raises(CapabilityError, match="300 tokens"):
        LocalSystem.load(manifest, locate=lambda digest: tmp_path / ("model" if digest == MODEL else "codec"))


def test_manifest_round_trip(tmp_path: Path) -> None:
    manifest = Manifest(model=MODEL, codec=CODEC, prompt=CODEC)
    write_manifest(manifest, folder=tmp_path)
    assert read_manifest(tmp_path) == manifest
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(IntegrityError, match="manifest"):
        read_manifest(tmp_path)


def test_export_needs_no_tokenizer_file(system: LocalSystem, tmp_path: Path) -> None:
    files = {path.name for path in system.export_hf(tmp_path / "hf")}
    assert {"config.json", "model.safetensors"} <= files


DRAFT = "d" * 64


def with_draft(tmp_path: Path, **draft: int) -> LocalSystem:
    folders = {MODEL: tmp_path / "model", CODEC: tmp_path / "codec", DRAFT: tmp_path / "draft"}
    save_model(folders[DRAFT], **draft)
    return LocalSystem.load(Manifest(model=MODEL, codec=CODEC, draft=DRAFT), locate=folders.__getitem__)


def test_a_draft_changes_no_answer(system: LocalSystem, tmp_path: Path) -> None:
    drafted = with_draft(tmp_path, seed=5)
    assert isinstance(drafted.decoder(1), SpeculativeDecoder)
    asked = [system.request("ab", max_tokens=20, seed=seed, stop=["q"]) for seed in range(18)]
    plain, hurried = system.generate(asked), drafted.generate(asked)
    assert [(one.text, one.token_ids, one.finish_reason) for one in hurried] == [
        (one.text, one.token_ids, one.finish_reason) for one in plain
    ]
    assert ["".join(drafted.stream(one)) for one in asked[:3]] == [one.text for one in plain[:3]]
    assert drafted.log_prob(["hello"]) == system.log_prob(["hello"])


def test_a_draft_that_reads_less_is_refused(system: LocalSystem, tmp_path: Path) -> None:
    with pytest.raises(CapabilityError, match="draft reads 8 tokens and the model 16"):
        with_draft(tmp_path, context_tokens=8)


def test_a_draft_is_in_the_digest_only_where_there_is_one(tmp_path: Path) -> None:
    write_manifest(Manifest(model=MODEL, codec=CODEC), folder=tmp_path)
    assert b"draft" not in (tmp_path / "manifest.json").read_bytes()
    drafted = Manifest(model=MODEL, codec=CODEC, draft=DRAFT)
    write_manifest(drafted, folder=tmp_path)
    assert read_manifest(tmp_path) == drafted
    assert parts_of(drafted) == {"model": MODEL, "draft": DRAFT, "codec": CODEC}
    with pytest.raises(ValueError, match="a draft works with backend 'local'"):
        Manifest(model=MODEL, codec=CODEC, draft=DRAFT, backend="gguf")
