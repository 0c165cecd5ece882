"""What samples are conditioned on: columns of the dataset as one vector per sample, fitted on the train split."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genwright.core import DataError, SpecError
from genwright.core.digest import canonical_json
from genwright.modalities.conditioning import ConditionConfig

NAME = "condition.json"
MOST_CATEGORIES = 1000
_WORD = re.compile(r"[^\W_]+")


class _Column:
    """One fitted column: how a value becomes entries of the vector."""

    def __init__(self, config: ConditionConfig, facts: Mapping[str, Any]) -> None:
        self.config, self.facts = config, dict(facts)
        self._place = {value: at for at, value in enumerate(self.facts.get("values", ()))}

    @property
    def width(self) -> int:
        return 1 if self.config.kind == "number" else len(self._place)

    def encode(self, values: Sequence[Any]) -> NDArray[np.float32]:
        """(n, width); a row of NaN where the value is null or a number that is not finite."""
        out = np.zeros((len(values), self.width), dtype=np.float32)
        for row, value in enumerate(values):
            if value is None:
                out[row] = np.nan
            elif self.config.kind == "number":
                number = self._number(value)
                out[row] = (number - self.facts["mean"]) / self.facts["scale"] if isfinite(number) else np.nan
            else:
                for name in self._names(value):
                    if name in self._place:
                        out[row, self._place[name]] = 1.0
        return out

    def seen(self, values: Sequence[Any]) -> list[Any]:
        """The values, null where it is a category that the train split has not."""
        if self.config.kind != "category":
            return list(values)
        return [value if value is not None and str(value) in self._place else None for value in values]

    def tells(self, value: Any) -> bool:
        """Whether anything is known of that value: of a caption, one of its words."""
        return self.config.kind != "words" or value is None or any(word in self._place for word in words_of(str(value)))

    def _number(self, value: Any) -> float:
        try:
            return float(value)
        except (TypeError, ValueError):
            raise DataError(
                f"column '{self.config.column}' is conditioned on as a number, and {value!r} is none",
                hint=f"give a number, such as {self.facts['mean']:.3g}, the mean of the train split",
            ) from None

    def _names(self, value: Any) -> Sequence[str]:
        if self.config.kind == "words":
            return words_of(str(value))
        if str(value) not in self._place:
            known = ", ".join(list(self._place)[:20])
            raise DataError(f"column '{self.config.column}' has no category {value!r} (known: {known})")
        return (str(value),)


class Conditioner:
    """The columns that samples are conditioned on. A sample's vector is NaN where nothing is known of it."""

    def __init__(self, columns: Sequence[_Column]) -> None:
        self._columns = columns

    @property
    def size(self) -> int:
        """Entries of the vector."""
        return sum(column.width for column in self._columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(column.config.column for column in self._columns)

    def categories(self, name: str, /) -> tuple[str, ...]:
        """The categories of a column; none for a number."""
        return next(tuple(c.facts.get("values", ())) for c in self._columns if c.config.column == name)

    @classmethod
    def fit(cls, configs: Sequence[ConditionConfig], *, rows: Iterable[pa.Table]) -> Self:
        """Categories, means and words of the train split.

        Raises:
            SpecError: a column is not there, is empty, is no number, or has too many categories.
        """
        gathered = [_Gathered(config) for config in configs]
        for table in rows:
            for one in gathered:
                one.take(table)
        return cls([one.column() for one in gathered])

    def encode(self, rows: pa.Table) -> NDArray[np.float32]:
        """(n, size); null cells are unknown, and so is a column that the table lacks."""
        parts = [
            column.encode(
                rows.column(column.config.column).to_pylist()
                if column.config.column in rows.column_names
                else [None] * len(rows)
            )
            for column in self._columns
        ]
        out = np.concatenate(parts, axis=1)
        unknown: NDArray[np.bool_] = np.isnan(out)
        # One column known is enough for a condition; what is unknown beside it counts as average.
        partly = np.logical_and(unknown.any(axis=1), ~unknown.all(axis=1))
        out[np.logical_and(partly[:, None], unknown)] = 0.0
        return out

    def check_asked(self, rows: pa.Table) -> None:
        """Passes where all that is asked for is known: columns that are these, and captions with a word of them.

        Raises:
            DataError: otherwise.
        """
        for name in rows.column_names:
            if name not in self.names:
                raise DataError(
                    f"this system is not conditioned on '{name}'", hint=f"it is conditioned on {', '.join(self.names)}"
                )
        for column in self._columns:
            name = column.config.column
            for value in rows.column(name).to_pylist() if name in rows.column_names else ():
                if not column.tells(value):
                    raise DataError(
                        f"column '{name}': no word of {value!r} is one that the system learnt",
                        hint=f"it learnt {self._some_words(name)}",
                    )

    def _some_words(self, name: str) -> str:
        words = self.categories(name)
        return f"{len(words):,} words, such as {', '.join(words[:: max(1, len(words) // 10)][:10])}"

    def seen(self, rows: pa.Table) -> pa.Table:
        """The rows, null where a category is none of the train split: of a class with one member it may hold none."""
        for column in self._columns:
            name = column.config.column
            if name in rows.column_names:
                place, cells = rows.column_names.index(name), rows.column(name)
                rows = rows.set_column(place, name, pa.array(column.seen(cells.to_pylist()), cells.type))
        return rows

    def save(self, folder: Path) -> None:
        """Writes `condition.json`."""
        body = [{"config": column.config.model_dump(mode="json"), "facts": column.facts} for column in self._columns]
        (folder / NAME).write_bytes(canonical_json(body))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        body = json.loads((folder / NAME).read_bytes())
        return cls([_Column(ConditionConfig.model_validate(one["config"]), one["facts"]) for one in body])


def words_of(text: str, /) -> list[str]:
    """The words of a caption, in lower case.

    >>> words_of("GRINNING FACE with-smile")
    ['grinning', 'face', 'with', 'smile']
    """
    return [word.lower() for word in _WORD.findall(text)]


class _Gathered:
    """What one column needs of the train split."""

    def __init__(self, config: ConditionConfig) -> None:
        self.config = config
        self.counts: Counter[str] = Counter()
        self.n, self.total, self.squares = 0, 0.0, 0.0

    def take(self, table: pa.Table) -> None:
        if self.config.column not in table.column_names:
            raise SpecError(
                f"fit.condition: the dataset has no column '{self.config.column}' "
                f"(it has: {', '.join(table.column_names)})"
            )
        values = [value for value in table.column(self.config.column).to_pylist() if value is not None]
        if self.config.kind == "number":
            self._add_numbers(values)
        elif self.config.kind == "words":
            self.counts.update(word for value in values for word in set(words_of(str(value))))
        else:
            self.counts.update(str(value) for value in values)

    def _add_numbers(self, values: Sequence[Any]) -> None:
        try:
            numbers = np.array([float(value) for value in values])
        except (TypeError, ValueError):
            raise SpecError(
                f"fit.condition: column '{self.config.column}' holds what is no number", hint="kind = 'category'"
            ) from None
        numbers = numbers[np.isfinite(numbers)]
        self.n += len(numbers)
        self.total += float(numbers.sum())
        self.squares += float((numbers**2).sum())

    def column(self) -> _Column:
        if not (self.n if self.config.kind == "number" else self.counts):
            raise SpecError(
                f"fit.condition: column '{self.config.column}' holds nothing that is known in the train split",
                hint="condition on another column",
            )
        if self.config.kind == "number":
            mean = self.total / max(self.n, 1)
            scale = max(self.squares / max(self.n, 1) - mean**2, 0.0) ** 0.5 or 1.0
            return _Column(self.config, {"mean": mean, "scale": scale})
        if self.config.kind == "words":
            ranked = sorted(self.counts, key=lambda word: (-self.counts[word], word))
            return _Column(self.config, {"values": sorted(ranked[: self.config.max_words])})
        if len(self.counts) > MOST_CATEGORIES:
            raise SpecError(
                f"fit.condition: column '{self.config.column}' has {len(self.counts):,} categories",
                hint="condition on a coarser column, or on its words (kind = 'words')",
            )
        return _Column(self.config, {"values": sorted(self.counts)})
