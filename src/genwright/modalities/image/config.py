"""Settings of the image modality, importable at planning: pydantic only."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from genwright.core import Component, Config, ModalityComponent
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.image.attributes import refuse_others


class ImageSourceConfig(FilesConfig):
    """Where pictures come from.

    `format` follows from the names of the files where it is `auto`: PNG and JPEG files, Parquet with a column of
    picture bytes, IDX (`...images-idx3-ubyte`, with the `...labels-idx1-ubyte` beside it), CSV with one picture of grey
    levels a line and the label last, a font with colour bitmaps (.ttf), DICOM (.dcm).

    All pictures come out in one `size` (height and width, or one number for both; that of the first picture where it is
    left open). A picture of another size is an error, unless `resize` is `stretch` or `letterbox`. `mode` is grey, rgb,
    or that of the first picture. What is transparent shows `background`.

    `labels = "folder"` makes the parent folder's name the label; otherwise a label is there where the file has one,
    with `classes` naming labels that are numbers. `captions` is the name of a CSV file among the files, whose column
    `file` names a picture and whose other columns go along with it. Of Parquet all plain columns go along,
    `image_column` holds the pictures and `group_column` says which stay in one split. Of DICOM the attributes
    `dicom_columns` go along, such as `Modality` and `PatientSex`; none that may say who a person is. `split` puts the
    whole source into one split. A file that claims more than `max_pixels` is not unpacked.
    """

    format: Literal["auto", "pictures", "parquet", "idx", "csv", "emoji", "dicom"] = "auto"
    size: int | tuple[int, int] | None = None
    resize: Literal["refuse", "stretch", "letterbox"] = "refuse"
    mode: Literal["auto", "grey", "rgb"] = "auto"
    background: str = Field(default="#ffffff", pattern=r"^#[0-9a-fA-F]{6}$")
    labels: Literal["auto", "folder"] = "auto"
    classes: tuple[str, ...] = ()
    captions: str = "captions.csv"
    image_column: str = "image"
    group_column: str | None = None
    dicom_columns: tuple[str, ...] = ()
    split: Literal["train", "validation", "test"] | None = None
    max_pixels: int = Field(default=50_000_000, ge=1)

    @field_validator("dicom_columns")
    @classmethod
    def _columns_say_not_who(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        refuse_others(names)
        return names

    @model_validator(mode="after")
    def _attributes_are_of_dicom(self) -> Self:
        if self.dicom_columns and self.format not in ("auto", "dicom"):
            raise ValueError(f"dicom_columns are read from DICOM, and format = '{self.format}'")
        return self


class RestorationConfig(Config):
    """What is done to the first `pictures` held-out pictures, for the system to undo.

    `noise` is the deviation of what is added, in parts of the range of levels (0: none is), `scale` how often smaller
    they are made (1: they are not).
    """

    pictures: int = Field(default=200, ge=10)
    noise: float = Field(default=0.15, ge=0.0, le=1.0)
    scale: Literal[1, 2, 4] = 2


class ImageMetricsConfig(Config):
    """How samples are measured. More than `max_rows` of a set are not looked at.

    Features are those of a small net, which is trained on the train split in `net_steps` steps of `net_rows` pictures:
    to tell the column `label`, else the words of the column `caption`, else by how many quarters a picture is turned.
    `net_seed` is its own seed, so that runs with different seeds are measured alike. With `net = "mobilenet-v2"`
    features are those of a net that was trained on ImageNet, whose weights `net_weights` names
    (`package:NAME==VERSION!FILE.pth` or an absolute path); what is shown is still told by the small one.
    `folds` are those of the two-sample test on features. `choices` is how many captions a picture is matched
    with, `resamples` how often a Fréchet distance is drawn again for its interval. With `restoration` damaged pictures
    are restored too, which families that cannot refuse.
    """

    max_rows: int = Field(default=2000, ge=10)
    label: str = "label"
    caption: str = "caption"
    net: Literal["small-net", "mobilenet-v2"] = "small-net"
    net_weights: str | None = Field(default=None, pattern="^(package:|deb:|/)")
    net_steps: int = Field(default=300, ge=1)
    net_rows: int = Field(default=128, ge=2)
    net_seed: int = 0
    folds: int = Field(default=3, ge=2, le=50)
    choices: int = Field(default=10, ge=2, le=1000)
    resamples: int = Field(default=100, ge=20, le=10_000)
    restoration: RestorationConfig | None = None

    @model_validator(mode="after")
    def _weights_are_named(self) -> Self:
        if (self.net == "mobilenet-v2") != (self.net_weights is not None):
            raise ValueError("net = 'mobilenet-v2' and net_weights go together")
        return self


class GridConfig(Config):
    """A picture as it is: channels, rows and columns of levels, scaled to [-1, 1]."""

    kind: Literal["image-grid"] = "image-grid"


class LevelsConfig(Config):
    """A picture of at most `side` pixels a side as a sequence of cells, each one of `levels` even grey levels."""

    kind: Literal["image-levels"] = "image-levels"
    levels: int = Field(default=8, ge=2, le=16)
    side: int = Field(default=14, ge=2, le=64)


IMAGE = ModalityComponent(
    "image",
    ImageSourceConfig,
    "genwright.modalities.image.modality:ImageModality",
    accepts=("grid", "tokens"),
    extra="image",
    codecs={"grid": "image-grid", "tokens": "image-levels"},
    metrics=ImageMetricsConfig,
    baselines=(("pca-mixture", "image-grid"),),
)
GRID = Component(
    "image-grid",
    GridConfig,
    "genwright.modalities.image.grid:GridCodec",
    accepts=("grid",),
    extra="image",
    modalities=("image",),
)
LEVELS = Component(
    "image-levels",
    LevelsConfig,
    "genwright.modalities.image.levels:LevelsCodec",
    accepts=("tokens",),
    extra="image",
    modalities=("image",),
    layout=True,
)
