"""ChemNet: 512 numbers of a molecule, by the published weights, for the Fréchet ChemNet distance.

Source: Preuer et al. 2018 (arXiv:1803.09518); the weights are those of its version 0.13 in the layout of the package
`fcd_torch`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from genwright.core import DataError
from genwright.modalities.files.config import FilesConfig
from genwright.modalities.files.sources import list_files

FEATURES = 512
LENGTH = 350
ROWS_AT_ONCE = 128
# What the weights were trained on, in their order: the last but one stands for whatever else, the last is the end.
SYMBOLS = (
    "C", "N", "O", "H", "F", "Cl", "P", "B", "Br", "S", "I", "Si", "#", "(", ")", "+", "-", "1", "2", "3", "4", "5",
    "6", "7", "8", "=", "[", "]", "@", "c", "n", "o", "s", "X", ".",
)  # fmt: skip
_PLACE = {symbol: at for at, symbol in enumerate(SYMBOLS)}
_SYMBOL = re.compile(r".[lri]|.")
_LAYERS = (("conv1", "Conv1d"), ("conv2", "Conv1d"), ("lstm1", "LSTM"), ("lstm2", "LSTM"))


class ChemNet(nn.Module):
    """Two convolutions that halve, and two recurrent layers that read backwards; the last state is the features."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(len(SYMBOLS), 32, 4, stride=2, bias=False)
        self.conv2 = nn.Conv1d(32, 32, 4, stride=2, bias=False)
        self.lstm1 = nn.LSTM(32, 128, batch_first=True)
        self.lstm2 = nn.LSTM(128, FEATURES, batch_first=True)

    def forward(self, x: Float[Tensor, "b s t"]) -> Float[Tensor, "b f"]:
        """The features of one-hot sequences."""
        for conv in (self.conv1, self.conv2):
            # As many outputs as half the inputs: the odd one is padded behind.
            pad = 4 - (x.shape[2] % 2 or 2)
            x = functional.selu(conv(functional.pad(x, (pad // 2, pad - pad // 2))))
        backwards, _ = self.lstm1(x.transpose(1, 2).flip(1))
        last, _ = self.lstm2(backwards.flip(1))
        return cast("Tensor", last[:, -1])


def load_chemnet(path: str, *, sha256: str) -> ChemNet:
    """The net with the weights that a source names (`package:` or an absolute path).

    The file is read by torch's restricted loader, which makes tensors and plain containers and refuses all else.

    Raises:
        DataError: the file cannot be had, or holds other weights.
        IntegrityError: it is not what is pinned.
    """
    pin = sha256 if path.startswith("package:") else None
    file = list_files(FilesConfig(path=path, sha256=pin), root=Path("/"))[0].path
    net = ChemNet()
    try:
        stored: Any = torch.load(file, map_location="cpu", weights_only=True)
        for (name, kind), (stated, (weights, *_)) in zip(_LAYERS, stored, strict=True):
            if stated != kind:
                raise ValueError(f"layer {name} is a {stated}")
            getattr(net, name).load_state_dict(weights)
    except (OSError, ValueError, TypeError, RuntimeError, UnpicklingError) as error:
        raise DataError(
            f"{path} holds no weights of ChemNet ({error})", hint='evaluate.metrics fcd = "off" leaves them out'
        ) from None
    return net.eval()


@torch.no_grad()
def features(smiles: Sequence[str], net: ChemNet, /) -> NDArray[np.float32]:
    """(n, 512) features of canonical SMILES, computed in blocks."""
    found = np.zeros((len(smiles), FEATURES), dtype=np.float32)
    for at in range(0, len(smiles), ROWS_AT_ONCE):
        block = one_hot(smiles[at : at + ROWS_AT_ONCE])
        found[at : at + ROWS_AT_ONCE] = net(torch.from_numpy(block)).numpy()
    return found


def one_hot(smiles: Sequence[str], /) -> NDArray[np.float32]:
    """(n, 35, 350): each symbol in its row, the end mark behind the last; what is longer is cut.

    Entries are 1/35, as the published code scales them.
    """
    out = np.zeros((len(smiles), len(SYMBOLS), LENGTH), dtype=np.float32)
    for row, text in enumerate(smiles):
        symbols = _SYMBOL.findall(text)[: LENGTH - 1]
        for at, symbol in enumerate(symbols):
            out[row, _PLACE.get(symbol, _PLACE["X"]), at] = 1.0
        out[row, _PLACE["."], len(symbols)] = 1.0
    return out / np.float32(len(SYMBOLS))
