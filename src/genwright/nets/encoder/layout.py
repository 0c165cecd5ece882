"""The files of a sentence encoder: folders of `sentence-transformers`, bare ones of `transformers`, and artifacts."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from genwright.core import CapabilityError, DataError
from genwright.core.digest import canonical_json

Pooling = Literal["mean", "cls", "max", "lasttoken"]
DESCRIPTION, CONFIG, TOKENIZER = "encoder.json", "config.json", "tokenizer.json"
# Modules that come after the net: what they are called in modules.json, old style and new.
NET, POOLING, NORMALISE = "Transformer", "Pooling", "Normalize"
MOST_TOKENS = 8192


@dataclass(frozen=True)
class EncoderLayout:
    """What makes vectors of a net's hidden states.

    `architecture` is `model_type` of the library; prefixes go in front of every text of that role. `folder` holds
    config.json, tokenizer.json and safetensors.
    """

    folder: Path
    architecture: str
    d: int
    window_tokens: int
    pooling: Pooling = "mean"
    query_prefix: str = ""
    document_prefix: str = ""

    @property
    def weights(self) -> tuple[Path, ...]:
        """The files of its tensors, sorted."""
        return tuple(sorted(self.folder.glob("*.safetensors")))


def read_layout(folder: Path, /) -> EncoderLayout:
    """The encoder in that folder.

    Raises:
        DataError: files are missing or broken.
        CapabilityError: its vectors are made in a way that is not computed here.
    """
    if (folder / DESCRIPTION).is_file():
        found = _json(folder / DESCRIPTION)
        try:
            return _checked(EncoderLayout(folder=folder, **{k: v for k, v in found.items() if k != "format"}))
        except TypeError as error:
            raise DataError(f"{folder / DESCRIPTION} is none of this project's ({error})") from None
    modules = [(one["path"], str(one["type"]).rpartition(".")[2]) for one in _json(folder / "modules.json", default=[])]
    _refuse_other_modules(modules, folder)
    net = folder / next((path for path, kind in modules if kind == NET), "")
    config = _json(net / CONFIG)
    layout = EncoderLayout(net, str(config.get("model_type", "")), _width(net, config), _window(net, config))
    pools = [path for path, kind in modules if kind == POOLING]
    if pools:
        layout = replace(layout, pooling=_pooling(_json(folder / pools[0] / CONFIG), folder))
    prompts = _json(folder / "config_sentence_transformers.json", default={}).get("prompts") or {}
    query, document = prompts.get("query") or "", prompts.get("document") or prompts.get("passage") or ""
    return _checked(replace(layout, query_prefix=query, document_prefix=document))


def save_encoder(layout: EncoderLayout, folder: Path, /) -> None:
    """Copies the encoder into a folder that `read_layout` reads; equal encoders give equal bytes."""
    description = {name: value for name, value in asdict(layout).items() if name != "folder"}
    (folder / DESCRIPTION).write_bytes(canonical_json({"format": 1, **description}))
    index = layout.folder.glob("model.safetensors.index.json")
    for path in (layout.folder / CONFIG, layout.folder / TOKENIZER, *layout.weights, *index):
        shutil.copyfile(path, folder / path.name)


def _checked(layout: EncoderLayout) -> EncoderLayout:
    if not layout.weights:
        raise DataError(
            f"{layout.folder} holds no safetensors",
            hint="convert pickled weights (.bin, .pt) to safetensors elsewhere; they are not read here",
        )
    for name in (CONFIG, TOKENIZER):
        if not (layout.folder / name).is_file():
            raise DataError(f"{layout.folder} holds no {name}", hint="save it with a fast tokenizer")
    return layout


def _width(net: Path, config: dict[str, Any]) -> int:
    for name in ("hidden_size", "dim", "d_model"):
        if name in config:
            return int(config[name])
    raise DataError(f"{net / CONFIG} is no net's: it states no width", hint="give a folder of sentence-transformers")


def _window(net: Path, config: dict[str, Any]) -> int:
    """Tokens that it was made to read at once, marks included."""
    asked = _json(net / "sentence_bert_config.json", default={}).get("max_seq_length")
    own = _json(net / "tokenizer_config.json", default={}).get("model_max_length")
    places = config.get("max_position_embeddings")
    if places and config.get("model_type") in ("roberta", "xlm-roberta", "mpnet"):
        places -= config.get("pad_token_id", 1) + 1  # positions start behind that of padding
    return int(min(value for value in (asked, own, places, MOST_TOKENS) if value))


def _pooling(config: dict[str, Any], folder: Path) -> Pooling:
    names = {
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_cls_token": "cls",
        "pooling_mode_max_tokens": "max",
        "pooling_mode_lasttoken": "lasttoken",
    }
    named = config.get("pooling_mode")
    switches = [name for name, on in config.items() if name.startswith("pooling_mode_") and on]
    asked = [named] if isinstance(named, str) else switches
    found = [names.get(one, one) for one in asked]
    if len(found) != 1 or found[0] not in get_args(Pooling):
        raise CapabilityError(
            f"{folder} pools by {', '.join(found) or 'nothing'}; one of {', '.join(get_args(Pooling))} is computed here"
        )
    return found[0]  # type: ignore[return-value]


def _refuse_other_modules(modules: list[tuple[str, str]], folder: Path) -> None:
    other = [kind for _, kind in modules if kind not in (NET, POOLING, NORMALISE)]
    if other:
        raise CapabilityError(
            f"{folder} has the module {other[0]} behind its net, which is not computed here",
            hint="choose an encoder of a net, pooling and normalisation",
        )


def read_config(layout: EncoderLayout, /) -> dict[str, Any]:
    """The settings of its net, as the library wrote them.

    Raises:
        DataError: they cannot be read.
    """
    found: dict[str, Any] = _json(layout.folder / CONFIG)
    return found


def _json(path: Path, *, default: Any = None) -> Any:
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found, list if path.name == "modules.json" else dict):
            raise ValueError("it holds something else")
        return found
    except FileNotFoundError:
        if default is not None:
            return default
        raise DataError(f"{path} does not exist", hint="an encoder is a folder of sentence-transformers") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
