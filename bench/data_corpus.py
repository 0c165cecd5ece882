"""A corpus with known troubles, from texts that ship with CPython: the same bytes for the same arguments."""

import json
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics

NUM_FILES = 8
PIECE_CHARACTERS = 4000
_WORD = re.compile(r"[A-Za-z]{3,}")


def write_corpus(folder: Path, *, num_documents: int, seed: int = 0) -> dict[str, int]:
    """Writes JSON lines to `NUM_FILES` files; returns how many documents of each kind there are.

    Kinds: `own` (a quarter of its words exchanged, so no other is near), `exact` copies of an own document, `near`
    copies (1 % of words exchanged), `short` (under 100 bytes), `broken` (UTF-8 read as Latin-1).
    """
    chance = random.Random(seed)
    pieces = list(_pieces())
    vocabulary = sorted({word for piece in pieces[:500] for word in _WORD.findall(piece)})
    kinds = chance.choices(("own", "exact", "near", "short", "broken"), weights=(80, 8, 8, 2, 2), k=num_documents)
    own: list[str] = []
    folder.mkdir(parents=True, exist_ok=True)
    files = [(folder / f"part{number}.jsonl").open("w", encoding="utf-8") for number in range(NUM_FILES)]
    for number, kind in enumerate(kinds):
        text = _document(kind, pieces[number % len(pieces)], own, vocabulary, chance)
        files[number % NUM_FILES].write(json.dumps({"id": f"d{number}", "text": text}) + "\n")
    for file in files:
        file.close()
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def _document(kind: str, piece: str, own: list[str], vocabulary: list[str], chance: random.Random) -> str:
    if kind == "short":
        return piece.strip()[:60]
    if kind == "exact" and own:
        return chance.choice(own)
    if kind == "near" and own:
        return _exchange(chance.choice(own), 0.01, vocabulary, chance)
    text = _exchange(piece, 0.25, vocabulary, chance)
    if kind == "broken":
        text = text.replace("e", "é", 20)[:2000].encode().decode("latin-1")
    else:
        own.append(text)
    return text


def _exchange(text: str, share: float, vocabulary: list[str], chance: random.Random) -> str:
    return _WORD.sub(lambda match: chance.choice(vocabulary) if chance.random() < share else match[0], text)


def _pieces() -> Iterator[str]:
    """Topics and library source, cut at blank lines into pieces of about `PIECE_CHARACTERS`."""
    library = Path(sysconfig.get_path("stdlib"))
    sources = [
        path for path in sorted(library.rglob("*.py")) if not {"site-packages", "test", "tests"} & set(path.parts)
    ]
    texts = [*(topics[name] for name in sorted(topics)), *(path.read_text("utf-8", "ignore") for path in sources)]
    for text in texts:
        held = ""
        for paragraph in text.split("\n\n"):
            held += paragraph + "\n\n"
            if len(held) > PIECE_CHARACTERS:
                yield from _usable(held)
                held = ""
        yield from _usable(held)


def _usable(piece: str) -> Iterator[str]:
    """The piece, unless it is a scrap or one endless table."""
    if PIECE_CHARACTERS // 4 < len(piece) < PIECE_CHARACTERS * 5:
        yield piece
