"""Samples that continue the openings of test documents, measured beside the real continuations."""

import ast
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genwright.core import Context
from genwright.detect.overlap import Corpus
from genwright.modalities.dataset import read_texts
from genwright.stages.evaluate.config import EvaluateConfig
from genwright.systems.batches import complete
from genwright.systems.tokens import TokenSystem


@dataclass(frozen=True)
class Samples:
    """Prompts, continuations and the scores table, a row per sample."""

    prompts: list[str]
    texts: list[str]
    columns: dict[str, list[Any]]


def generate_samples(
    documents: Sequence[Mapping[str, Any]], *, system: TokenSystem, config: EvaluateConfig, context: Context
) -> Samples:
    """`num_samples` continuations; document i mod n gives the opening of sample i."""
    settings = config.generation
    openings = [opening(str(document["text"]), settings.prompt_characters) for document in documents]
    chosen = [index % len(documents) for index in range(settings.num_samples)]
    prompts = [openings[index] for index in chosen]
    texts = _generate(prompts, system=system, config=config, context=context)
    real = [
        str(documents[index]["text"])[len(prompt) : len(prompt) + len(text)]
        for index, prompt, text in zip(chosen, prompts, texts, strict=True)
    ]
    columns: dict[str, list[Any]] = {
        "id": [f"sample-{number}" for number in range(len(texts))],
        "group": [documents[index]["group"] for index in chosen],
    }
    corpus = Corpus(read_texts(context.inputs["dataset"].path, split="train")) if texts else None
    for of, continuations in (("sample", texts), ("real", real)):
        columns |= _word_columns(continuations, of)
        columns |= _copy_columns(continuations, of, corpus)
        if settings.check == "python":
            pairs = zip(prompts, continuations, strict=True)
            columns[f"parses_{of}"] = [parses(prompt + text) for prompt, text in pairs]
    return Samples(prompts, texts, columns)


def opening(text: str, num_characters: int) -> str:
    """The first characters of a document, up to the last line end among them."""
    head = text[:num_characters]
    at = head.rfind("\n")
    return head[: at + 1] if at > 0 else head


def _generate(prompts: Sequence[str], *, system: TokenSystem, config: EvaluateConfig, context: Context) -> list[str]:
    made = complete(
        system,
        prompts,
        max_tokens=config.generation.max_tokens,
        seeds=[context.seed_for(f"sample {number}") for number in range(len(prompts))],
        progress=context.progress,
        title="generate samples",
    )
    return [completion.text for completion in made]


def _word_columns(texts: Sequence[str], of: str) -> dict[str, list[float | None]]:
    words = [text.split() for text in texts]
    return {
        f"distinct_2_{of}": [_distinct(one, 2) for one in words],
        f"repeated_4gram_share_{of}": [None if (d := _distinct(one, 4)) is None else 1.0 - d for one in words],
    }


def _distinct(words: Sequence[str], n: int) -> float | None:
    """Different n-grams over all n-grams; None where there is none."""
    grams = [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else None


def _copy_columns(texts: Sequence[str], of: str, corpus: Corpus | None) -> dict[str, list[Any]]:
    if corpus is None:
        return {f"copied_8gram_share_{of}": [], f"longest_copied_characters_{of}": []}
    return {
        f"copied_8gram_share_{of}": [corpus.copied_share(text, num_words=8) for text in texts],
        f"longest_copied_characters_{of}": [corpus.longest_copy(text) for text in texts],
    }


def parses(text: str, /) -> bool:
    """Whether the text up to the start of its last unindented line is Python (that line may be cut off anywhere)."""
    lines = text.splitlines(keepends=True)
    starts = [number for number, line in enumerate(lines) if line[:1].strip()]
    whole = "".join(lines[: starts[-1]]) if starts else ""
    if not whole.strip():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # generated code may hold odd escapes; they do not matter here
            ast.parse(whole)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def write_samples(samples: Samples, /, *, folder: Path, system: str) -> None:
    """`samples.json`: the system and each prompt with its continuation."""
    pairs = [{"prompt": prompt, "text": text} for prompt, text in zip(samples.prompts, samples.texts, strict=True)]
    body = json.dumps({"system": system, "samples": pairs}, ensure_ascii=False, indent=1)
    (folder / "samples.json").write_text(body + "\n", encoding="utf-8")
