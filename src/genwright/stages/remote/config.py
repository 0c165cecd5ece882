"""Settings and declaration of the remote stage. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping

from genwright.core import CapabilityError, Config, SpecError, StageSpec, modality_component
from genwright.systems.http.settings import RemoteSettings

OTHERS = ("base", "fit", "train", "adapt", "prune", "compress", "parity")


class RemoteConfig(RemoteSettings):
    """The server and the model there."""


def check(configs: Mapping[str, Config], modality: str) -> None:
    """Passes where answers are asked for, and nothing makes or changes a model here.

    Raises:
        CapabilityError: the modality needs likelihoods, which a server does not give.
        SpecError: another section makes a model.
    """
    if not modality_component(modality).answers:
        raise CapabilityError(
            f"[remote] answers questions and gives no likelihoods, and project.modality is '{modality}'",
            hint="project.modality = 'chat'",
        )
    beside = [f"[{name}]" for name in OTHERS if name in configs]
    if beside:
        raise SpecError(f"[remote] has its model elsewhere, and {', '.join(beside)} work on one here")


STAGE = StageSpec(
    name="remote",
    order=15,
    version="1",
    config=RemoteConfig,
    run="genwright.stages.remote.run:run",
    inputs=(),
    outputs={"codec": "codec", "model": "model", "remote_scores": "scores"},
    check="genwright.stages.remote.config:check",
    extra="train",
)
