"""A system that answers from documents: search, answer, check, or say that it does not know."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from genwright.core import GenwrightError, load_reference
from genwright.modalities.document.document import Block, Document
from genwright.modalities.document.structure import blocks as blocks_of
from genwright.systems.grounded import confidence, extract, generate
from genwright.systems.grounded.answer import Event, Found, GroundedAnswer, Sentence
from genwright.systems.grounded.grounding import Grounding, read_grounding
from genwright.systems.grounded.rewriting import standalone
from genwright.systems.grounded.support import SupportCheck
from genwright.systems.manifest import GroundedManifest
from genwright.systems.prompted import PromptedSystem
from genwright.systems.requests import Chat
from genwright.systems.retrieval.passage import Passage, Retrieved
from genwright.systems.retrieval.reranking import FOLDER, load_reranker

DOCUMENTS_HELD = 256
AS_IT_STANDS = ("code", "table")  # of all else, line breaks are the document's and not the sentence's


class GroundedSystem:
    """Answers with sentences that stand on spans of its documents.

    `model` is the language model behind its prompt, None where answers are extractive. `judge` may be set to an NLI
    model: (sentence, evidence) -> 0 to 1.
    """

    capabilities = frozenset({"generate", "stream", "retrieve"})

    def __init__(
        self, index: Any, /, *, grounding: Grounding, manifest: GroundedManifest, model: Any | None = None
    ) -> None:
        self.index, self.grounding, self.manifest = index, grounding, manifest
        prompt = grounding.generator
        self.model = None if model is None or prompt is None else PromptedSystem(model, prompt=prompt)
        self.check = SupportCheck(grounding.support, embed=index.encoder.embed)
        self._document = lru_cache(maxsize=DOCUMENTS_HELD)(index.document)
        self._blocks = lru_cache(maxsize=DOCUMENTS_HELD)(lambda name: tuple(blocks_of(self._document(name))))

    @classmethod
    def load(
        cls,
        manifest: GroundedManifest,
        /,
        *,
        locate: Callable[[str], Path],
        model: Any | None = None,
        likely: Any | None = None,
    ) -> GroundedSystem:
        """The system of that manifest.

        `locate` gives an artifact's folder by its digest, `model` is its generator, `likely` what its search asks.
        """
        folder = locate(manifest.encoder)
        encoder = load_reference("genwright.nets.encoder:load_encoder", extra="rag")(folder)
        rerank = load_reranker(folder / FOLDER) if (folder / FOLDER).is_dir() else None
        opened = load_reference("genwright.systems.retrieval.index:Index", extra="rag").open
        index = opened(locate(manifest.index), encoder=encoder, rerank=rerank, likely=likely)
        grounding = read_grounding(locate(manifest.grounding))
        return cls(index, grounding=grounding, manifest=manifest, model=model)

    def document(self, name: str, /) -> Document:
        """A document of the index.

        Raises:
            DataError: there is none of that name.
        """
        found: Document = self._document(name)
        return found

    def blocks(self, name: str, /) -> tuple[Block, ...]:
        """The blocks of a document of the index."""
        return self._blocks(name)

    def ask(
        self,
        question: str,
        /,
        *,
        history: Chat = (),
        filters: Mapping[str, Sequence[str]] | None = None,
        k: int | None = None,
    ) -> GroundedAnswer:
        """The answer to a question behind what was said before."""
        for event in self.ask_stream(question, history=history, filters=filters, k=k):
            if isinstance(event, GroundedAnswer):
                return event
        raise AssertionError("ask_stream ends with the answer")

    def ask_stream(
        self,
        question: str,
        /,
        *,
        history: Chat = (),
        filters: Mapping[str, Sequence[str]] | None = None,
        k: int | None = None,
    ) -> Iterator[Event]:
        """The sources as soon as they are found, sentences as they pass the check, the whole answer last."""
        seconds: dict[str, float] = {}
        rewritten = standalone(question, history)
        retrieved = self.index.search(rewritten, k=k or self.grounding.answering.passages, filters=filters)
        seconds |= retrieved.seconds
        yield Found(retrieved.passages)
        answer = self.answer(retrieved, history=history, seconds=seconds)
        yield from answer.sentences
        yield answer

    def answer(
        self,
        retrieved: Retrieved,
        /,
        *,
        history: Chat = (),
        found: Sequence[extract.Candidate] | None = None,
        seconds: dict[str, float] | None = None,
    ) -> GroundedAnswer:
        """The answer from what was found; `found` are its sentences where they are known already."""
        seconds = {} if seconds is None else seconds
        passages = retrieved.passages
        if found is None:
            with _timed(seconds, "sentences"):
                found = self.candidates(retrieved)
        sure = self.sure(retrieved, found)
        base = GroundedAnswer(
            retrieved.query, "abstained", (), passages, sure, note=retrieved.degraded, seconds=seconds
        )
        if not found or sure < self.grounding.confidence_threshold:
            return base
        if self.model is not None:
            made = self._generated(self.model, base, history, seconds)
            if made.sentences:
                return made
            base = made
        with _timed(seconds, "extract"):
            sentences = self._extracted(found, passages)
        return replace(base, mode="extractive", sentences=tuple(sentences))

    def candidates(self, retrieved: Retrieved, /) -> list[extract.Candidate]:
        """The sentences of the passages that may answer."""
        documents, blocks = self._read(retrieved.passages)
        return extract.candidates(
            retrieved.query, retrieved.passages, documents=documents, blocks=blocks,
            embed=self.index.encoder.embed, max_words=self.grounding.answering.max_words, rerank=self.index.rerank,
        )  # fmt: skip

    def sure(self, retrieved: Retrieved, found: Sequence[extract.Candidate], /) -> float:
        """How likely the passages hold the answer."""
        row = confidence.signals(retrieved, found)
        return float(self.grounding.confidence.probabilities(row[np.newaxis])[0])

    def _read(self, passages: Sequence[Passage]) -> tuple[dict[str, Document], dict[str, tuple[Block, ...]]]:
        names = {passage.document for passage in passages}
        return {name: self._document(name) for name in names}, {name: self._blocks(name) for name in names}

    def _extracted(self, found: Sequence[extract.Candidate], passages: Sequence[Passage]) -> list[Sentence]:
        answering = self.grounding.answering
        chosen = extract.choose(found, self.grounding.extraction, max_words=answering.max_words, least=answering.least)
        return [
            Sentence(
                one.text if one.unit.kind in AS_IT_STANDS else " ".join(one.text.split()),
                (generate.cite(passages[one.source - 1], one.unit.start, one.unit.end, one.text, source=one.source),),
                1.0,
            )
            for one in chosen
        ]

    def _generated(
        self, model: PromptedSystem, base: GroundedAnswer, history: Chat, seconds: dict[str, float]
    ) -> GroundedAnswer:
        answering = self.grounding.answering
        with _timed(seconds, "generate"):
            try:
                request = generate.request_of(base.question, history, base.sources, model=model, answering=answering)
                (completion,) = model.generate([request])
            except GenwrightError as error:  # the documents can still answer
                told = f"the language model did not answer ({error.message}): sentences of the documents instead"
                return replace(base, note="; ".join(part for part in (base.note, told) if part))
        with _timed(seconds, "check"):
            documents, blocks = self._read(base.sources)
            evidence = generate.windows(base.sources, documents=documents, blocks=blocks)
            kept, dropped = generate.checked(
                completion.text, base.sources, evidence, check=self.check,
                threshold=self.grounding.support_threshold,
            )  # fmt: skip
        return replace(
            base, mode="generated" if kept else "abstained", sentences=tuple(kept), dropped=tuple(dropped),
            num_prompt_tokens=completion.num_prompt_tokens, num_tokens=completion.num_tokens,
        )  # fmt: skip


@contextmanager
def _timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        seconds[part] = seconds.get(part, 0.0) + time.perf_counter() - started
