"""A residual LSTM layer that stands where an attention block stands."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genwright.nets.lstm import initialise_gates
from genwright.nets.norm import RmsNorm

NORM_EPS = 1e-6


class RecurrentBlock(nn.Module):
    """x + LSTM(norm(x)), position after position."""

    def __init__(self, d_model: int, *, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.norm = RmsNorm(d_model, eps=NORM_EPS)
        self.lstm = nn.LSTM(d_model, d_model, batch_first=True)
        initialise_gates(self.lstm)

    def forward(self, x: Float[Tensor, "b t d"], *, causal: bool, past: list[Tensor] | None) -> Float[Tensor, "b t d"]:
        """The block's output. `past` holds hidden and cell state behind the positions before, and takes up the new."""
        del causal  # a recurrent layer sees nothing else
        state = tuple(part.transpose(0, 1).contiguous() for part in past) if past else None
        out, after = self.lstm(self.norm(x), state)
        if past is not None:
            past[:] = [part.transpose(0, 1) for part in after]
        dropped: Tensor = functional.dropout(out, self.dropout, self.training)
        return x + dropped
