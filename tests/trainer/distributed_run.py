"""Trains the fake job on this rank and writes the weights; started by torchrun from `test_distributed.py`."""

import sys
from pathlib import Path

import torch
from fakes import config, make_job, run
from safetensors.torch import save_file

from genwright.trainer import distributed

if __name__ == "__main__":
    out, fsdp, precision = Path(sys.argv[1]), sys.argv[2] == "fsdp", sys.argv[3]
    torch.set_num_threads(1)
    distributed.join("cpu")
    settings = config(fsdp=fsdp, precision=precision, optimiser={"kind": sys.argv[4]})
    outcome = run(make_job(), out / f"rank{distributed.rank()}", settings=settings)
    save_file(dict(outcome.tensors), out / f"rank{distributed.rank()}.safetensors")
