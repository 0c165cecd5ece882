"""Every family on music, a step each: what it draws is decoded to legal music, and given voices stay."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from genwright.core import component
from genwright.core.protocols import Clock, Fitted
from genwright.core.representations import representation_of
from genwright.families.store import build_family
from genwright.modalities.music.config import MusicRollConfig, MusicTokensConfig
from genwright.modalities.music.modality import MusicModality
from genwright.modalities.music.roll import RollCodec
from genwright.modalities.music.tokens import MusicTokens
from genwright.systems.rows import RowSystem
from genwright.trainer.rows import RowFeed, to_batch

FAMILIES = [
    ({"kind": "autoregressive"}, "tokens"),
    ({"kind": "diffusion"}, "tokens"),
    ({"kind": "vae", "width": 16, "num_layers": 1, "prior": "normal"}, "tokens"),
    ({"kind": "latent", "autoencoder": {"kind": "vae", "width": 16, "num_layers": 1}}, "tokens"),
    ({"kind": "markov"}, "tokens"),
    ({"kind": "gan"}, "roll"),
    ({"kind": "vae", "width": 8, "prior": "normal"}, "roll"),
    ({"kind": "diffusion", "steps": 2}, "roll"),
]
HARMONISES = [pair for pair in FAMILIES if pair[0]["kind"] in ("autoregressive", "diffusion", "vae", "markov")]


def windows(count=8):
    rng = np.random.default_rng(0)
    lows = {"soprano": 64, "alto": 60, "tenor": 52, "bass": 43}
    return pa.table(
        {
            name: [" ".join(f"{low + step} _" for step in rng.integers(0, 8, 4)) for _ in range(count)]
            for name, low in lows.items()
        }
    )


def fitted(settings, form):
    rows = windows()
    codec = (
        RollCodec.fit(MusicRollConfig(), rows=[rows])
        if form == "roll"
        else MusicTokens.fit(MusicTokensConfig(), rows=[rows])
    )
    entry = component("families", settings["kind"])
    assert representation_of(codec.shape) in entry.accepts
    config = entry.config.parse(settings, where="family").resolve(depth=1, shape=codec.shape)
    family = build_family(config, shape=codec.shape, seed=0)
    if isinstance(family, Fitted):
        feed = RowFeed(codec.encode(rows), shape=codec.shape, seed=0, device="cpu", shuffle=False)
        family.fit(feed.all_batches(size=8), rng=torch.Generator().manual_seed(0))
    else:
        torch.manual_seed(0)
        for _, loss, _ in family.losses(to_batch(codec.encode(rows), shape=codec.shape), Clock(0, 0.0)):
            assert torch.isfinite(loss)
            loss.backward()
        family.eval()
    return RowSystem(family, codec=codec)


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "form"), FAMILIES, ids=lambda value: str(value)[:30])
def test_a_family_draws_legal_music(settings, form):
    rows = fitted(settings, form).sample(3, seed=1)
    assert MusicModality().validate(rows) == [None] * 3


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "form"), HARMONISES, ids=lambda value: str(value)[:30])
def test_a_given_soprano_is_harmonised(settings, form):
    system = fitted(settings, form)
    melody = "67 _ 69 _ 71 _ 67 _"
    rows = system.sample(2, seed=1, given=pa.table({"soprano": [melody, melody]}))
    assert rows.column("soprano").to_pylist() == [melody, melody]
    assert MusicModality().validate(rows) == [None, None]
