"""The house rules that a machine can check: sizes, walls, doors, start-up imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
FORBIDDEN_STEMS = {"utils", "common", "helpers", "misc"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT / "src")))
def test_sizes_and_names(path):
    text = path.read_text()
    assert text.count("\n") <= 500, "a file never passes 500 lines"
    assert path.stem not in FORBIDDEN_STEMS
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 50, f"{node.name} passes 50 lines"


@pytest.mark.parametrize(
    "path", [p for p in SOURCES if p.name == "__init__.py" and p.parent.name != "genwright"], ids=str
)
def test_doors_hold_imports_only(path):
    for node in ast.parse(path.read_text()).body:
        is_all = isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
        is_doc = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        assert is_all or is_doc or isinstance(node, ast.Import | ast.ImportFrom), ast.unparse(node)


@pytest.mark.slow
def test_walls():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def loaded(code, *, cwd=ROOT):
    """The top-level modules loaded after `code`, and its output."""
    script = f"import sys\ntry:\n    {code}\nexcept SystemExit as e:\n    assert not e.code, e.code\n"
    script += "print('MODULES', *sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


HEAVY = {"torch", "numpy", "fastapi", "transformers", "scipy", "pyarrow"}


def test_help_loads_next_to_nothing():
    modules = loaded("from genwright.cli.main import main; main(['--help'])")
    assert not modules & (HEAVY | {"rich", "pydantic", "sqlite3"})


@pytest.mark.parametrize("room", ["core", "ledger", "project", "cli.main", "cli.life", "cli.evidence"])
def test_planning_rooms_load_nothing_heavy(room):
    assert not loaded(f"import genwright.{room}") & HEAVY


@pytest.mark.parametrize("command", [["plan"], ["status"], ["claims"], ["plan", "--json"]])
def test_reading_commands_load_nothing_heavy(command, tmp_path):
    spec = (ROOT / "recipes" / "python-prose" / "genwright.toml").read_text()
    (tmp_path / "genwright.toml").write_text(spec)
    (tmp_path / "policy.toml").write_text((ROOT / "recipes" / "python-prose" / "policy.toml").read_text())
    assert not loaded(f"from genwright.cli.main import main; main({command!r})", cwd=tmp_path) & HEAVY
