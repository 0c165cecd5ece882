"""Piano rolls as SVG."""

from __future__ import annotations

from collections.abc import Sequence

from genwright.modalities.music.piece import TICKS_PER_STEP
from genwright.modalities.music.sounding import Sounding

SHOWN = 6
COLOURS = ("#b5341f", "#2f6f3e", "#1f5fa8", "#6b3fa0")
STEP_WIDTH, PITCH_HEIGHT, GAP = 8, 4, 18
MOST_STEPS = 128  # what a picture shows of a long tune


def piano_rolls(samples: Sequence[Sounding], /) -> str:
    """The first samples below each other, time to the right, pitch upward, a colour per voice, a line per quarter."""
    parts: list[str] = []
    top, width = 0, STEP_WIDTH * 16
    for number, sample in enumerate(samples[:SHOWN]):
        drawn, height, wide = _roll(sample, top + GAP)
        label = f'<text x="0" y="{top + GAP - 5}">sample {number + 1}</text>'
        parts += [label, *drawn]
        top, width = top + GAP + height, max(width, wide)
    box = f"0 0 {width} {top + 4}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" font-size="11" font-family="sans-serif">'
    return f"{head}{''.join(parts)}</svg>\n"


def _roll(sample: Sounding, top: int) -> tuple[list[str], int, int]:
    notes = [note for voice in sample.values() for note in voice if note.start < MOST_STEPS * TICKS_PER_STEP]
    if not notes:
        return [], 0, 0
    low, high = min(note.pitch for note in notes), max(note.pitch for note in notes)
    steps = min(MOST_STEPS, -(-max(note.end for note in notes) // TICKS_PER_STEP))
    height, width = (high - low + 1) * PITCH_HEIGHT, steps * STEP_WIDTH
    parts = [f'<path d="M{x} {top}v{height}" stroke="#ddd"/>' for x in range(0, width + 1, 4 * STEP_WIDTH)]
    for place, voice in enumerate(sample.values()):
        for note in (note for note in voice if note.start < MOST_STEPS * TICKS_PER_STEP):
            x, long = (tick * STEP_WIDTH / TICKS_PER_STEP for tick in (note.start, note.length))
            y = top + (high - note.pitch) * PITCH_HEIGHT
            parts.append(
                f'<rect x="{x:g}" y="{y}" width="{min(long, width - x) - 0.8:.4g}" height="{PITCH_HEIGHT - 0.5}" '
                f'fill="{COLOURS[place % len(COLOURS)]}"/>'
            )
    return parts, height, width
