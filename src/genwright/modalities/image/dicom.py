"""Medical images: grey levels by their window, and of who they are of nothing but which belong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from genwright.core import DataError
from genwright.core.protocols import Unreadable
from genwright.modalities.files.sources import SourceFile
from genwright.modalities.image.config import ImageSourceConfig
from genwright.modalities.image.folder import captions_of, others_of
from genwright.modalities.image.frame import Frame
from genwright.modalities.image.identity import columns_of, naming_words, refuse_identifying, refuse_named_after
from genwright.modalities.image.shot import Shot

_BROKEN = (
    InvalidDicomError,
    OSError,
    AttributeError,
    ValueError,
    TypeError,
    KeyError,
    NotImplementedError,
    RuntimeError,
)


def read_dicom(files: Sequence[SourceFile], source: ImageSourceConfig, frame: Frame) -> Iterator[Shot | Unreadable]:
    """A row per frame. Patients are numbered in the order of their first file, and images in that of the files.

    Names of files are not kept; of their fields those in `dicom_columns`, and of folders the name where it is the
    label. Images of one patient must be in one source, or a patient could be in two splits. An image that says that it
    has text burned in cannot be read.

    Raises:
        DataError: a file cannot be read, or may show who it is of; its folder, or a column of captions, is named so.
    """
    told, names = captions_of(files, source)
    refuse_identifying(names, source)
    patients: dict[str, str] = {}
    scans = (file for file in files if PurePosixPath(file.name).name != source.captions)
    for at, file in enumerate(scans, start=1):
        name = f"{source.label}: file {at}"
        try:
            scan = _scan(file.path, source)
            others = {**scan.columns, **others_of(file, source, told, names)}
        except DataError as error:
            if source.on_error == "fail":
                raise
            yield Unreadable(name, "unreadable", error.message)
            continue
        if source.labels == "folder":
            refuse_named_after(scan.naming, label=others["label"], name=name)
        group = patients.setdefault(scan.patient or name, f"{source.label}: patient {len(patients) + 1}")
        for number, levels in enumerate(scan.frames, start=1):
            own = f"{name}, frame {number}"
            yield Shot(own, group, frame.of_array(levels, name=str(file.path)), others)


@dataclass(frozen=True)
class _Scan:
    """A file: its frames, what may go along with them, and what may not."""

    frames: list[NDArray[np.uint8]]
    columns: dict[str, Any]
    patient: str
    naming: dict[str, frozenset[str]]


def _scan(path: Path, source: ImageSourceConfig) -> _Scan:
    try:
        data = dcmread(path)
        if str(data.get("BurnedInAnnotation", "NO")).upper() == "YES":
            raise DataError(
                f"{path} says that it has text burned in, which may name the patient",
                hint="exclude it, or clean it and correct BurnedInAnnotation",
            )
        if int(data.get("SamplesPerPixel", 1)) != 1:
            raise DataError(f"{path} is in colour; grey images are read", hint="exclude it")
        pixels = data.pixel_array
        frames = [_levels(one, data) for one in (pixels if pixels.ndim == 3 else pixels[None])]
        columns = columns_of(data, source.dicom_columns, path=path)
        return _Scan(frames, columns, str(data.get("PatientID", "")), naming_words(data))
    except _BROKEN as error:
        raise DataError(
            f"{path} cannot be read as DICOM ({error})", hint="exclude it, or set on_error = 'drop'"
        ) from None


def _levels(pixels: NDArray[Any], data: Dataset) -> NDArray[np.uint8]:
    """8 bits: through the file's window where it has one, else from the smallest value to the largest."""
    values = np.asarray(apply_voi_lut(apply_modality_lut(pixels, data), data), dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    if "WindowWidth" in data and not ("VOILUTSequence" in data or "ModalityLUTSequence" in data):
        low, high = _output_range(data)
    shares = np.clip((values - low) / max(high - low, 1e-12), 0.0, 1.0)
    if data.get("PhotometricInterpretation") == "MONOCHROME1":
        shares = 1.0 - shares
    return np.round(shares * 255.0).astype(np.uint8)


def _output_range(data: Dataset) -> tuple[float, float]:
    """What a window maps black and white to: the values that the stored bits can hold, rescaled."""
    bits = int(data.BitsStored)
    signed = bool(int(data.get("PixelRepresentation", 0)))
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    slope, intercept = float(data.get("RescaleSlope", 1) or 1), float(data.get("RescaleIntercept", 0) or 0)
    low, high = sorted(end * slope + intercept for end in ends)
    return low, high
