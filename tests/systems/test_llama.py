"""llama.cpp as an engine: the same greedy tokens as torch, streams, and an engine that is killed."""

import math
import os
import signal
import threading
from pathlib import Path

import pytest
import torch

from genwright.core import CapabilityError, DataError
from genwright.core.protocols import TokenShape
from genwright.families import AutoregressiveConfig, SamplingConfig
from genwright.families.gguf_store import save_gguf_family
from genwright.families.store import GGUF, build_family
from genwright.modalities.text.bytes import BytesCodec
from genwright.nets import TransformerConfig
from genwright.systems import Manifest, load_system, write_manifest
from genwright.systems.llama.process import EngineLostError

pytest.importorskip("xllamacpp")
SHAPE = TokenShape(vocab_size=259, bos_id=256, eos_id=257, context_tokens=96)
MODEL, CODEC = "a" * 64, "c" * 64
GREEDY = {"temperature": 0.0}


@pytest.fixture(name="folders", scope="module")
def fixture_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gguf")
    net = TransformerConfig(d_model=64, num_layers=2, num_heads=2)
    family = build_family(AutoregressiveConfig(net=net).resolve(depth=2, shape=SHAPE), shape=SHAPE, seed=1).eval()
    generator = torch.Generator().manual_seed(2)
    for parameter in family.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    for name in ("codec", "model", "system"):
        (folder / name).mkdir()
    BytesCodec().save(folder / "codec")
    save_gguf_family(folder / "model", family=family, codec_folder=folder / "codec", file_type="f32", facts={})
    return folder


def load(folders: Path, backend: str):
    write_manifest(Manifest(backend=backend, model=MODEL, codec=CODEC), folder=folders / "system")
    return load_system(folders / "system", locate=lambda digest: folders / ("model" if digest == MODEL else "codec"))


@pytest.fixture(name="system", scope="module")
def fixture_system(folders: Path):
    return load(folders, "gguf")


def requests_of(system, **more):
    prompts = ["The ", "naïve \U0001f600 ", "x"]
    return [system.request(prompt, max_tokens=24, sampling=GREEDY, **more) for prompt in prompts]


def test_greedy_tokens_are_those_of_torch(system, folders: Path) -> None:
    ours = load(folders, "local")
    asked = requests_of(ours, num_top_logprobs=2)
    for here, there in zip(ours.generate(asked), system.generate(asked), strict=True):
        assert there.token_ids == here.token_ids
        told = [(a, b) for a, b in zip(here.logprobs, there.logprobs, strict=True) if not math.isnan(b)]
        assert len(told) >= 6  # of parts of characters the engine tells none
        assert all(a == pytest.approx(b, abs=2e-3) for a, b in told)
        assert (there.text, there.finish_reason) == (here.text, here.finish_reason)
        assert there.num_prompt_tokens == here.num_prompt_tokens


def test_likelihoods_are_those_of_the_file(system, folders: Path) -> None:
    texts = ["hello", "a longer text"]
    assert system.log_prob(texts) == load(folders, "local").log_prob(texts)


def test_a_stream_gives_the_same_text(system) -> None:
    for request in requests_of(system):
        whole = system.generate([request])[0].text
        assert "".join(system.stream(request)) == whole


def test_a_stop_string_ends_an_answer(system) -> None:
    (request,) = requests_of(system)[:1]
    whole = system.generate([request])[0].text
    mark = whole[5:7]
    (stopped,) = system.generate([system.request(request.prompt, max_tokens=24, sampling=GREEDY, stop=[mark])])
    assert stopped.text == whole[: whole.find(mark)]
    assert stopped.finish_reason == "stop"


def test_the_same_seed_draws_the_same(system) -> None:
    asked = [system.request("a", max_tokens=12, seed=seed, sampling=SamplingConfig(top_p=0.9)) for seed in (1, 1, 2)]
    first, again, other = (one.token_ids for one in system.generate(asked))
    assert first == again != other


def test_the_context_ends_an_answer(system) -> None:
    (made,) = system.generate([system.request("x" * 80, max_tokens=64, sampling=GREEDY)])
    assert made.finish_reason == "length"
    assert made.num_prompt_tokens + made.num_tokens == SHAPE.context_tokens
    with pytest.raises(CapabilityError, match="context holds 96"):
        system.generate([system.request("x" * 96, max_tokens=1)])


def test_an_engine_that_dies_is_told_and_starts_again(folders: Path) -> None:
    system = load(folders, "gguf")
    request = system.request("once", max_tokens=90, sampling=SamplingConfig())
    assert "".join(system.stream(request))
    pid = system.decoder(1).process.pid
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(EngineLostError):
        list(system.stream(request))
    assert system.generate([request])[0].num_tokens > 0
    assert system.decoder(1).num_free == 1


def test_a_damaged_model_is_told(folders: Path, tmp_path: Path) -> None:
    for name in ("codec", "system", "model"):
        (tmp_path / name).symlink_to(folders / name) if name != "model" else (tmp_path / name).mkdir()
    whole = (folders / "model" / GGUF).read_bytes()
    (tmp_path / "model" / GGUF).write_bytes(whole[: len(whole) // 2])
    (tmp_path / "model" / "config.json").write_bytes((folders / "model" / "config.json").read_bytes())
    with pytest.raises(DataError, match=r"does not load model\.gguf"):
        load(tmp_path, "gguf").generate(requests_of(load(folders, "gguf")))


def test_the_child_goes_with_its_system(folders: Path) -> None:
    system = load(folders, "gguf")
    system.generate(requests_of(system)[:1])
    process = system.decoder(1).process
    pid = process.pid
    process.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
