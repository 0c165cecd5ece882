"""What a DICOM file says beside its picture, and how nothing of it says who a person is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_dict
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from genwright.core import DataError
from genwright.modalities.image.attributes import allowed
from genwright.modalities.image.config import ImageSourceConfig

MOST_YEARS = 90.0  # older than 89 is one group: 45 CFR 164.514(b)(2)(i)(C)
_YEARS: Mapping[str, float] = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
_IDENTIFYING = ("PN", "UI", "DA", "DT", "TM")  # value representations: names, unique ids, dates and times
_NAMING = ("PatientID", "PatientName", "OtherPatientIDs", "AccessionNumber", "StudyID", "PatientBirthDate")
FEWEST_LETTERS = 3  # what is shorter meets a class by chance
_WORD = re.compile(r"[^\W_]+")


def columns_of(data: Dataset, names: Sequence[str], /, *, path: Path) -> dict[str, Any]:
    """The attributes `names` of a file; None where it does not have one. Several texts are joined by a backslash.

    Raises:
        DataError: a number is none.
    """
    return {name: _value(data, name, path) for name in names}


def _value(data: Dataset, name: str, path: Path) -> str | float | None:
    found = data.get(name)
    if found is None or found == "":
        return None
    if allowed()[name] == "text":
        return "\\".join(map(str, found)) if isinstance(found, MultiValue) else str(found).strip()
    try:
        return _years(str(found)) if name == "PatientAge" else float(found)
    except (TypeError, ValueError, KeyError):
        raise DataError(
            f"{name} of {path} holds {str(found)!r}, which is no number",
            hint="exclude the file, set on_error = 'drop', or take it out of dicom_columns",
        ) from None


def _years(text: str) -> float:
    """The years of an age such as `045Y` or `006M`, at most 90."""
    return min(float(text[:-1]) * _YEARS[text[-1]], MOST_YEARS)


def refuse_identifying(names: Iterable[str], source: ImageSourceConfig, /) -> None:
    """Passes where no column of the captions is called as an attribute that says who a person is, in any spelling.

    Raises:
        DataError: one is, or is among `dicom_columns`, too.
    """
    keywords = {keyword.casefold(): keyword for keyword in keyword_dict}
    for name in names:
        if name in source.dicom_columns:
            raise DataError(
                f"column '{name}' is in {source.captions} and in dicom_columns", hint="take one of them out"
            )
        keyword = keywords.get("".join(_WORD.findall(name)).casefold())
        if keyword is None or keyword in allowed():
            continue
        if dictionary_VR(keyword) in _IDENTIFYING or "Patient" in keyword or keyword in _NAMING:
            raise DataError(
                f"{source.captions} has the column '{name}', which may say who a person is ({keyword})",
                hint="take it out of that file; images of one patient are kept together without it",
            )


def naming_words(data: Dataset, /) -> dict[str, frozenset[str]]:
    """The words by which a file names patient and study, by attribute; of the patient's name those of the family."""
    found = {}
    for attribute in _NAMING:
        text = str(data.get(attribute, "") or "")
        words = frozenset(_words(text.partition("^")[0] if attribute == "PatientName" else text))
        if sum(map(len, words)) >= FEWEST_LETTERS:
            found[attribute] = words
    return found


def refuse_named_after(naming: Mapping[str, frozenset[str]], /, *, label: str, name: str) -> None:
    """Passes where the folder that gives the label is not named after the patient or the study.

    Raises:
        DataError: it is.
    """
    own = set(_words(label))
    for attribute, words in naming.items():
        if words <= own:
            raise DataError(
                f"{name} lies in a folder that is named like its {attribute}, and labels are folders",
                hint="name folders after classes, or leave labels = 'folder' out",
            )


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]
