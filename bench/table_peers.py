"""One run of a peer over a table, in a process of its own, by the interpreter that `tables.py` is told.

    PEERS/bin/python table_peers.py NAME TRAIN.csv ROWS SEED OUT.csv [SECONDS]

Peers are at their documented defaults. Prints one line of JSON: the CPU seconds of fitting.
"""

from __future__ import annotations

import json
import random
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SDV = {
    "SDV CTGAN": "CTGANSynthesizer",
    "SDV TVAE": "TVAESynthesizer",
    "SDV GaussianCopula": "GaussianCopulaSynthesizer",
}


def spent() -> float:
    """CPU seconds of this process and of those that it started."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def sdv(name: str, train: pd.DataFrame, n: int) -> tuple[pd.DataFrame, float]:
    """A synthesizer of SDV with the metadata that it detects."""
    from sdv import single_table
    from sdv.metadata import Metadata

    metadata = Metadata.detect_from_dataframes({"t": train})
    for column in train:  # what has few values is no identifier
        if metadata.tables["t"].columns[column]["sdtype"] in ("id", "unknown"):
            kind = "numerical" if pd.api.types.is_numeric_dtype(train[column]) else "categorical"
            metadata.update_column(column_name=column, sdtype=kind, table_name="t")
    metadata.tables["t"].primary_key = None
    kind = getattr(single_table, SDV[name])
    settings: dict[str, Any] = {} if name == "SDV GaussianCopula" else {"enable_gpu": False}
    model, began = kind(metadata, **settings), spent()
    model.fit({"t": train})
    seconds = spent() - began
    return model.sample(n)["t"], seconds


def argn(train: pd.DataFrame, n: int, seconds: float) -> tuple[pd.DataFrame, float]:
    """TabularARGN of mostlyai-engine, medium, for so many minutes of the clock; its defaults else."""
    import tempfile

    from mostlyai.engine import TabularARGN

    with tempfile.TemporaryDirectory() as folder:
        model = TabularARGN(max_training_time=seconds / 60, workspace_dir=folder, verbose=0)
        began = spent()
        model.fit(train)
        done = spent() - began
        return model.sample(n_samples=n), done


def main() -> None:
    """Fit, draw, write."""
    name, source, rows, seed, target = sys.argv[1:6]
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(int(seed))
    np.random.seed(int(seed))
    random.seed(int(seed))
    train = pd.read_csv(source)
    if name in SDV:
        made, seconds = sdv(name, train, int(rows))
    else:
        made, seconds = argn(train, int(rows), float(sys.argv[6]))
    made[train.columns.tolist()].to_csv(Path(target), index=False)
    print(json.dumps({"cpu_s": round(seconds, 1)}))


if __name__ == "__main__":
    main()
