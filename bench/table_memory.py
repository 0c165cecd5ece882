"""Peak memory of each stage on a table of a million rows: `python bench/table_memory.py FOLDER`.

The table of recipe synthetic-patients is repeated, each time with people of their own and incomes moved a little, so
that no row is another's copy, and written as Parquet. Training is short: its memory does not grow with its length.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import genwright
import report
from genwright.modalities.table.config import TableSourceConfig
from genwright.modalities.table.reading import read_tables
from genwright.project.recipes import new_project

RECIPE = "synthetic-patients"
STAGES = ("data", "fit", "train", "evaluate")
SETTINGS = (
    "project.threads=1",
    "train.size=micro",
    "train.trainer.budget={steps=30}",
    "evaluate.num_samples=2000",
    "data.sources.0.path=rows.parquet",
)


def write_table(root: Path, *, num_rows: int) -> None:
    """`rows.parquet` in the project's folder, from the recipe's own source."""
    body = tomllib.loads((root / "genwright.toml").read_text())["data"]["sources"][0]
    source = TableSourceConfig.parse(body, where="bench")
    table = pa.concat_tables(one for one in read_tables(source, root=root) if isinstance(one, pa.Table))
    people, income = table.column("group").to_pylist(), table.column("income").to_numpy()
    rows = table.drop_columns(["id", "group", "income"])
    writer = None
    for turn in range(-(-num_rows // len(table))):
        own = rows.append_column("income", pa.array(income + 0.001 * turn))
        own = own.append_column("zper", pa.array([f"{turn}-{one}" for one in people]))
        own = own.slice(0, num_rows - turn * len(table))
        writer = writer or pq.ParquetWriter(root / "rows.parquet", own.schema)
        writer.write_table(own, row_group_size=1 << 16)
    assert writer is not None
    writer.close()
    text = (root / "genwright.toml").read_text().splitlines()
    kept = [line for line in text if not line.startswith(("sha256", "package_licence"))]
    (root / "genwright.toml").write_text("\n".join(kept) + "\n")


def main() -> None:
    """Measures and writes `bench/results/table_memory.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    root = arguments.folder
    shutil.rmtree(root, ignore_errors=True)
    new_project(RECIPE, root)
    write_table(root, num_rows=arguments.rows)
    rows = [stage_row(root, stage) for stage in STAGES]
    report.write(
        "table_memory",
        title=f"Peak memory of a table of {arguments.rows:,} rows and 24 columns, each stage a process of its own",
        command=f"python bench/table_memory.py build/table-memory --rows {arguments.rows}",
        rows=rows,
        libraries=("torch", "pyarrow"),
    )


def stage_row(root: Path, stage: str) -> dict[str, Any]:
    """Runs one stage and reads what it cost from the ledger."""
    words = [part for setting in SETTINGS for part in ("--set", setting)]
    subprocess.run([sys.executable, "-m", "genwright", "run", stage, *words], cwd=root, check=True, capture_output=True)
    cost = genwright.open(root).ledger.runs(stage=stage)[0]["cost"]
    note = f"{cost['cpu_s']:.0f} CPU-seconds; peak of the {cost['peak_memory_scope']}"
    peak = round(cost["peak_memory_bytes"] / 1e9, 2)
    print(f"{stage}: {peak} GB, {note}", flush=True)
    return {"what": stage, "value": peak, "unit": "GB", "goal": "under 2", "note": note}


if __name__ == "__main__":
    main()
