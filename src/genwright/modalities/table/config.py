"""Settings of the table modality, importable at planning: pydantic only."""

from typing import Literal, Self

from pydantic import Field, model_validator

from genwright.core import Component, Config, ModalityComponent
from genwright.modalities.files.config import FilesConfig


class TableSourceConfig(FilesConfig):
    """Where rows come from: CSV or Parquet, one table in one or more files.

    `columns` are kept (all where it is empty) but those to `drop`; `id_column` names
    rows, `group_column` says which stay in one split, and both are left out of the sample. `missing` are the texts that
    stand for a missing cell. `dates` says how columns of dates or times are written that are not in ISO 8601, by the
    codes of strptime: `{ admitted = "%d.%m.%Y" }`. Without a `delimiter` it is a comma, and a tabulator in a file
    called .tsv.

    Made rows keep to three kinds of rule. `ordered`: lists of columns none of which is ever below the one before;
    `together`: lists of columns of which only combinations occur that the train split has; `keys`: columns that name a
    row, which are made anew.
    """

    format: Literal["auto", "csv", "parquet"] = "auto"
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    missing: tuple[str, ...] = ("", "NA", "NaN", "?")
    dates: dict[str, str] = Field(default_factory=dict)
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    id_column: str | None = None
    group_column: str | None = None
    ordered: tuple[tuple[str, ...], ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    keys: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _rules(self) -> Self:
        for name, groups in (("ordered", self.ordered), ("together", self.together)):
            short = next((group for group in groups if len(group) < 2), None)
            if short is not None:
                raise ValueError(f"{name}: {list(short)} names no two columns")
        named = [column for group in (*self.ordered, *self.together, self.keys) for column in group]
        twice = next((column for column in named if named.count(column) > 1), None)
        if twice is not None:
            raise ValueError(f"column '{twice}' is in two rules of ordered, together and keys; one can be kept to")
        return self


class TableMetricsConfig(Config):
    """`target` is a column that a model learns to predict, from synthetic rows and from as many real ones.

    Of two values (an AUC is reported), of 3 to 20 texts (the mean AUC of one against the rest) or of numbers (R
    squared). `subgroup` is a column of texts, or of at most 20 numbers, for whose values the same is reported too.
    `folds` are those of the two-sample test. More than `max_rows` rows of a set are not looked at.
    """

    target: str | None = None
    subgroup: str | None = None
    folds: int = Field(default=5, ge=2, le=50)
    max_rows: int = Field(default=5000, ge=10)

    @model_validator(mode="after")
    def _subgroup_of_a_target(self) -> Self:
        if self.subgroup is not None and self.target is None:
            raise ValueError("subgroup says for whom target is reported, and there is no target: name a column")
        return self


class BinsConfig(Config):
    """A number with at most `max_levels` values is one token, a richer one a quantile bin and a place in it.

    Texts are one token each; those beyond the most frequent `max_categories`, or of fewer than three groups, share one.
    A number that follows from one or two others is told beside what follows from them, unless `relations` is "off".
    """

    kind: Literal["table-bins"] = "table-bins"
    relations: Literal["auto", "off"] = "auto"
    max_levels: int = Field(default=64, ge=2, le=1024)
    sub_levels: int = Field(default=32, ge=2, le=1024)
    max_categories: int = Field(default=200, ge=2, le=10_000)


class VectorConfig(Config):
    """A number is one entry, normal by its train quantiles; few values, texts, spikes and missing cells are one-hot.

    Numbers of at most `max_levels` values count as few; richer ones come back as one of about `max_atoms` values and
    ranges. Texts beyond the most frequent `max_categories`, or of fewer than three groups, share an entry.
    """

    kind: Literal["table-vector"] = "table-vector"
    relations: Literal["auto", "off"] = "auto"
    max_levels: int = Field(default=12, ge=2, le=1024)
    max_categories: int = Field(default=50, ge=2, le=10_000)
    max_atoms: int = Field(default=1536, ge=2, le=65_536)


TABLE = ModalityComponent(
    "table",
    TableSourceConfig,
    "genwright.modalities.table.modality:TableModality",
    accepts=("tokens", "vector"),
    extra="data",
    codecs={"tokens": "table-bins", "vector": "table-vector"},
    codec_for={"gan": "table-bins"},
    metrics=TableMetricsConfig,
    baselines=(("latent-class", "table-bins"), ("cart", "table-bins")),
)
BINS = Component(
    "table-bins",
    BinsConfig,
    "genwright.modalities.table.bins:BinsCodec",
    accepts=("tokens",),
    extra="data",
    modalities=("table",),
    layout=True,
    own_ids=True,
)
VECTOR = Component(
    "table-vector",
    VectorConfig,
    "genwright.modalities.table.vector:VectorCodec",
    accepts=("vector",),
    extra="data",
    modalities=("table",),
)
