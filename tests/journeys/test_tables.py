"""A table of one's own, without a policy: what a person is told on the way."""

import random
import re

import pytest

SPEC = """
[project]
name = "own"
modality = "table"
threads = 1
[data]
[[data.sources]]
path = "t.csv"
[data.split]
validation = 0.25
test = 0.25
[fit]
[train]
size = "nano"
family = "latent-class"
[evaluate]
num_samples = 20
[evaluate.metrics]
max_rows = 60
"""


@pytest.mark.slow
def test_a_system_without_a_release_is_named_and_used(genwright, tmp_path):
    rng = random.Random(1)
    lines = [f"{rng.gauss(0, 1):.3f},{rng.randrange(5)},{rng.choice('xyz')}" for _ in range(200)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c", *lines, lines[0], "inf,1,x", ""]))
    (tmp_path / "genwright.toml").write_text(SPEC)
    wrong = genwright(tmp_path, "run", "--set", "evaluate.metrics.target=nope")
    assert wrong.returncode == 2 and "the table has no column 'nope' (it has: a, b, c)" in wrong.stderr
    assert "baseline" not in wrong.stderr  # said before anything is drawn or fitted
    assert re.search(r"200 samples kept; dropped: .*exact-duplicate 1", wrong.stderr)
    assert "not-finite 1" in wrong.stderr
    done = genwright(tmp_path, "run")
    (system,) = re.findall(r"made system (\w+), not released", done.stderr)
    refused = genwright(tmp_path, "generate")
    assert refused.returncode == 2 and f"--system {system}" in refused.stderr
    (tmp_path / "holes.csv").write_text("a,b,c\n77.125,,x\n,2,\n")
    made = genwright(tmp_path, "generate", "--system", system, "--given", "holes.csv", "--out", "filled")
    assert made.returncode == 0, made.stderr
    _, one, two = (tmp_path / "filled" / "samples.csv").read_text().split()
    assert one.startswith("77.125,") and one.endswith('"x"') and two.split(",")[1] == "2"
