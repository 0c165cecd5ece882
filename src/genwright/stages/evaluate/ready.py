"""Whether the settings fit the samples, asked as soon as these are there."""

from pathlib import Path
from typing import Any

from genwright.core import modality_component
from genwright.modalities.dataset import read_rows
from genwright.stages.evaluate.config import RowEvaluateConfig
from genwright.stages.evaluate.fingerprint import fingerprint
from genwright.stages.evaluate.properties import check_columns


def ready(config: Any, dataset: Path, /, *, modality: str, root: Path) -> None:
    """Passes where metrics, properties and anomalies have what they name.

    Raises:
        DataError: a column or a file is not there, or holds what cannot be worked on.
    """
    if not isinstance(config, RowEvaluateConfig):
        return
    fingerprint(config, root)
    built = modality_component(modality).load()()
    if hasattr(built, "check_metrics"):
        train, test = (read_rows(dataset, split=split) for split in ("train", "test"))
        built.check_metrics(config.metrics, train=train, test=test)  # type: ignore[attr-defined]  # of each modality
    if config.properties is not None:
        check_columns(config.properties, read_rows(dataset, split="train", most=1), modality=built)
