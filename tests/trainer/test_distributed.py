"""Two processes under torchrun train what one trains: data-parallel, and with parameters split."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from .fakes import config, make_job, run

HERE = Path(__file__).parent


def launch(out: Path, *arguments: str) -> list[dict[str, torch.Tensor]]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = [str(HERE / "distributed_run.py"), str(out), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE)}
    done = subprocess.run([*command, *script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [load_file(out / f"rank{rank}.safetensors") for rank in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["replicated", "fsdp"])
@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_two_processes_equal_one(tmp_path: Path, how: str, kind: str) -> None:
    first, second = launch(tmp_path, how, "float32", kind)
    alone = run(make_job(), tmp_path / "alone", settings=config(precision="float32", optimiser={"kind": kind}))
    for name, value in alone.tensors.items():
        assert torch.equal(first[name], second[name])
        # Muon's bfloat16 iteration magnifies the rounding of gradients that are summed in another order.
        torch.testing.assert_close(first[name], value, rtol=2e-2, atol=2e-3 if kind == "adamw" else 1e-2)


@pytest.mark.slow
def test_two_processes_repeat_bitwise(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    first = launch(tmp_path, "replicated", "bfloat16", "muon")[0]
    second = launch(tmp_path / "b", "replicated", "bfloat16", "muon")[0]
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.slow
@pytest.mark.parametrize("how", ["replicated", "fsdp"])
def test_two_processes_go_on_to_the_same_bits(tmp_path: Path, how: str) -> None:
    (tmp_path / "stopped").mkdir()
    whole = launch(tmp_path, how, "float32", "muon")[0]
    first, second = launch(tmp_path / "stopped", how, "float32", "muon", "stopped")
    assert (tmp_path / "stopped" / "rank0" / "checkpoints" / "step-5").is_dir(), "rank 0 keeps the checkpoint"
    assert not list((tmp_path / "stopped" / "rank1" / "checkpoints").iterdir())
    for name, value in whole.items():
        assert torch.equal(first[name], value)
        assert torch.equal(second[name], value)
