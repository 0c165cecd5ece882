"""POST /v1/embeddings: texts as vectors of the model's own, of length 1."""

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

MAX_TEXTS = 256


class EmbeddingRequest(BaseModel):
    """One text or several; `base64` is little-endian float32."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())
    model: str
    input: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=MAX_TEXTS)]
    )
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None

    @property
    def texts(self) -> list[str]:
        """The texts."""
        return [self.input] if isinstance(self.input, str) else self.input


def embedding_body(
    request: EmbeddingRequest, vectors: np.ndarray[Any, Any], /, *, num_tokens: Sequence[int]
) -> dict[str, Any]:
    """The answer: vectors (n, d) in the order of the texts."""
    found = np.ascontiguousarray(vectors, dtype="<f4")
    return {
        "object": "list",
        "model": request.model,
        "data": [
            {"object": "embedding", "index": index, "embedding": _shown(row, request.encoding_format or "float")}
            for index, row in enumerate(found)
        ],
        "usage": {"prompt_tokens": sum(num_tokens), "total_tokens": sum(num_tokens)},
    }


def _shown(row: np.ndarray[Any, Any], form: str) -> list[float] | str:
    return base64.b64encode(row.tobytes()).decode() if form == "base64" else [float(value) for value in row]
