"""Settings and declaration of the release stage."""

from pydantic import Field

from genwright.core.config import Config
from genwright.core.stage import StageSpec


class ReleaseConfig(Config):
    """What a release says of itself; its numbers come from claims alone.

    `policy` is a TOML file in the project folder; `license` and `language` are the codes of the
    Hugging Face model card.
    """

    policy: str = "policy.toml"
    title: str = ""
    summary: str = ""
    license: str = "other"
    language: tuple[str, ...] = ("en",)
    intended_use: str = "Not stated."
    out_of_scope: str = "Not stated."
    limitations: str = "Not stated."
    tags: tuple[str, ...] = Field(default=("genwright",))


PARTS = (
    *("model", "model:base", "model:train", "model:prune", "model:adapt", "model:compress"),
    *("codec", "prompt", "index", "encoder", "grounding"),
)
"""Slots of what a system may be made of; its manifest says which of them it is."""

STAGE = StageSpec(
    name="release",
    order=90,
    version="3",
    config=ReleaseConfig,
    run="genwright.stages.release.run:run",
    inputs=("system", "scores", "dataset"),
    optional=(*PARTS, "data_scores", "codec_scores", "training_log", "samples", "generation_scores"),
    outputs={"release": "release"},
    fixed="genwright.stages.release.policy:read_policy",
    judges=True,
)
