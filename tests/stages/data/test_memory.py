"""Memory follows the number of documents, not their size."""

import random
import subprocess
import sys

import pytest

NUM_DOCUMENTS = 600
SCRIPT = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import SilentProgress
from genwright.core import Context
from genwright.stages.data.config import DataConfig
from genwright.stages.data.run import run

FASTER = {"near": {"contained": "ignore"}, "redact": {"pii": "keep", "secrets": "keep"}}
root = Path(sys.argv[2])
(root / "scratch").mkdir()
context = Context(
    root=root, scratch=root / "scratch", checkpoints=root, inputs={}, seed=0, device="cpu", modality="text",
    progress=SilentProgress(), decide=None, should_stop=lambda: False, log=None,
)
run(DataConfig.parse({"sources": [{"path": "corpus"}], "workers": 1, **FASTER}, where="data"), context)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak_mib(folder, *, kilobytes_each):
    """The peak memory of a run over documents of that size."""
    (folder / "corpus").mkdir(parents=True)
    chance = random.Random(0)
    with (folder / "corpus" / "all.txt").open("w") as handle:
        for _ in range(NUM_DOCUMENTS):
            handle.write(chance.randbytes(kilobytes_each * 444).hex(" ", -4) + "\n")
    spec = '{"path": "corpus", "split_documents": "line"}'
    command = [sys.executable, "-c", SCRIPT.replace('{"path": "corpus"}', spec), "tests/stages", str(folder)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.slow
def test_a_corpus_three_times_as_large_takes_little_more_memory(tmp_path):
    small = peak_mib(tmp_path / "small", kilobytes_each=100)
    large = peak_mib(tmp_path / "large", kilobytes_each=300)
    added = NUM_DOCUMENTS * 200 / 1024
    assert large - small < added / 2, f"{added:.0f} MiB more text took {large - small} MiB more memory"
