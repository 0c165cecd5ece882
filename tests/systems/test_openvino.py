"""OpenVINO as an engine of GGUF files: the tokens of llama.cpp and torch, streams, schemas, and what it refuses."""

import json
from pathlib import Path

import pytest
import torch

from genwright.core import CapabilityError, DataError, SpecError
from genwright.core.protocols import TokenShape
from genwright.families import AutoregressiveConfig
from genwright.families.gguf_store import save_gguf_family
from genwright.families.store import GGUF, build_family
from genwright.modalities.text.bytes import BytesCodec
from genwright.nets import TransformerConfig
from genwright.stages.compress.config import CompressConfig
from genwright.systems import Manifest, backend_of, load_system, write_manifest
from genwright.systems.manifest import choose_engine

pytest.importorskip("openvino_genai")
SHAPE = TokenShape(vocab_size=259, bos_id=256, eos_id=257, context_tokens=96)
MODEL, CODEC = "a" * 64, "c" * 64
GREEDY = {"temperature": 0.0}


@pytest.fixture(name="folders", scope="module")
def fixture_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("openvino")
    net = TransformerConfig(d_model=64, num_layers=2, num_heads=2)
    family = build_family(AutoregressiveConfig(net=net).resolve(depth=2, shape=SHAPE), shape=SHAPE, seed=1).eval()
    generator = torch.Generator().manual_seed(2)
    for parameter in family.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    for name in ("codec", "model", "system"):
        (folder / name).mkdir()
    BytesCodec().save(folder / "codec")
    save_gguf_family(folder / "model", family=family, codec_folder=folder / "codec", file_type="f16", facts={})
    choose_engine("openvino", folder / "model")
    return folder


def load(folders: Path, backend: str):
    write_manifest(Manifest(backend=backend, model=MODEL, codec=CODEC), folder=folders / "system")
    return load_system(folders / "system", locate=lambda digest: folders / ("model" if digest == MODEL else "codec"))


@pytest.fixture(name="system", scope="module")
def fixture_system(folders: Path):
    assert backend_of(folders / "model") == "openvino"
    return load(folders, "openvino")


def requests_of(system, **more):
    prompts = ["The ", "naïve \U0001f600 ", "x"]
    return [system.request(prompt, max_tokens=24, sampling=GREEDY, **more) for prompt in prompts]


def test_greedy_tokens_are_those_of_torch(system, folders: Path) -> None:
    ours = load(folders, "local")
    asked = requests_of(ours, num_top_logprobs=1)
    for here, there in zip(ours.generate(asked), system.generate(asked), strict=True):
        assert there.token_ids == here.token_ids
        assert there.logprobs == pytest.approx(here.logprobs, abs=5e-3)
        assert (there.text, there.finish_reason) == (here.text, here.finish_reason)


def test_a_stream_gives_the_same_text_and_leaving_it_frees_the_slot(system) -> None:
    for request in requests_of(system):
        assert "".join(system.stream(request)) == system.generate([request])[0].text
    begun = system.stream(requests_of(system)[0])
    next(begun)
    begun.close()
    free = system.decoder(1).num_free
    assert system.generate([requests_of(system)[0]])[0].num_tokens == 24
    assert system.decoder(1).num_free >= free


def test_the_same_seed_draws_the_same(system) -> None:
    asked = [system.request("a", max_tokens=12, seed=seed, sampling={"top_p": 0.9}) for seed in (1, 1, 2)]
    first, again, other = (one.token_ids for one in system.generate(asked))
    assert first == again != other


def test_the_context_ends_an_answer(system) -> None:
    (made,) = system.generate([system.request("x" * 80, max_tokens=64, sampling=GREEDY)])
    assert made.finish_reason == "length"
    assert made.num_prompt_tokens + made.num_tokens == SHAPE.context_tokens
    with pytest.raises(CapabilityError, match="context holds 96"):
        system.generate([system.request("x" * 96, max_tokens=1)])


def test_what_it_cannot_tell_is_refused(system) -> None:
    with pytest.raises(CapabilityError, match="5 log-probabilities"):
        system.generate([system.request("a", max_tokens=2, num_top_logprobs=5)])
    with pytest.raises(SpecError, match="reads the types"):
        CompressConfig.parse({"type": "q6_k", "engine": "openvino"}, where="compress")


def test_a_damaged_model_is_told(folders: Path, tmp_path: Path) -> None:
    for name in ("codec", "system"):
        (tmp_path / name).symlink_to(folders / name)
    (tmp_path / "model").mkdir()
    for path in (folders / "model").iterdir():
        (tmp_path / "model" / path.name).write_bytes(path.read_bytes()[: 2000 if path.name == GGUF else None])
    with pytest.raises(DataError, match=r"OpenVINO does not load model\.gguf"):
        load(tmp_path, "openvino").generate(requests_of(load(folders, "local")))


def test_an_answer_fits_its_schema(system) -> None:
    schema = json.dumps({"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]})
    request = system.request("a", max_tokens=40, sampling=GREEDY)
    (made,) = system.generate([type(request)(**{**request.__dict__, "json_schema": schema})])
    assert json.loads(made.text)["a"] in (1, 2)
