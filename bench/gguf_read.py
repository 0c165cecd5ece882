"""Reading a GGUF model into torch: `transformers` beside the reader here, by turns, each in a process of its own.

python bench/gguf_read.py [FILE]    (default: SmolLM2-135M-Instruct, Q4_1, from its package)

Processor seconds without imports. The digests of all weights have to be equal.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

import report
from smollm2 import packed

ROUNDS = 3
OURS = """
import torch
from genwright.nets.gguf import read_model
begin = time.process_time()
tensors = read_model(path).tensors
spent = time.process_time() - begin
"""
THEIRS = """
import torch, gguf, accelerate
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast
begin = time.process_time()
model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
spent = time.process_time() - begin
tensors = {name.removeprefix("model."): value for name, value in model.state_dict().items() if "lm_head" not in name}
"""
REPORT = """
digest = hashlib.sha256()
for name in sorted(tensors):
    digest.update(name.encode() + tensors[name].numpy().tobytes())
print(json.dumps({"seconds": spent, "digest": digest.hexdigest()}))
"""


def measure(code: str, path: Path) -> tuple[float, str]:
    """Processor seconds, and the digest of the weights."""
    script = f"import hashlib, json, sys, time\nfrom pathlib import Path\npath = Path(sys.argv[1])\n{code}{REPORT}"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return found["seconds"], found["digest"]


def main() -> None:
    """Both readers by turns."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else packed()
    rounds = [(measure(THEIRS, path), measure(OURS, path)) for _ in range(ROUNDS)]
    theirs, ours = ([pair[side][0] for pair in rounds] for side in (0, 1))
    equal = len({reader[1] for pair in rounds for reader in pair}) == 1
    ratio = statistics.median(a / b for a, b in zip(theirs, ours, strict=True))
    unit = "CPU s"
    rows = [
        {"what": "transformers: model and tokenizer", "value": round(statistics.median(theirs), 2), "unit": unit},
        {"what": "here: model and tokenizer", "value": round(statistics.median(ours), 2), "unit": unit},
        {"what": "times as fast, round by round", "value": round(ratio, 1), "unit": "x", "goal": "at least 15"},
        {"what": "tensors equal bit by bit", "value": int(equal), "unit": "1 = yes", "goal": "1"},
    ]
    report.write(
        "gguf_read", title="Reading a GGUF model (SmolLM2-135M, Q4_1)", command="python bench/gguf_read.py",
        rows=rows, libraries=("torch", "transformers", "gguf", "xllamacpp"),
        rounds={"transformers": theirs, "here": ours},
    )  # fmt: skip


if __name__ == "__main__":
    main()
