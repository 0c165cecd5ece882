"""Questions that a language model writes on chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from genwright.core import Context
from genwright.families import SamplingConfig
from genwright.modalities.document.asking import asked, asking
from genwright.modalities.document.document import Document
from genwright.modalities.document.questions import Question
from genwright.systems import Manifest, backend_of, load_system, write_manifest
from genwright.systems.batches import complete
from genwright.systems.retrieval.index import Index

PER_CHUNK, MAX_TOKENS = 2, 80


def written_by_model(num: int, documents: Mapping[str, Document], index: Index, context: Context, /) -> list[Question]:
    """What the project's model asks about so many chunks, drawn at random; what is no question is left out."""
    total = index.snapshot.facts.num_chunks
    order = np.random.default_rng(context.seed_for("asked chunks")).permutation(total)[:num]
    chunks = [index.snapshot.chunk(row)[0] for row in sorted(order.tolist())]
    chats = [asking(documents[chunk.document], chunk, num=PER_CHUNK) for chunk in chunks]
    made = complete(
        _system(context),
        [tuple((one["role"], one["content"]) for one in chat) for chat in chats],
        max_tokens=MAX_TOKENS,
        seeds=[context.seed_for(f"questions {chunk.id}") for chunk in chunks],
        progress=context.progress,
        title=f"have questions written on {len(chunks)} chunks",
    )
    return [
        question
        for chunk, answer in zip(chunks, made, strict=True)
        for question in asked(answer.text, documents[chunk.document], chunk)
    ]


def _system(context: Context) -> Any:
    model, codec = context.inputs["model"], context.inputs["codec"]
    folder = context.folder("asking")
    manifest = Manifest(
        backend=backend_of(model.path),
        modality="chat",
        model=model.digest,
        codec=codec.digest,
        sampling=SamplingConfig(temperature=0.7, top_p=0.9),
    )
    write_manifest(manifest, folder=folder)
    paths = {artifact.digest: artifact.path for artifact in context.inputs.values()}
    return load_system(folder, locate=paths.__getitem__, device=context.device)
