"""How the server does under suites that others wrote: passes over totals into `bench/results/conformance.json`.

python bench/conformance.py PYTHON    (an interpreter with `llm-comply` installed, in an environment of its own)

The model is a tiny net with random weights: what is tested is the protocol, and answers are nonsense.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

import report
from genwright.core.protocols import TokenShape
from genwright.families import AutoregressiveConfig
from genwright.families.store import build_family
from genwright.modalities.text.bytes import BytesCodec
from genwright.nets import TransformerConfig
from genwright.serve.parity import MODEL, serving_at
from genwright.systems import Manifest
from genwright.systems.local import LocalSystem

FORMS = ("openai-chat", "open-responses")
SHAPE = TokenShape(vocab_size=259, bos_id=256, eos_id=257, context_tokens=8192)


def make_system() -> LocalSystem:
    """Random weights over bytes."""
    net = TransformerConfig(d_model=32, num_layers=2, num_heads=2)
    family = build_family(AutoregressiveConfig(net=net).resolve(depth=2, shape=SHAPE), shape=SHAPE, seed=1).eval()
    folder = Path(tempfile.mkdtemp())
    BytesCodec().save(folder)
    manifest = Manifest(model="a" * 64, codec="c" * 64)
    system = LocalSystem(family, codec=BytesCodec(), manifest=manifest, codec_folder=folder)
    system.stop_ids |= set(range(128, 256))  # or hardly an answer would end
    return system


def comply(python: str, form: str, address: str, key: str) -> dict[str, Any]:
    """The report of one suite."""
    program = Path(python).with_name("llm-comply")
    command = [str(program), "--format", form, "-u", address, "-k", key, "-m", MODEL, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Each suite once."""
    torch.set_num_threads(1)
    with serving_at(make_system(), num_slots=4) as (port, key):
        found = {form: comply(sys.argv[1], form, f"http://127.0.0.1:{port}/v1", key) for form in FORMS}
    rows = []
    for form, body in found.items():
        states = [one["status"] for one in body["results"]]
        passed, skipped = states.count("passed"), states.count("skipped")
        rows.append({"what": f"llm-comply {form}", "value": passed, "unit": f"of {len(states) - skipped} that apply"})
    report.write(
        "conformance", title="Conformance of the server", command="python bench/conformance.py PYTHON", rows=rows,
        libraries=("fastapi", "uvicorn"), suites=found,
    )  # fmt: skip


if __name__ == "__main__":
    main()
