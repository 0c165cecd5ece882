"""A megabyte of English, byte by byte: Genwright's nets against a plain GPT at nanoGPT's settings for a CPU.

python bench/tiny_text.py FOLDER [NAME=BUDGET ...]    the named runs; what is in FOLDER is not run again; ", seed 2" at
the end of a name takes another seed, and with it another split

The plain GPT is written here from the published settings (nanoGPT's README, "I only have a macbook"; its defaults for
what that leaves open), since nanoGPT is no package. Tiny Shakespeare is in no package either: the text is fortunes, as
Debian ships them. Both sides see the same train documents and are measured on the same held-out bytes, end marks
included, with at least half a context before each byte that is measured.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import report
from genwright.cli.progress import LineProgress
from genwright.modalities.dataset import read_texts
from genwright.project import Project

FILES = ("cookie", "computers", "definitions", "people", "science", "wisdom", "work")
SOURCE = """
[[data.sources]]
path = "deb:fortunes!usr/share/games/fortunes/{name}"
name = "fortunes: {name}"
format = "text"
licence = "see the package"
split_documents = "separator"
separator = "\\n%\\n"
"""
SPEC = """
[project]
name = "tiny-text"
modality = "text"
seed = 1
threads = 1

[data]
name = "fortunes"
{sources}
[data.split]
validation = 0.05
test = 0.1

[fit]
codec = {{ kind = "bytes" }}

[train]
size = "micro"
context_tokens = 128

[train.family]
kind = "autoregressive"
net = {{ kind = "transformer", num_layers = 4, d_model = 128, num_heads = 4, tied_head = false }}

[train.trainer]
batch_tokens = 2048
compile = "off"
validation = {{ times = 2 }}
budget = {{ steps = 1 }}

[evaluate]
references = {{ xz = "off" }}
generation = {{ num_samples = 0 }}
"""
PEER = "plain GPT, nanoGPT's settings"
LSTM = ["train.family.net={kind = 'lstm', num_layers = 2, d_model = 192}"]
RUNS: dict[str, list[str]] = {
    "transformer, bytes": [],
    "LSTM, bytes": LSTM,
    "transformer, 1,024 tokens": ["fit.codec={kind = 'bpe', vocab_size = 1024}"],
}


class Gpt(nn.Module):
    """The GPT of nanoGPT's preset: 4 layers, 4 heads, 128 wide, block 64, no dropout, no biases, a tied head."""

    layers, heads, width, block = 4, 4, 128, 64

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(vocab_size, self.width), nn.Embedding(self.block, self.width)
        self.blocks = nn.ModuleList(_Block(self.width, self.heads) for _ in range(self.layers))
        self.norm = nn.LayerNorm(self.width, bias=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                nn.init.normal_(weight, std=0.02 / (math.sqrt(2 * self.layers) if name.endswith("out.weight") else 1))

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (b, t, v)."""
        x = self.token(ids) + self.place.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return functional.linear(self.norm(x), self.token.weight)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width, bias=False) for _ in range(2))
        self.attend, self.attend_out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.up_out = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        split = (*x.shape[:2], self.heads, -1)
        q, k, v = (part.view(split).transpose(1, 2) for part in self.attend(self.norms[0](x)).chunk(3, dim=2))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attend_out(mixed.transpose(1, 2).reshape(x.shape))
        return x + self.up_out(functional.gelu(self.up(self.norms[1](x))))


def _stream(texts: Iterator[str]) -> np.ndarray:
    """Bytes of all documents, each with the mark 256 behind it, and one in front of all."""
    parts = [np.array([256], dtype=np.int64)]
    for text in texts:
        parts += [np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int64), parts[0]]
    return np.concatenate(parts)


def train_peer(dataset: Path, *, steps: int = 2000) -> tuple[Gpt, float]:
    """The trained peer and its CPU-seconds: batch 12, AdamW, 100 steps of warm-up, a cosine from 1e-3 to 1e-4."""
    torch.manual_seed(1337)
    data, net = torch.from_numpy(_stream(read_texts(dataset, split="train"))), Gpt(257)
    decayed = [p for p in net.parameters() if p.ndim == 2]
    rest = [p for p in net.parameters() if p.ndim != 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)
    began = time.process_time()
    for step in range(steps):
        shown = (step - 100) / max(1, steps - 100)
        rate = (step + 1) / 101 if step < 100 else 0.1 + 0.45 * (1 + math.cos(math.pi * shown))
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * rate
        at = torch.randint(len(data) - Gpt.block - 1, (12,))
        rows = torch.stack([data[i : i + Gpt.block + 1] for i in at.tolist()])
        loss = functional.cross_entropy(net(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        if step % 250 == 0:
            print(f"{PEER}: step {step}, loss {float(loss):.3f}, {time.process_time() - began:.0f} CPU-s", flush=True)
    return net, time.process_time() - began


@torch.no_grad()
def peer_nats(net: Gpt, dataset: Path, *, split: str) -> np.ndarray:
    """(documents, 2): the nats of each document with its end mark, and its bytes; windows overlap by half."""
    half = Gpt.block // 2
    found = []
    for text in read_texts(dataset, split=split):
        ids = torch.from_numpy(_stream(iter([text])))
        nats = torch.zeros(len(ids) - 1)
        for at in range(0, max(1, len(ids) - 1 - half), half):
            part = ids[at : at + Gpt.block + 1]
            each = functional.cross_entropy(net(part[None, :-1])[0], part[1:], reduction="none")
            first = half if at else 0
            nats[at + first : at + len(each)] = each[first:]
        found.append((float(nats.double().sum()), len(ids) - 2))
    return np.array(found)


def peer(project: Project, dataset: Path, folder: Path) -> dict[str, Any]:
    """Nats per byte of the peer on validation and test, kept in FOLDER/peer.json."""
    kept = folder / "peer.json"
    if not kept.is_file():
        torch.set_num_threads(1)
        net, seconds = train_peer(dataset)
        body: dict[str, Any] = {"cpu_s": seconds, "parameters": sum(p.numel() for p in net.parameters())}
        for split in ("validation", "test"):
            nats = peer_nats(net, dataset, split=split)
            body[split] = nats.tolist()
        kept.write_text(json.dumps(body))
    del project
    body = json.loads(kept.read_text())
    nats = np.array(body["test"])
    rng = np.random.default_rng(0)
    sums = nats[rng.integers(len(nats), size=(2000, len(nats)))].sum(1)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], (0.025, 0.975))
    value = nats[:, 0].sum() / nats[:, 1].sum()
    return {"value": round(value, 4), "interval": [round(low, 4), round(high, 4)], "cpu_s": body["cpu_s"]}


def ours(project: Project, name: str, budget: str) -> dict[str, Any]:
    """Nats per byte of held-out documents, and the CPU-seconds of training."""
    known, seed = report.seeded(name)
    overrides = [*RUNS[known], seed, report.budget(budget)]
    (done,) = project.run(["evaluate"], overrides=overrides, progress=LineProgress(as_json=False))
    claim = next(c.estimate for c in done.claims if c.metric == "bits_per_byte" and not c.label)
    run = next(step.run for step in done.steps if step.stage.name == "train" and step.run)
    value, low, high = (round(part * math.log(2), 4) for part in (claim.value, claim.low, claim.high))
    return {"value": value, "interval": [low, high], "cpu_s": run["cost"]["cpu_s"]}


def main() -> None:
    """Run what is named, and write what there is; a budget is processor time such as "120s", or a number of steps."""
    folder = Path(sys.argv[1])
    asked = dict(one.rpartition("=")[::2] for one in sys.argv[2:])
    if not folder.exists():
        folder.mkdir(parents=True)
        sources = "".join(SOURCE.format(name=name) for name in FILES)
        (folder / "genwright.toml").write_text(SPEC.format(sources=sources))
    project = Project.find(folder)
    (done,) = project.run(["data"], progress=LineProgress(as_json=False))
    dataset = project.checked_path(next(s.run["outputs"]["dataset"] for s in done.steps if s.run))
    known = folder / "found.json"
    found: dict[str, Any] = json.loads(known.read_text()) if known.is_file() else {}
    found[PEER] = peer(project, dataset, folder)
    for name, budget in asked.items():
        found[name] = ours(project, name, budget) | {"budget": budget}
        known.write_text(json.dumps(found, indent=1))
    rows = [_row(name, one, found[PEER]) for name, one in found.items()]
    report.write(
        "tiny_text",
        title="A megabyte of English, nats per held-out byte (end marks included)",
        command="python bench/tiny_text.py FOLDER "
        + " ".join(f"'{n}={found[n]['budget']}'" for n in found if n != PEER),
        rows=rows,
        libraries=("torch",),
    )


def _row(name: str, one: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    goal = "" if name == PEER else f"at most {base['value'] - 0.17:.3f} in {base['cpu_s'] * 2 / 3:.0f} CPU-seconds"
    what = f"{name} ({one['cpu_s']:.0f} CPU-seconds)"
    return {"what": what, "value": one["value"], "unit": "nats/byte", "interval": one["interval"], "goal": goal}


if __name__ == "__main__":
    main()
