"""A system on this machine whose samples stand for themselves: a family with its codec."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from genwright.core import CapabilityError, SpecError, modality_component
from genwright.core.protocols import (
    BoundKind,
    Encoded,
    Given,
    GridShape,
    ModelledModality,
    RowBatch,
    RowCodec,
    Tokens,
    TokenShape,
)
from genwright.core.rng import derive_seed
from genwright.families.store import load_family
from genwright.modalities.codec import load_codec
from genwright.systems.manifest import DrawingConfig, Manifest
from genwright.systems.properties import Predictions, PropertyHead
from genwright.trainer.rows import to_batch

ROWS_AT_ONCE = 256
ABILITIES = {"denoise": "denoise", "upscale": "super_resolve"}  # of a family over pictures, by its method


class RowSystem:
    """Makes samples, completes partly known ones, and says how likely a sample is where its family can."""

    def __init__(self, family: Any, *, codec: RowCodec, manifest: Manifest | None = None, device: str = "cpu") -> None:
        self.family, self.codec, self.manifest = family, codec, manifest
        self.head: PropertyHead | None = None
        self._device = device

    @classmethod
    def load(cls, manifest: Manifest, /, *, locate: Callable[[str], Path], device: str = "cpu") -> RowSystem:
        """The system of that manifest; `locate` gives an artifact's folder by its digest."""
        family = load_family(locate(manifest.model), device=device)
        return cls(family, codec=load_codec(locate(manifest.codec)), manifest=manifest, device=device)

    @property
    def capabilities(self) -> frozenset[str]:
        """`sample`, and as family and evaluation allow: `denoise` and `upscale` pictures, `interpolate`, `predict`."""
        found = ABILITIES if isinstance(self.codec.shape, GridShape) else {}
        able = {name for name, method in found.items() if hasattr(self.family, method)}
        if hasattr(self.family, "embed") and hasattr(self.family, "decode_latent"):
            able.add("interpolate")
        return frozenset({"sample", *able, *(["predict"] if self.head is not None else [])})

    @property
    def modality(self) -> ModelledModality:
        """The modality that its samples are of."""
        assert self.manifest is not None, "a system with a manifest"
        found: ModelledModality = modality_component(self.manifest.modality).load()()
        return found

    def sample(
        self,
        n: int,
        /,
        *,
        seed: int = 0,
        given: pa.Table | None = None,
        conditions: pa.Table | None = None,
        guidance: float | None = None,
        steps: int | None = None,
        temperature: float | None = None,
    ) -> pa.Table:
        """`n` samples as rows with the modality's columns, drawn as they were when the system was measured.

        What is said here of `guidance`, `steps` and `temperature` comes before the manifest. Without `conditions` there
        is nothing to guide towards, and the manifest's guidance is left out.

        `given` holds n rows of which null cells are filled in; `conditions` n rows with the columns that the codec is
        conditioned on. Rows come in blocks with seeds of their own, so that more samples begin with the same ones.

        Raises:
            CapabilityError: the family cannot do what is asked.
            DataError: a given cell or condition is none that the codec knows.
        """
        drawing = self.manifest.drawing if self.manifest else DrawingConfig()
        if guidance is None:
            guidance = drawing.guidance if conditions is not None else 1.0
        blocks = []
        for at in range(0, n, ROWS_AT_ONCE):
            count = min(ROWS_AT_ONCE, n - at)
            rng = torch.Generator().manual_seed(derive_seed(seed, f"samples from {at}"))
            batch = self.family.sample(
                count,
                given=None if given is None else self._given(given.slice(at, count)),
                cond=self._usual(count) if conditions is None else self._conditions(conditions.slice(at, count)),
                guidance=guidance,
                steps=drawing.steps if steps is None else steps,
                temperature=drawing.temperature if temperature is None else temperature,
                rng=rng,
            )
            encoded = to_encoded(batch, shape=self.codec.shape)
            if given is not None and hasattr(self.codec, "decode_given"):
                blocks.append(self.codec.decode_given(encoded, given.slice(at, count)))
            else:
                blocks.append(self.codec.decode(encoded))
        rows = pa.concat_tables(blocks)
        return self.codec.with_keys(rows) if hasattr(self.codec, "with_keys") else rows

    def log_prob(self, rows: pa.Table, /) -> tuple[NDArray[np.float64] | None, BoundKind]:
        """Nats of each row, and what kind of number they are; None where the family has no likelihood."""
        found: list[NDArray[np.float64]] = []
        kind: BoundKind = "none"
        for at in range(0, len(rows), ROWS_AT_ONCE):
            encoded = self.codec.encode(rows.slice(at, ROWS_AT_ONCE))
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                torch.manual_seed(derive_seed(0, f"bound from {at}"))
                bound = self.family.log_prob(to_batch(encoded, shape=self.codec.shape, device=self._device))
            if bound.value is None:
                return None, "none"
            found.append(bound.value.double().cpu().numpy())
            kind = bound.kind
        return (np.concatenate(found), kind) if found else (None, "none")

    def embed(self, rows: pa.Table, /, *, hidden: Sequence[str] = ()) -> NDArray[np.float64] | None:
        """The family's embedding of each row (n, d), None where it has none.

        It is told nothing of the columns `hidden`, nor of those that it was conditioned on.
        """
        if not hasattr(self.family, "embed"):
            return None
        conditions = getattr(getattr(self.codec, "conditioner", None), "names", ())
        rows = rows.drop_columns([name for name in conditions if name in rows.column_names])
        for name in hidden:
            if name in rows.column_names:
                place = rows.column_names.index(name)
                rows = rows.set_column(place, name, pa.nulls(len(rows), rows.column(name).type))
        found: list[NDArray[np.float64]] = []
        for at in range(0, len(rows), ROWS_AT_ONCE):
            encoded = self.codec.encode(rows.slice(at, ROWS_AT_ONCE))
            batch = to_batch(encoded, shape=self.codec.shape, device=self._device)
            with torch.no_grad():
                found.append(self.family.embed(batch).double().cpu().numpy())
        return np.concatenate(found) if found else None

    def predict(self, rows: pa.Table, /) -> Predictions:
        """The numbers of `[evaluate.properties]` of each row, with intervals, and whether it is inside the domain.

        Raises:
            CapabilityError: the system was measured without `[evaluate.properties]`.
        """
        if self.head is None or self.manifest is None or self.manifest.properties is None:
            raise CapabilityError(
                "this system predicts no properties", hint="say which in [evaluate.properties] columns, and evaluate"
            )
        asked = self.manifest.properties
        embeddings = self.embed(rows, hidden=asked.columns)
        assert embeddings is not None, "a head is fitted to embeddings"
        return self.head.predict(embeddings, neighbours=asked.neighbours)

    def reconstruction_error(self, rows: pa.Table, /) -> NDArray[np.float64] | None:
        """The mean squared error of each row after the family's latent, None where it has none.

        It is of entries as the family sees them: levels from -1 to 1, numbers standardised.
        """
        if not (hasattr(self.family, "embed") and hasattr(self.family, "decode_latent")):
            return None
        found: list[NDArray[np.float64]] = []
        for at in range(0, len(rows), ROWS_AT_ONCE):
            encoded = self.codec.encode(rows.slice(at, ROWS_AT_ONCE))
            batch = to_batch(encoded, shape=self.codec.shape, device=self._device)
            if isinstance(batch, Tokens):
                return None
            with torch.no_grad():
                made = self.family.decode_latent(self.family.embed(batch), cond=batch.cond)
            error = (made.values - batch.values).square().flatten(1).mean(1)
            found.append(error.double().cpu().numpy())
        return np.concatenate(found) if found else None

    def interpolate(self, ends: pa.Table, n: int, /) -> pa.Table:
        """`n` samples on the way through the latent from the first row of `ends` to the second, both included.

        The angle grows evenly, which keeps the length of a latent where the prior expects it (arXiv:1609.04468).

        Raises:
            CapabilityError: the family has no latent that it can decode.
            SpecError: both ends are more than the samples that are asked for.
            DataError: an end is none that the codec knows.
        """
        self._need("interpolate")
        if n < 2:
            raise SpecError(f"{n} samples hold no way from one to another", hint="ask for 2 or more: both ends count")
        latents = self.embed(ends)
        assert latents is not None and len(latents) == 2, "two ends"
        path = torch.from_numpy(_arc(latents[0], latents[1], np.linspace(0.0, 1.0, n))).float().to(self._device)
        with torch.no_grad():
            made = self.family.decode_latent(path, cond=self._usual(n))
        return self.codec.decode(to_encoded(made, shape=self.codec.shape))

    def denoise(
        self, levels: NDArray[np.uint8], /, *, noise: float, steps: int = 1, conditions: pa.Table | None = None
    ) -> pa.Table:
        """Pictures (n, c, h, w) without Gaussian noise of that standard deviation, in parts of the range of levels.

        One step gives the expected picture, which is smooth; more steps give a sharper one that could have been.

        Raises:
            CapabilityError: the family cannot.
        """
        self._need("denoise")
        cond = None if conditions is None else self._conditions(conditions).cpu().numpy()
        batch = to_batch(Encoded(levels, cond=cond), shape=self.codec.shape, device=self._device)
        found = self.family.denoise(batch, noise_level=2.0 * noise, steps=steps)  # levels are scaled to [-1, 1]
        return self.codec.decode(to_encoded(found, shape=self.codec.shape))

    def upscale(
        self,
        levels: NDArray[np.uint8],
        /,
        *,
        seed: int = 0,
        steps: int | None = None,
        guidance: float = 1.0,
        conditions: pa.Table | None = None,
    ) -> pa.Table:
        """Pictures of the system's size whose block means are the smaller pictures (n, c, h, w).

        Raises:
            CapabilityError: the family cannot, or their size is no whole fraction of the system's.
        """
        self._need("upscale")
        low = to_batch(Encoded(levels), shape=self.codec.shape, device=self._device)
        cond = None if conditions is None else self._conditions(conditions)
        rng = torch.Generator().manual_seed(derive_seed(seed, "upscale"))
        found = self.family.super_resolve(low, cond=cond, guidance=guidance, steps=steps, rng=rng)
        return self.codec.decode(to_encoded(found, shape=self.codec.shape))

    def _need(self, ability: str) -> None:
        if ability not in self.capabilities:
            able = "'vae' and 'latent'" if ability == "interpolate" else "'diffusion' over pictures"
            raise CapabilityError(
                f"this system cannot {ability} (it can: {', '.join(sorted(self.capabilities))})",
                hint=f"train.family: {able} can",
            )

    def _given(self, rows: pa.Table) -> Given:
        encoded = self.codec.encode_given(rows)
        if encoded.known is None:
            raise CapabilityError("this codec cannot say which part of a sample is given", hint="leave `given` out")
        batch = to_batch(encoded, shape=self.codec.shape, device=self._device)
        return Given(batch, torch.from_numpy(np.array(encoded.known)).to(self._device))

    def _usual(self, count: int) -> torch.Tensor | None:
        """What a codec with conditions of its own tells where nothing is asked for."""
        told = self.codec.usual_condition(count) if hasattr(self.codec, "usual_condition") else None
        return None if told is None else torch.from_numpy(told).to(self._device)

    def _conditions(self, rows: pa.Table) -> torch.Tensor:
        conditioner = getattr(self.codec, "conditioner", None)
        if conditioner is None:
            raise CapabilityError("this system was trained without a condition", hint="set fit.condition, and train")
        return torch.from_numpy(conditioner.encode(rows)).to(self._device)


def _arc(first: NDArray[np.float64], last: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n, d) at those shares of the way; a line where both ends lie in one direction."""
    lengths = float(np.linalg.norm(first)) * float(np.linalg.norm(last))
    angle = float(np.arccos(np.clip(first @ last / lengths, -1.0, 1.0))) if lengths else 0.0
    if not 1e-6 < angle < np.pi - 1e-6:
        return first + shares[:, None] * (last - first)
    ways = np.sin(np.stack([1.0 - shares, shares], axis=1) * angle) / np.sin(angle)
    return np.asarray(ways @ np.stack([first, last]))


def to_encoded(batch: RowBatch, /, *, shape: Any) -> Encoded:
    """A batch as arrays for a codec: marks and padding of tokens taken off, images back to their levels."""
    if isinstance(batch, Tokens):
        ids = batch.ids.cpu().numpy()
        assert isinstance(shape, TokenShape)
        if shape.cells:
            return Encoded(ids)
        body = ids[:, 1:]
        ended = np.cumsum(body == shape.eos_id, axis=1) > 0
        return Encoded(body, lengths=(~ended).sum(axis=1).astype(np.int64))
    values = batch.values.float().cpu().numpy()
    if values.ndim == 4 and getattr(shape, "levels", 0) == 256:
        return Encoded(np.clip(np.round((values + 1.0) * 127.5), 0, 255).astype(np.uint8))
    return Encoded(values)
