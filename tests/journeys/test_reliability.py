"""What can go wrong, goes wrong here: kills, a second process, a full disk, bad input. Nothing is lost."""

import json
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from genwright.project import Project

RECIPE = "python-code"
KILLS = 20
# Costs and times differ between two runs of the same thing; these do not.
REPEATABLE = (
    "dataset",
    "data_scores",
    "codec",
    "codec_scores",
    "model",
    "system",
    "scores",
    "samples",
    "generation_scores",
)


def outputs(text):
    found = {slot: digest for step in json.loads(text)[0]["steps"] for slot, digest in step["outputs"].items()}
    return {slot: found[slot] for slot in REPEATABLE}


@pytest.fixture(scope="module")
def reference(miniature, genwright, tmp_path_factory):
    """The digests of a run that nobody disturbed, and how long it took."""
    folder = miniature(RECIPE, tmp_path_factory.mktemp("calm") / "p")
    start = time.monotonic()
    done = genwright(folder, "run", "--json", *genwright.arguments(RECIPE))
    assert done.returncode == 0, done.stderr
    return outputs(done.stdout), time.monotonic() - start


def assert_no_orphan(folder):
    ledger = Project.find(folder).ledger
    known = {entry.body["id"] for entry in ledger.entries.select("kind = 'artifact'")}
    assert set(ledger.store.digests()) == known
    assert not list((ledger.folder / "work").iterdir())


@pytest.mark.slow
def test_kill_at_random_moments_changes_no_result(reference, miniature, genwright, tmp_path):
    digests, seconds = reference
    rng = random.Random(11)
    folder = miniature(RECIPE, tmp_path / "p")
    for number in range(KILLS):
        process = genwright(folder, "run", *genwright.arguments(RECIPE), wait=False)
        try:
            process.wait(timeout=rng.uniform(0.2, seconds))
            shutil.rmtree(folder)  # finished before the kill: start over
            miniature(RECIPE, folder)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        process.stdout.close()
        process.stderr.close()
        assert Project.find(folder).verify().problems == () or number == 0
    done = genwright(folder, "run", "--json", *genwright.arguments(RECIPE))
    assert done.returncode == 0, done.stderr
    assert outputs(done.stdout) == digests
    assert_no_orphan(folder)
    assert genwright(folder, "verify").returncode == 0


@pytest.mark.slow
def test_ctrl_c_saves_and_the_next_run_goes_on(reference, miniature, genwright, tmp_path):
    digests, _ = reference
    folder = miniature(RECIPE, tmp_path / "p")
    process = genwright(folder, "run", *genwright.arguments(RECIPE), wait=False)
    while not list((folder / ".genwright").glob("work/*/checkpoints/*")):
        time.sleep(0.05)
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    done = genwright(folder, "run", "--json", *genwright.arguments(RECIPE))
    assert outputs(done.stdout) == digests


@pytest.mark.slow
def test_two_processes_share_the_work(reference, miniature, genwright, tmp_path):
    digests, _ = reference
    folder = miniature(RECIPE, tmp_path / "p")
    words = ["run", "--json", *genwright.arguments(RECIPE)]
    both = [genwright(folder, *words, wait=False) for _ in range(2)]
    texts = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], texts
    assert outputs(texts[0][0]) == outputs(texts[1][0]) == digests
    runs = [run["stage"] for run in Project.find(folder).ledger.runs()]
    assert sorted(runs) == ["data", "evaluate", "fit", "release", "train"]
    assert_no_orphan(folder)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 600 kB, mounted; skipped where mounting is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", folder], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.slow
def test_a_full_disk_is_said_and_nothing_is_lost(small_disk, miniature, genwright, reference):
    folder = miniature(RECIPE, small_disk / "p")
    done = genwright(folder, "run", "--json", *genwright.arguments(RECIPE))
    assert done.returncode == 1
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] in ("storage", "failed")
    assert "No space left" in done.stderr or "full" in done.stderr
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert Project.find(folder).verify().problems == ()
    done = genwright(folder, "run", "--json", *genwright.arguments(RECIPE))
    assert done.returncode == 0, done.stderr
    assert outputs(done.stdout) == reference[0]


@pytest.mark.slow
def test_a_read_only_folder_is_said(small_disk, miniature, genwright):
    folder = miniature(RECIPE, small_disk / "p")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = genwright(folder, "run", *genwright.arguments(RECIPE))
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)


@pytest.mark.slow
def test_a_truncated_checkpoint_is_not_trusted(reference, miniature, genwright, tmp_path):
    folder = miniature(RECIPE, tmp_path / "p")
    process = genwright(folder, "run", *genwright.arguments(RECIPE), wait=False)
    while not (found := list((folder / ".genwright").glob("work/*/checkpoints/**/*.safetensors"))):
        time.sleep(0.02)
        assert process.poll() is None, process.stderr.read()
    process.kill()
    process.communicate()
    for path in found:
        if path.exists():
            os.truncate(path, path.stat().st_size // 2)
    done = genwright(folder, "run", "--json", *genwright.arguments(RECIPE))
    assert done.returncode == 0, done.stderr
    assert outputs(done.stdout) == reference[0]
