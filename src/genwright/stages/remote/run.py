"""The remote stage: asks the server once, and keeps where it is."""

from __future__ import annotations

import time
from typing import Any

from genwright.core import ClaimDraft, Context, Derivation, Produced, StageResult
from genwright.measure import write_scores
from genwright.modalities.text.bytes import BytesCodec
from genwright.stages.remote.config import RemoteConfig
from genwright.systems import Manifest
from genwright.systems.http import RemoteSettings, write_remote
from genwright.systems.http.settings import UNPINNED
from genwright.systems.http.system import HttpSystem

NOWHERE = "0" * 64


def run(config: RemoteConfig, context: Context, /) -> StageResult:
    """Where the model is, and what a first answer took; the codec counts bytes, since the tokenizer is unknown.

    Raises:
        RemoteError: the server does not answer.
        CapabilityError: it refuses the request.
    """
    settings = RemoteSettings(**config.model_dump())
    system = HttpSystem(settings, manifest=Manifest(backend="http", model=NOWHERE, codec=NOWHERE))
    asked = system.request((("user", "Say yes."),), max_tokens=4, sampling={"temperature": 0.0})
    begin = time.monotonic()
    system.generate([asked])
    spent = system.client.spent
    row: dict[str, Any] = {
        "id": "probe",
        "seconds": time.monotonic() - begin,
        "retries": spent.retries,
        "price": spent.price(settings),
    }
    write_remote(settings, folder=context.folder("model"))
    BytesCodec().save(context.folder("codec"))
    write_scores(context.folder("remote_scores"), {name: [value] for name, value in row.items()})
    kinds = {"model": "model", "codec": "codec", "remote_scores": "scores"}
    return StageResult({slot: Produced(kind, context.scratch / slot) for slot, kind in kinds.items()}, CLAIMS)


CLAIMS = tuple(
    ClaimDraft("model", metric, unit, "remote_scores", Derivation("max", {"value": column}), label=UNPINNED)
    for metric, unit, column in (
        ("probe_seconds", "s", "seconds"), ("probe_retries", "1", "retries"), ("probe_price", "currency", "price"),
    )
)  # fmt: skip
