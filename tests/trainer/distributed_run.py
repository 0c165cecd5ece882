"""Trains the fake job on this rank and writes the weights; started by torchrun from `test_distributed.py`.

With the word `stopped` it is stopped after five steps, and trained on in the same folder with a fresh family.
"""

import sys
from contextlib import suppress
from pathlib import Path

import torch
from fakes import config, make_job, run
from safetensors.torch import save_file

from genwright.core import Interrupted
from genwright.trainer import distributed

if __name__ == "__main__":
    out, fsdp, precision = Path(sys.argv[1]), sys.argv[2] == "fsdp", sys.argv[3]
    torch.set_num_threads(1)
    distributed.join("cpu")
    settings = config(fsdp=fsdp, precision=precision, optimiser={"kind": sys.argv[4]})
    folder = out / f"rank{distributed.rank()}"
    if "stopped" in sys.argv:
        asked = iter([False] * 5 + [True])
        with suppress(Interrupted):
            run(make_job(), folder, settings=settings, should_stop=lambda: next(asked))
            raise SystemExit("the training was to be stopped")
    outcome = run(make_job(), folder, settings=settings)
    save_file(dict(outcome.tensors), out / f"rank{distributed.rank()}.safetensors")
