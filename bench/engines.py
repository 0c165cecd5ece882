"""Tokens per processor second of SmolLM2-135M: torch, llama.cpp (q4_0), and llama.cpp behind the gateway, by turns.

python bench/engines.py    (reads the package; quantises once to q4_0; several minutes)

All work of this process and its engine counts, so that the engine and the gateway are both in the sum; the clients of
the server are another process and do not. What is here when measuring begins is frozen for the collector, as
`genwright serve` does. Answers have a fixed length: the same prompts, greedy, with the end mark not looked for.
"""

import contextlib
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

import report
from genwright.families.gguf_store import save_gguf_family
from genwright.serve.parity import serving_at
from genwright.systems import Manifest
from genwright.systems.llama.system import GgufSystem
from genwright.systems.manifest import choose_engine
from genwright.systems.openvino.system import OpenVinoSystem
from smollm2 import family_and_codec

MODEL, CODEC = "a" * 64, "c" * 64
TOKENS, STREAMS, ROUNDS = 48, 8, 3
PROMPTS = tuple(f"Here are {number} things that everyone should know about the sea:\n\n1." for number in range(3, 11))


def cpu_seconds() -> float:
    """Of this process and all below it."""
    found = [os.getpid()]
    for process in found:
        found += [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
        for thread in Path(f"/proc/{process}/task").iterdir():
            if thread.name != str(process):
                with contextlib.suppress(FileNotFoundError):  # it has ended since
                    found += [int(child) for child in (thread / "children").read_text().split()]
    fields = [Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in set(found)]
    return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


def make_system() -> tuple[GgufSystem, Any]:
    """The served system in q4_0, and the family in float32."""
    family, codec = family_and_codec(context_tokens=512)
    folder = Path(tempfile.mkdtemp())
    for name in ("model", "codec"):
        (folder / name).mkdir()
    codec.save(folder / "codec")
    save_gguf_family(folder / "model", family=family, codec_folder=folder / "codec", file_type="q4_0", facts={})
    manifest = Manifest(backend="gguf", model=MODEL, codec=CODEC)
    return GgufSystem.load(manifest, locate={MODEL: folder / "model", CODEC: folder / "codec"}.__getitem__), family


def rate(work: Callable[[int], int], streams: int) -> tuple[float, float]:
    """Tokens per processor second and per wall second."""
    begin, wall = cpu_seconds(), time.perf_counter()
    tokens = work(streams)
    return tokens / (cpu_seconds() - begin), tokens / (time.perf_counter() - wall)


def by_engine(system: GgufSystem) -> Callable[[int], int]:
    """llama.cpp asked directly: as many streams at once, each read to its end."""
    process = system.decoder(STREAMS).process

    def one(prompt: str) -> int:
        body = {
            "prompt": list(system.encode_prompt(prompt)), "n_predict": TOKENS, "temperature": 0.0, "stream": True,
            "return_tokens": True, "cache_prompt": False,
        }  # fmt: skip
        connection = process.open("/completion", body)
        made = [event["tokens_predicted"] for event in connection.events()][-1]
        connection.close()
        return int(made)

    return lambda streams: _together(one, streams)


def by_gateway(port: int, key: str) -> Callable[[int], int]:
    """The same through the server, asked from a process that is gone before CPU time is read: clients do not count."""
    program = str(Path(__file__).with_name("streams.py"))

    def work(streams: int) -> int:
        command = [sys.executable, program, str(port), key, str(TOKENS)]
        asked = json.dumps(PROMPTS[:streams])
        return int(subprocess.run(command, input=asked, capture_output=True, text=True, check=True).stdout)

    return work


def _together(one: Callable[[str], int], streams: int) -> int:
    with ThreadPoolExecutor(streams) as pool:
        return sum(pool.map(one, PROMPTS[:streams]))


def by_openvino(model: Path) -> OpenVinoSystem:
    """The same file behind OpenVINO."""
    choose_engine("openvino", model)
    manifest = Manifest(backend="openvino", model=MODEL, codec=CODEC)
    return OpenVinoSystem.load(manifest, locate={MODEL: model, CODEC: model.parent / "codec"}.__getitem__)


def directly(system: OpenVinoSystem) -> Callable[[int], int]:
    """OpenVINO asked by its own call."""
    import numpy as np
    import openvino
    import openvino_genai

    pipeline = system.decoder(STREAMS)._engine
    asked = openvino_genai.GenerationConfig()
    asked.max_new_tokens, asked.do_sample = TOKENS, False

    def work(streams: int) -> int:
        ids = [openvino.Tensor(np.array([system.encode_prompt(one)])) for one in PROMPTS[:streams]]
        return sum(len(one.m_generation_ids[0]) for one in pipeline.generate(ids, [asked] * streams))

    return work


def by_torch(system: GgufSystem, family: Any) -> Callable[[int], int]:
    """The decoder of this house, in float32."""
    from genwright.families.config import SamplingConfig
    from genwright.families.decoding import DecodeRequest

    def work(streams: int) -> int:
        decoder, made = family.decoder(streams), 0
        for prompt in PROMPTS[:streams]:
            decoder.add(DecodeRequest(system.encode_prompt(prompt), TOKENS, SamplingConfig(temperature=0.0)))
        while tokens := decoder.step():
            made += len(tokens)
        return made

    return work


def by_transformers(system: GgufSystem, family: Any) -> Callable[[int], int]:
    """The library's own generation in bfloat16."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from genwright.nets.export import hf_config, hf_tensors

    settings = hf_config(family.net.config, vocab_size=49_152, context_tokens=512)
    model = LlamaForCausalLM(LlamaConfig(**settings)).eval()
    model.load_state_dict(hf_tensors(family.net), strict=False)
    model = model.to(torch.bfloat16)

    def work(streams: int) -> int:
        rows = [system.encode_prompt(prompt) for prompt in PROMPTS[:streams]]
        size = min(len(row) for row in rows)
        ids = torch.tensor([row[:size] for row in rows])
        asked = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS, "do_sample": False, "pad_token_id": 0}
        out = model.generate(ids, attention_mask=torch.ones_like(ids), **asked)
        return int(out.shape[0] * (out.shape[1] - size))

    return work


def main() -> None:
    """All engines by turns."""
    threads = torch.get_num_threads()
    system, family = make_system()
    found: dict[str, list[tuple[float, float]]] = {}
    other = by_openvino(system._model)
    with serving_at(system, num_slots=STREAMS) as (port, key), serving_at(other, num_slots=STREAMS) as (second, key_2):
        works = {
            "transformers, bfloat16": by_transformers(system, family),
            "torch here, float32": by_torch(system, family),
            "llama.cpp q4_0, asked directly": by_engine(system),
            "llama.cpp q4_0, through the server": by_gateway(port, key),
            "OpenVINO q4_0, asked directly": directly(other),
            "OpenVINO q4_0, through the server": by_gateway(second, key_2),
        }
        for work in works.values():
            work(2)
        gc.collect()
        gc.freeze()
        for _ in range(ROUNDS):
            for streams in (1, STREAMS):
                for name, work in works.items():
                    found.setdefault(f"{name}, {streams} streams", []).append(rate(work, streams))
    rows = [
        {"what": name, "value": round(statistics.median(one[0] for one in values), 1), "unit": "tokens/CPU s"}
        for name, values in found.items()
    ]
    direct = found[f"llama.cpp q4_0, asked directly, {STREAMS} streams"]
    served = found[f"llama.cpp q4_0, through the server, {STREAMS} streams"]
    openvino = found[f"OpenVINO q4_0, through the server, {STREAMS} streams"]
    asked = found[f"OpenVINO q4_0, asked directly, {STREAMS} streams"]
    theirs = found[f"transformers, bfloat16, {STREAMS} streams"]
    for what, ours, over, goal in (
        ("the server over llama.cpp asked directly, 8 streams", served, direct, "at least 0.95"),
        ("the server over OpenVINO asked directly, 8 streams", openvino, asked, "at least 0.95"),
        ("the server with OpenVINO over transformers, 8 streams", openvino, theirs, "at least 3"),
        ("the server with llama.cpp over transformers, 8 streams", served, theirs, "at least 3"),
    ):
        ratio = statistics.median(a[0] / b[0] for a, b in zip(ours, over, strict=True))
        rows.append({"what": what, "value": round(ratio, 2), "unit": "x, tokens/CPU s", "goal": goal})
    report.write(
        "engines", title="Engines: SmolLM2-135M, greedy", command="python bench/engines.py", rows=rows,
        rounds=found, threads=threads,
        libraries=("torch", "transformers", "xllamacpp", "openvino-genai", "fastapi", "uvicorn"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
