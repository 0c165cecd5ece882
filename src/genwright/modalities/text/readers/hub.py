"""A Hugging Face dataset through the `datasets` library, streamed; the extra `hf`."""

from collections.abc import Iterator
from pathlib import Path

from genwright.core import DataError
from genwright.core.registry import load_reference
from genwright.modalities.text.config import SourceConfig
from genwright.modalities.text.readers.fields import record_of
from genwright.modalities.text.records import Record, UnreadableError
from genwright.modalities.text.sources import HUB, hub_folder


def read_hub(source: SourceConfig, *, root: Path) -> Iterator[Record | UnreadableError]:
    """One document per row of the named split, in the order of the dataset.

    Raises:
        DataError: the dataset, its subset or its split cannot be loaded.
    """
    load_dataset = load_reference("datasets:load_dataset", extra="hf")
    folder = hub_folder(source, root=root)
    name = source.path.removeprefix(HUB) if folder is None else str(folder)
    try:
        rows = iter(load_dataset(name, source.subset, split=source.split, revision=source.revision, streaming=True))
        for number, row in enumerate(rows):
            yield record_of(row, source=source, where=f"{source.path}, row {number}", key=str(number))
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{source.path} cannot be loaded ({type(error).__name__}: {error})",
            hint="check the name, subset, split and revision; a name on the hub needs the network",
        ) from None
