"""Documents cut into chunks that an encoder reads whole."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from genwright.core import SpecError
from genwright.detect import injection
from genwright.modalities.document.config import LEAST_TOKENS, SPECIAL_TOKENS, ChunkConfig
from genwright.modalities.document.document import Block, Chunk, Document, below
from genwright.modalities.document.pieces import Span, pieces_of
from genwright.modalities.document.structure import blocks, seen

_HEADER_SHARE = 0.4


def chunks(
    document: Document, /, *, config: ChunkConfig, count: Callable[[str], int], window_tokens: int
) -> list[Chunk]:
    """The chunks of a document in their order, none of which an encoder with such a window would cut off.

    `count` gives the tokens of a text without the encoder's own marks, of which there are two. All text that a
    reader sees is in one chunk; headings are in headers, and in a chunk only where nothing stands below them. What
    looks like an attack on a reader is flagged.

    Raises:
        SpecError: the window is too small for any text.
    """
    limit = min(window_tokens, config.max_tokens or window_tokens) - SPECIAL_TOKENS
    if limit < LEAST_TOKENS - SPECIAL_TOKENS:
        raise SpecError(
            f"chunks of {limit + SPECIAL_TOKENS} tokens hold no text",
            hint=f"at least {LEAST_TOKENS}: raise max_tokens",
        )
    cutter = _Cutter(document, config, count, limit)
    found = [piece for run in _runs(document) for piece in cutter.cut(run)]
    parts = _parts(document, cutter)
    return [
        Chunk(
            document.id, number, *span, header, block.path, block.section, block.kind,
            flags=injection.flags(document.text[slice(*span)]), parts=parts(span),
        )
        for number, (block, header, span) in enumerate(found)
    ]  # fmt: skip


def _parts(document: Document, cutter: _Cutter) -> Callable[[Span], tuple[Span, ...]]:
    """From a chunk to the spans within it that are embedded; none where that is the chunk."""
    size = cutter.config.part_tokens
    if size == "whole":
        return lambda span: ()
    smaller = min(size, cutter.config.target_tokens or size)
    fine = replace(cutter, config=cutter.config.model_copy(update={"target_tokens": smaller}))
    spans = [span for run in _runs(document) for _, _, span in fine.cut(run)]
    starts = [start for start, _ in spans]

    def within(span: Span) -> tuple[Span, ...]:
        inside = spans[bisect_left(starts, span[0]) : bisect_left(starts, span[1])]
        whole = bool(inside) and inside[0][0] == span[0] and all(end <= span[1] for _, end in inside)
        return tuple(inside) if whole and len(inside) > 1 else ()

    return within


def _runs(document: Document) -> Iterator[list[Block]]:
    """Blocks that may stand in one chunk: of one section and one definition, without what nobody sees around them."""
    found = [block for block in blocks(document) if seen(document, block)]
    run: list[Block] = []
    for place, block in enumerate(found):
        if block.kind == "heading":
            below = found[place + 1] if place + 1 < len(found) else None
            if below is not None and (below.section == block.section or _is_under(below, block)):
                continue
        if run and (block.section, block.head) != (run[0].section, run[0].head):
            yield run
            run = []
        run.append(block)
    if run:
        yield run


def _is_under(below: Block, heading: Block) -> bool:
    return len(below.path) > len(heading.path)


def _announced(run: list[Block], text: str) -> Iterator[list[Block]]:
    """A block alone, or with the paragraph before it where that ends in a colon."""
    held: list[Block] = []
    for block in run:
        if held and not (block.kind in ("code", "list", "table") and text[held[-1].end - 1] == ":"):
            yield held
            held = []
        held.append(block)
    if held:
        yield held


@dataclass(frozen=True)
class _Cutter:
    document: Document
    config: ChunkConfig
    count: Callable[[str], int]
    limit: int

    def cut(self, run: list[Block]) -> Iterator[tuple[Block, str, Span]]:
        """The spans of a run, each with the header above it and its longest block."""
        header = self._header(run[0])
        room = self.limit - (self.count(header) if header else 0)
        target = min(room, self.config.target_tokens or room)
        starts = [block.start for block in run]
        for start, end in self._joined(run, header, room, target):
            inside = run[max(bisect_right(starts, start) - 1, 0) : bisect_left(starts, end)]
            longest = max(inside, key=lambda block: min(block.end, end) - max(block.start, start))
            yield longest, header, (start, end)

    def _joined(self, run: list[Block], header: str, room: int, target: int) -> Iterator[Span]:
        """Whole blocks up to the target; a block that does not fit at all is cut."""
        held: list[Span] = []
        held_tokens = 0
        for span, tokens in self._units(run, header, room):
            added = tokens + (self.count(self.document.text[held[-1][1] : span[0]]) if held else 0)
            if held and held_tokens + added > target:
                yield from self._checked(held, header)
                held, held_tokens, added = [], 0, tokens
            held.append(span)
            held_tokens += added
        if held:
            yield from self._checked(held, header)

    def _checked(self, held: list[Span], header: str) -> Iterator[Span]:
        """All in one where that fits: the tokens of a whole can be more than those of its parts."""
        whole = (held[0][0], held[-1][1])
        if len(held) == 1 or self._fits(header, whole):
            yield whole
            return
        yield from self._checked(held[: len(held) // 2], header)
        yield from self._checked(held[len(held) // 2 :], header)

    def _units(self, run: list[Block], header: str, room: int) -> Iterator[tuple[Span, int]]:
        """Blocks that fit, each with the line that announces it; else their pieces."""
        for whole in _announced(run, self.document.text):
            span = (whole[0].start, whole[-1].end)
            tokens = self.count(self.document.text[slice(*span)])
            if tokens <= room and self._fits(header, span) and self.config.keep == "blocks":
                yield span, tokens
            elif len(whole) > 1:
                for block in whole:
                    yield from self._units([block], header, room)
            else:
                for piece in pieces_of(self.document.text, span, kind=whole[0].kind, fits=partial(self._fits, header)):
                    yield piece, self.count(self.document.text[slice(*piece)])

    def _fits(self, header: str, span: Span) -> bool:
        text = self.document.text[span[0] : span[1]]
        return self.count(below(header, text)) <= self.limit

    def _header(self, block: Block) -> str:
        """The title, the headings and the definition; from the outside in as much as the header's share holds."""
        if self.config.headers == "off":
            return ""
        title = self.document.title
        inner = [part for part in (*block.path, *block.head.split(" > ")) if part]
        parts = [title, *inner] if not inner or inner[0] != title else inner
        most = int(self.limit * _HEADER_SHARE)
        while len(parts) > 1 and self.count(" > ".join(parts)) > most:
            parts.pop(1 if len(parts) > 2 else 0)
        header = " > ".join(parts)
        while header and self.count(header) > most:
            header = header[: len(header) * 3 // 4].rstrip()
        return header
