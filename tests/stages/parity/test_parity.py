"""Parity: a served system answers as the evaluated one, and a server that answers otherwise is found out."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from genwright.core import Artifact, CapabilityError
from genwright.core.digest import entries_digest, folder_entries
from genwright.core.protocols import TokenShape
from genwright.families import AutoregressiveConfig
from genwright.families.gguf_store import save_gguf_family
from genwright.families.store import build_family, save_family
from genwright.measure import derive, read_scores
from genwright.modalities.text.bytes import BytesCodec
from genwright.nets import TransformerConfig
from genwright.serve import parity
from genwright.stages.parity.config import ParityConfig, check
from genwright.systems import Manifest, backend_of, write_manifest

SHAPE = TokenShape(vocab_size=259, bos_id=256, eos_id=257, context_tokens=64)


def artifact(kind, folder):
    return Artifact(kind, entries_digest(folder_entries(folder)), folder)


def made(folder, form):
    net = TransformerConfig(d_model=64, num_layers=2, num_heads=2)
    config = AutoregressiveConfig(net=net).resolve(depth=2, shape=SHAPE)
    family = build_family(config, shape=SHAPE, seed=1).eval()
    for parameter in family.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(2))
    for name in ("codec", "model", "system", "dataset"):
        (folder / name).mkdir()
    BytesCodec().save(folder / "codec")
    if form == "gguf":
        save_gguf_family(folder / "model", family=family, codec_folder=folder / "codec", file_type="f32", facts={})
    else:
        save_family(folder / "model", config=config, shape=SHAPE, tensors=family.state_dict(), facts={})
    rows = [{"id": f"d{n}", "group": f"g{n}", "text": f"text {n} of the test"} for n in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "dataset" / "test.parquet")
    found = {name: artifact(name, folder / name) for name in ("codec", "model", "dataset")}
    manifest = Manifest(backend=backend_of(folder / "model"), model=found["model"].digest, codec=found["codec"].digest)
    write_manifest(manifest, folder=folder / "system")
    return {**found, "system": artifact("system", folder / "system")}


def shares(result, context):
    columns = read_scores(result.artifacts["parity_scores"].path)
    return {draft.metric: derive(columns, derivation=draft.derivation).value for draft in result.claims}


@pytest.mark.parametrize("form", ["weights", "gguf"])
def test_what_is_served_is_what_was_tested(form, tmp_path, make_context):
    context = make_context(inputs=made(tmp_path, form))
    found = shares(parity.run(ParityConfig(num_prompts=3, max_tokens=8), context), context)
    assert found == {"served_answers_equal": 1.0, "served_prompts_equal": 1.0, "served_marks_equal": 1.0}


def test_a_server_that_answers_otherwise_is_found_out(tmp_path, make_context, monkeypatch):
    context = make_context(inputs=made(tmp_path, "weights"))
    load, systems = parity._system, []

    def second_differs(context):
        system = load(context)
        systems.append(system)
        if len(systems) == 2:
            encode = system.encode_prompt
            system.encode_prompt = lambda text: encode(text + "!")
        return system

    monkeypatch.setattr(parity, "_system", second_differs)
    found = shares(parity.run(ParityConfig(num_prompts=3, max_tokens=8), context), context)
    assert found["served_answers_equal"] < 1.0
    assert found["served_prompts_equal"] == 0.0


def test_marks_of_another_tokenizer_are_found_out(tmp_path, make_context):
    inputs = made(tmp_path, "gguf")
    path = tmp_path / "codec" / "tokenizer.json"
    path.write_text(path.read_text().replace("<|eos|>", "<|end|>"))
    context = make_context(inputs=inputs)
    found = shares(parity.run(ParityConfig(num_prompts=1, max_tokens=2), context), context)
    assert found["served_marks_equal"] == pytest.approx(2 / 3)


def test_only_what_is_served_has_parity():
    check({}, "text")
    with pytest.raises(CapabilityError, match="modality is 'table'"):
        check({}, "table")
