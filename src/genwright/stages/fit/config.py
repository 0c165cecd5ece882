"""Declaration of the fit stage."""

from typing import Any

from pydantic import Field

from genwright.core import Config, StageSpec, component_field

_Codec: Any = component_field("codecs")


class FitConfig(Config):
    """Which codec turns samples into what the model sees."""

    codec: _Codec = Field(default="bpe", validate_default=True)


STAGE = StageSpec(
    name="fit",
    order=20,
    version="1",
    config=FitConfig,
    run="genwright.stages.fit.run:run",
    inputs=("dataset",),
    outputs={"codec": "codec", "codec_scores": "scores"},
    libraries=("tokenizers", "numpy", "pyarrow"),
    extra="train",
)
