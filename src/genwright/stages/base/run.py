"""The base stage: a pretrained model and its tokenizer, read once and kept as artifacts like any other."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Mapping
from contextlib import redirect_stderr
from typing import Any

import torch
from tokenizers import Tokenizer

from genwright.core import (
    CapabilityError,
    ClaimDraft,
    Context,
    DataError,
    Derivation,
    GenwrightError,
    Produced,
    StageResult,
    load_reference,
)
from genwright.core.protocols import Tokens, TokenShape
from genwright.families import AutoregressiveConfig
from genwright.families.store import GGUF, build_family, save_family, write_description
from genwright.measure import write_scores
from genwright.modalities.text.pretrained import PretrainedCodec
from genwright.nets.config import TransformerConfig
from genwright.nets.hf import net_tensors, transformer_config
from genwright.nets.wrapped_config import WrappedConfig
from genwright.stages.base.config import BaseConfig
from genwright.stages.base.loaded import Loaded, from_gguf
from genwright.stages.base.places import Place, find
from genwright.systems.manifest import choose_engine

MOST_CONTEXT = 2048
# Any texts do: what is compared is two ways to compute the same numbers.
PROBES = (
    "The quick brown fox jumps over the lazy dog.",
    "def area(radius):\n    return 3.14159 * radius ** 2\n",
    "Ein Satz auf Deutsch, 1 2 3, und \u00e7a suffit.",
)
SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")


def run(config: BaseConfig, context: Context, /) -> StageResult:
    """The model as a family of this house, its codec, and how near its logits are to those of `transformers`.

    Raises:
        DataError: the files hold no model, or model and tokenizer do not fit.
        CapabilityError: the model's layout is not one that can be read.
    """
    torch.set_num_threads(int(context.facts.get("threads", torch.get_num_threads())))
    place = find(config, root=context.root, progress=context.progress)
    with context.progress.task("read the pretrained model", total=None):
        loaded = _load(place, config)
        codec = _codec(loaded, config)
        family, shape, settings = _family(loaded, codec, config)
        with torch.no_grad():
            rows = [_compared(loaded, family, codec, text) for text in PROBES]
    folder, codec_folder, scores = (context.folder(name) for name in ("model", "codec", "base_scores"))
    num_parameters = sum(value.numel() for value in family.state_dict().values())
    facts = {"num_parameters": num_parameters, "base": config.path, "licence": config.licence}
    if config.keep == "gguf":
        assert place.gguf is not None, "the config asks for a path that ends in .gguf"
        write_description(folder, config=settings, shape=shape, facts={**facts, "file_type": "as it came"})
        shutil.copyfile(place.folder / place.gguf, folder / GGUF)
        choose_engine(config.engine, folder)
    else:
        save_family(folder, config=settings, shape=shape, tensors=family.state_dict(), facts=facts)
    codec.save(codec_folder)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    write_scores(scores, {**columns, "num_parameters": [num_parameters] * len(rows)})
    artifacts = {
        "model": Produced("model", folder),
        "codec": Produced("codec", codec_folder),
        "base_scores": Produced("scores", scores),
    }
    return StageResult(artifacts, CLAIMS)


MOST_DIFFERENT = 0.01
"""In nats; rounding stays below a thousandth."""

CLAIMS = (
    ClaimDraft("model", "parameters", "parameters", "base_scores", Derivation("max", {"value": "num_parameters"})),
    ClaimDraft(
        "model", "logit_difference", "nats", "base_scores",
        Derivation("max", {"value": "logit_difference"}), better="lower",
    ),
)  # fmt: skip


def _load(place: Place, config: BaseConfig) -> Loaded:
    """By the `transformers` library: no code of the model's, no pickled weights. GGUF files are read here."""
    try:
        with redirect_stderr(io.StringIO()):  # bars of its own
            return from_gguf(place.folder / place.gguf) if place.gguf else _from_folder(place)
    except (ImportError, GenwrightError):
        raise
    except Exception as error:  # whatever broken files make the library raise
        first = (str(error).splitlines() or [""])[0]
        raise DataError(
            f"base.path '{config.path}' cannot be read ({type(error).__name__}: {first})",
            hint="look at the files: config.json, safetensors and tokenizer.json, or one whole GGUF file",
        ) from error


def _from_folder(place: Place) -> Loaded:
    auto = load_reference("transformers:AutoModelForCausalLM", extra="pretrained")
    tokenizers = load_reference("transformers:AutoTokenizer", extra="pretrained")
    asked: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    tokenizer = tokenizers.from_pretrained(place.folder, **asked)
    model = auto.from_pretrained(place.folder, dtype=torch.float32, use_safetensors=True, **asked).eval()
    return Loaded(model, tokenizer, model.config.to_dict())


def _codec(loaded: Loaded, config: BaseConfig) -> PretrainedCodec:
    backend = getattr(loaded.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise DataError(f"base.path '{config.path}' has no fast tokenizer", hint="add its tokenizer.json")
    tokenizer = Tokenizer.from_str(backend.to_str())
    vocab_size = int(loaded.settings["vocab_size"])
    if tokenizer.get_vocab_size(with_added_tokens=True) > vocab_size:
        raise DataError(
            f"base.path '{config.path}': the tokenizer has {tokenizer.get_vocab_size():,} tokens and the model "
            f"{vocab_size:,}",
            hint="the tokenizer belongs to another model",
        )
    marks = {name: str(mark) for name in SPECIAL if (mark := getattr(loaded.tokenizer, name, None))}
    begin = config.document_mark or marks.get("bos_token") or marks.get("eos_token")
    end = config.document_mark or marks.get("eos_token")
    if begin is None or end is None:
        raise DataError(f"base.path '{config.path}': the tokenizer has no end mark", hint="name base.document_mark")
    template = getattr(loaded.tokenizer, "chat_template", None)
    return PretrainedCodec(
        tokenizer,
        vocab_size=vocab_size,
        bos_id=_mark(tokenizer, begin),
        eos_id=_mark(tokenizer, end),
        stop_ids=_stops(loaded, tokenizer, marks),
        marks=marks,
        template=template if isinstance(template, str) else None,
    )


def _mark(tokenizer: Tokenizer, name: str) -> int:
    found = tokenizer.token_to_id(name)
    if found is None:
        raise DataError(f"base.document_mark: the tokenizer has no token '{name}'", hint="name one of its marks")
    return int(found)


def _stops(loaded: Loaded, tokenizer: Tokenizer, marks: Mapping[str, str]) -> list[int]:
    """What ends an answer: the tokenizer's end mark, and those of the model's own generation settings."""
    generation = getattr(loaded.model, "generation_config", None)
    named = getattr(generation, "eos_token_id", None)
    found = {int(one) for one in (named if isinstance(named, list) else [named]) if one is not None}
    if "eos_token" in marks:
        found.add(_mark(tokenizer, marks["eos_token"]))
    return sorted(found)


def _family(loaded: Loaded, codec: PretrainedCodec, config: BaseConfig) -> tuple[Any, TokenShape, AutoregressiveConfig]:
    net = _net(loaded)
    longest = int(loaded.settings.get("max_position_embeddings", MOST_CONTEXT))
    context = config.context_tokens or min(longest, MOST_CONTEXT)
    if context > longest:
        raise DataError(f"base.context_tokens is {context:,}, and the model reads {longest:,}", hint="ask for fewer")
    shape = TokenShape(codec.vocab_size, codec.bos_id, codec.eos_id, context)
    settings = AutoregressiveConfig(net=net)
    family = build_family(settings, shape=shape).eval()
    theirs = loaded.model.state_dict()
    own = family.net.tensors_of(theirs) if isinstance(net, WrappedConfig) else net_tensors(theirs, tied=net.tied_head)
    family.net.load_state_dict(own)
    return family, shape, settings


def _net(loaded: Loaded) -> TransformerConfig | WrappedConfig:
    """The net of this house where the model has its layout, else the library's own layers."""
    try:
        return transformer_config(loaded.settings)
    except CapabilityError:
        return WrappedConfig(settings=json.loads(loaded.model.config.to_json_string(use_diff=False)))


def _compared(loaded: Loaded, family: Any, codec: PretrainedCodec, text: str) -> dict[str, Any]:
    ids = torch.tensor([[codec.bos_id, *(int(token) for token in codec.encode([text])[0])]])
    theirs = loaded.model(ids).logits.log_softmax(-1)
    ours = family.net.logits(ids).log_softmax(-1)
    difference = float((theirs - ours).abs().max())
    if not math.isfinite(difference):
        raise DataError("the model's logits are not finite", hint="its weights are damaged")
    if difference > MOST_DIFFERENT:
        raise CapabilityError(
            f"the model's logits are {difference:.2g} nats from those of its last hidden state times its output matrix",
            hint="it changes its logits (a soft cap, a scale), which the losses and decoders here do not",
        )
    own = family.token_log_prob(Tokens(ids)).sum()
    return {"text": text, "tokens": ids.shape[1] - 1, "logit_difference": difference, "nats": -float(own)}
