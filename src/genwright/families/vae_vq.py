"""An autoencoder of images whose latent is a map of codes from a learned book.

Source: VQ-VAE, arXiv:1711.00937, equation 3, with codes and encodings of length 1 (arXiv:2110.04627, section 3.2).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any, ClassVar, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genwright.core.protocols import Bound, Clock, Grid, GridShape, Tokens
from genwright.families.requests import asked, check_given, condition_for, draw
from genwright.families.vae_config import VaeConfig
from genwright.families.vae_observation import GridObservation
from genwright.nets.conv import STRIDE, ConvDecoder, ConvEncoder

COMPLETION_STEPS = 30
PSEUDO_COUNT = 0.1


class VqVae(nn.Module):
    """Codes of an image, and the image of codes.

    Codes that no encoding is near would never be used. Instead of restarting them, the loss also draws each code to
    the encoding nearest to it: a gradient, which several processes can average. `finish` counts the codes of each
    place, from which `sample` draws.
    """

    needs_float32 = True
    signs: ClassVar[Mapping[str, tuple[str, str]]] = {"perplexity": ("codes_in_use", "codes (perplexity)")}
    counts: Tensor

    def __init__(self, config: VaeConfig, *, shape: GridShape) -> None:
        super().__init__()
        assert config.width, "resolve() first"
        self.config, self.shape = config, shape
        places = -(-shape.height // STRIDE) * -(-shape.width // STRIDE)
        size = (shape.channels, shape.height, shape.width)
        rest: dict[str, Any] = {
            "width": config.width,
            "num_blocks": config.num_layers,
            "cond_size": shape.cond_size,
        }
        self.encoder = ConvEncoder(*size, **rest)
        self.project = nn.Conv2d(self.encoder.channels, config.d_code, 1)
        self.codebook = nn.Parameter(functional.normalize(torch.randn(config.num_codes, config.d_code), dim=1))
        self.decoder = ConvDecoder(*size, d_in=config.d_code, **rest)
        self.observation = GridObservation(shape)
        self.observation.noisy = bool(config.noise)
        self.register_buffer("counts", torch.zeros(places, config.num_codes))

    # --- training ------------------------------------------------------------------------------------------------

    def parts(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """One part: encoder, codes and decoder."""
        return {"net": list(self.parameters())}

    def optimisers(self) -> Mapping[str, Mapping[str, Any]]:
        """AdamW without decay, which would pull all codes together."""
        return {"net": {"kind": "adamw", "beta2": 0.99, "weight_decay": 0.0, "clip_norm": 100.0}}

    def losses(self, batch: Grid, clock: Clock) -> Generator[tuple[str, Tensor, dict[str, Tensor]], None, None]:
        """Nats of the reconstruction per entry, and how far encodings and codes are from each other.

        Logged besides: `perplexity`, the number of codes in use (the exponential of their entropy in the batch).
        """
        del clock
        encoding = self._encoding(batch)
        book = functional.normalize(self.codebook, dim=1)
        likeness = encoding.detach().flatten(0, 1) @ book.T
        ids = likeness.argmax(1)
        chosen = functional.embedding(ids.view(encoding.shape[:2]), book)
        distance = (chosen - encoding.detach()).square().sum(-1).mean()
        stray = (2.0 - 2.0 * likeness.amax(0)).mean()
        commitment = (chosen.detach() - encoding).square().sum(-1).mean()
        straight = encoding + (chosen - encoding).detach()  # arXiv:1711.00937, section 3.2
        out = self.decoder(self._map(straight), batch.cond)
        nats = self.observation.loss(out, batch.values).mean()
        share = functional.one_hot(ids, len(book)).float().mean(0)
        logs = {"loss": nats.detach(), "perplexity": torch.special.entr(share).sum().exp()}
        yield "net", nats / self.shape.size + distance + stray + self.config.commitment * commitment, logs

    @torch.no_grad()
    def finish(self, batches: Iterable[Grid], *, rng: torch.Generator) -> None:
        """The observation noise of the weights that are kept, and how often each place holds each code."""
        del rng
        squares = torch.zeros(1, dtype=torch.float64, device=self.counts.device)
        count = 0
        self.counts.zero_()
        for batch in batches:
            ids = self.codes(batch).ids
            self.counts += functional.one_hot(ids, self.config.num_codes).sum(0)
            errors = self.observation.errors(self.decoder(self._map(self._look_up(ids)), batch.cond), batch.values)
            squares += errors.double().sum(0)
            count += len(batch)
        if count:
            self.observation.settle((squares / count).float())

    # --- codes ---------------------------------------------------------------------------------------------------

    def _encoding(self, batch: Grid) -> Float[Tensor, "b p d"]:
        """Encodings of length 1, place after place."""
        out = self.project(self.encoder(batch.values, batch.cond))
        return functional.normalize(out.flatten(2).transpose(1, 2), dim=2)

    def _map(self, vectors: Float[Tensor, "b p d"]) -> Float[Tensor, "b d i j"]:
        return vectors.transpose(1, 2).reshape(len(vectors), -1, *self.decoder.map_size)

    def _look_up(self, ids: Int[Tensor, "b p"]) -> Float[Tensor, "b p d"]:
        return functional.embedding(ids, functional.normalize(self.codebook, dim=1))

    def _nearest(self, vectors: Float[Tensor, "b p d"]) -> Int[Tensor, "b p"]:
        return (vectors @ functional.normalize(self.codebook, dim=1).T).argmax(-1)

    @torch.no_grad()
    def codes(self, batch: Grid) -> Tokens:
        """The codes of each image, row after row of the map."""
        return Tokens(self._nearest(self._encoding(batch)), cond=batch.cond)

    @torch.no_grad()
    def decode_codes(self, codes: Tokens, *, temperature: float = 1.0, rng: torch.Generator | None = None) -> Grid:
        """The images of those codes."""
        told = condition_for(codes.cond, shape=self.shape, count=len(codes), device=codes.ids.device)
        out = self.decoder(self._map(self._look_up(codes.ids)), told)
        return Grid(self.observation.draw(out, temperature=temperature if rng else 0.0, rng=rng), told)

    @torch.no_grad()
    def log_likelihood(self, batch: Grid, codes: Tokens) -> Float[Tensor, " b"]:
        """Log-mass of each image's levels given its codes, in nats."""
        out = self.decoder(self._map(self._look_up(codes.ids)), batch.cond)
        return self.observation.log_prob(out, batch.values)

    def embed(self, batch: Grid) -> Float[Tensor, "b z"]:
        """The vectors of the codes, place after place."""
        return self._look_up(self.codes(batch).ids).flatten(1)

    def decode_latent(
        self,
        z: Float[Tensor, "b z"],
        *,
        cond: Any = None,
        temperature: float = 1.0,
        rng: torch.Generator | None = None,
    ) -> Grid:
        """The images of the codes nearest to what `embed` gives."""
        ids = self._nearest(z.view(len(z), -1, self.config.d_code))
        return self.decode_codes(Tokens(ids, cond=cond), temperature=temperature, rng=rng)

    def reconstruct(self, batch: Grid) -> Grid:
        """The images of an image's own codes."""
        return self.decode_codes(self.codes(batch))

    # --- likelihood and sampling ---------------------------------------------------------------------------------

    def _code_logits(self) -> Float[Tensor, "p v"]:
        return (self.counts + PSEUDO_COUNT).log().log_softmax(1)

    @torch.no_grad()
    def log_prob(self, batch: Grid) -> Bound:
        """Log p(codes) + log p(image | codes) at the image's own codes: one term of a sum, so a lower bound."""
        codes = self.codes(batch)
        told = self._code_logits().expand(len(batch), -1, -1).gather(2, codes.ids[..., None])[..., 0].double()
        return Bound(told.sum(1) + self.log_likelihood(batch, codes), "lower")

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        given: Any = None,
        cond: Any = None,
        guidance: float = 1.0,
        steps: int | None = None,
        temperature: float = 1.0,
        rng: torch.Generator | None = None,
    ) -> Grid:
        """`n` images of codes that are drawn place by place, or completions of `given`.

        Raises:
            CapabilityError: guidance, or arguments that do not fit.
        """
        told = asked(
            self, n, cond=cond, guidance=guidance, steps=steps, temperature=temperature, device=self.counts.device
        )
        logits = self._code_logits().expand(n, -1, -1)
        ids = draw(logits, temperature=temperature, rng=rng)
        start = self.decode_codes(Tokens(ids, cond=told), temperature=temperature, rng=rng)
        return start if given is None else self.complete(start, given, steps=steps)

    @torch.no_grad()
    def complete(self, start: Grid, given: Any, *, steps: int | None = None) -> Grid:
        """Images that agree with `given`: from `start`, encoded and decoded `steps` times with known entries put in.

        Raises:
            CapabilityError: `given` does not fit.
        """
        found = check_given(given, entries=start.values.shape[1:], n=len(start))
        known, fixed = found.known.to(start.values.device), cast("Grid", found.batch).values.to(start.values)
        values = start.values
        for _ in range(steps or COMPLETION_STEPS):
            values = self.reconstruct(Grid(torch.where(known, fixed, values), start.cond)).values
        return Grid(torch.where(known, fixed, values), start.cond)
