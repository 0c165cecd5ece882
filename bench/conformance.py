"""How the server does under suites that others wrote: passes over totals into `bench/results/conformance.json`.

python bench/conformance.py PYTHON    (an interpreter with the suites, in an environment of its own: `make conformance`)

The suites are llm-comply, the tests of the `openai` package (they come with its source), langchain's standard tests of
a chat model through `ChatOpenAI`, and the command `llm`. Those that look into answers ask SmolLM2-135M (q4_0), which is
read from its package; openai's ask a tiny net with random weights, whose answers are nonsense.
"""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import torch

import engines
import report
from genwright.core.protocols import TokenShape
from genwright.families import AutoregressiveConfig, SamplingConfig
from genwright.families.store import build_family
from genwright.modalities.text.bytes import BytesCodec
from genwright.nets import TransformerConfig
from genwright.systems import Manifest
from genwright.systems.local import LocalSystem
from serving import DIGEST, MODEL, serving

FORMS = ("openai-chat", "open-responses")
SHAPE = TokenShape(vocab_size=259, bos_id=256, eos_id=257, context_tokens=8192)
OPENAI_FILES = (
    "chat/test_completions.py",
    "test_models.py",
    "test_completions.py",
    "test_embeddings.py",
    "test_responses.py",
)
# Tests "with all params" send values that no server takes, such as max_tokens = 0; path_params ask no server.
OPENAI_CHOSEN = "(create or (Models and (list or retrieve))) and not with_all_params and not path_params"
Suite = dict[str, list[str]]


def make_system() -> LocalSystem:
    """Random weights over bytes."""
    net = TransformerConfig(d_model=32, num_layers=2, num_heads=2)
    family = build_family(AutoregressiveConfig(net=net).resolve(depth=2, shape=SHAPE), shape=SHAPE, seed=1).eval()
    folder = Path(tempfile.mkdtemp())
    BytesCodec().save(folder)
    manifest = Manifest(model="a" * 64, codec="c" * 64)
    return LocalSystem(family, codec=BytesCodec(), manifest=manifest, codec_folder=folder)


def comply(python: str, form: str, address: str) -> Suite:
    """The report of llm-comply on one form."""
    program = Path(python).with_name("llm-comply")
    command = [str(program), "--format", form, "-u", address, "-k", "unused", "-m", MODEL, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    found: Suite = {"passed": [], "failed": [], "skipped": []}
    for one in json.loads(done.stdout)["results"]:
        why = f": {one['errors'][0]}" if one.get("errors") else ""
        found[one["status"]].append(one["id"] + (why if one["status"] != "passed" else ""))
    return found


def tests_of_openai(python: str, address: str, folder: Path) -> Suite:
    """What the package's own tests find, in the version that is installed there."""
    asked = "import importlib.metadata as m; print(m.version('openai'))"
    version = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
    download = ["-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation", "--no-binary", "openai"]
    subprocess.run([python, *download, f"openai=={version}", "-d", str(folder)], check=True)
    with tarfile.open(next(folder.glob("openai-*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    source = folder / f"openai-{version}"
    files = [f"tests/api_resources/{name}" for name in OPENAI_FILES]
    environment = {"TEST_API_BASE_URL": address}
    return by_pytest(python, ["-o", "addopts=", "-k", OPENAI_CHOSEN, *files], source, environment)


def by_pytest(python: str, words: list[str], folder: Path, environment: dict[str, str]) -> Suite:
    """What a run of pytest finds."""
    with tempfile.TemporaryDirectory() as scratch:
        found_at = Path(scratch) / "found.xml"
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={found_at}", *words]
        subprocess.run(
            command, cwd=folder, env={**os.environ, **environment}, check=False, timeout=1200, stdout=subprocess.DEVNULL
        )
        cases = list(ElementTree.parse(found_at).iter("testcase"))
    found: Suite = {"passed": [], "failed": [], "skipped": []}
    for case in cases:
        name = f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}"
        bad = [one for one in case if one.tag in ("failure", "error")]
        if bad:
            found["failed"].append(f"{name}: {(bad[0].get('message') or '').splitlines()[0][:160]}")
        else:
            found["skipped" if case.find("skipped") is not None else "passed"].append(name)
    return found


def langchain(python: str, address: str) -> Suite:
    """The standard tests of a chat model, with the settings of `langchain_standard.py`."""
    session = ("asyncio_default_test_loop_scope", "asyncio_default_fixture_loop_scope")
    options = [word for name in session for word in ("-o", f"{name}=session")]
    test = str(Path(__file__).with_name("langchain_standard.py"))
    words = ["-o", "asyncio_mode=auto", *options, "-p", "no:codspeed", test]
    return by_pytest(python, words, Path(__file__).parent, {"SERVED_URL": address, "SERVED_NAMES": f"{MODEL} {DIGEST}"})


LLM_CASES = {
    "a prompt, streamed": ["Say hi"],
    "a prompt, whole": ["Say hi", "--no-stream"],
    "a system prompt and options": ["Say hi", "-s", "Be brief", "-o", "max_tokens", "9", "-o", "temperature", "0"],
    "a conversation goes on": ["And then?", "-c"],
    "a schema": ["A dog", "--schema", "name, breed", "--no-stream"],
    "tools": ["What is it?", "-T", "llm_version", "--no-stream"],
}


def by_llm(python: str, address: str) -> Suite:
    """What the command does with the server as one of its models."""
    found: Suite = {"passed": [], "failed": [], "skipped": []}
    with tempfile.TemporaryDirectory() as folder:
        model = {
            "model_id": "here",
            "model_name": MODEL,
            "api_base": address,
            "supports_tools": True,
            "supports_schema": True,
        }
        (Path(folder) / "extra-openai-models.yaml").write_text(json.dumps([model]))  # JSON is YAML
        environment = {**os.environ, "LLM_USER_PATH": folder, "OPENAI_API_KEY": "unused"}
        for name, words in LLM_CASES.items():
            command = [str(Path(python).with_name("llm")), "prompt", *words, "-m", "here"]
            done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
            right = done.returncode == 0 and (name != "a schema" or list(json.loads(done.stdout)) == ["name", "breed"])
            why = (done.stderr.strip().splitlines() or [done.stdout[:160]])[-1]
            found["passed" if right else "failed"].append(name if right else f"{name}: {why}")
    return found


def main() -> None:
    """Each suite once."""
    torch.set_num_threads(1)
    python = str(Path(sys.argv[1]).absolute())
    found: dict[str, Suite] = {}
    system, _ = engines.make_system()
    system.sampling = SamplingConfig(temperature=0.0)  # so that the figure repeats
    with serving(system) as address:
        for form in FORMS:
            found[f"llm-comply {form}"] = comply(python, form, address)
        found["langchain-tests, ChatOpenAI"] = langchain(python, address)
        found["llm"] = by_llm(python, address)
    with tempfile.TemporaryDirectory() as folder, serving(make_system(), any_name=True) as address:
        found["openai's own tests"] = tests_of_openai(python, address, Path(folder))
    rows = []
    for name, suite in found.items():
        total = len(suite["passed"]) + len(suite["failed"])
        rows.append({"what": name, "value": len(suite["passed"]), "unit": f"of {total} that apply"})
    report.write(
        "conformance", title="Conformance of the server", command="python bench/conformance.py PYTHON", rows=rows,
        libraries=("fastapi", "uvicorn"), suites=found,
    )  # fmt: skip


if __name__ == "__main__":
    main()
