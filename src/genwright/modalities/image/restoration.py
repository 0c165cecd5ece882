"""How well a system restores held-out pictures that were damaged, beside what is usual without a model."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

from genwright.core import ClaimDraft, DataError, Derivation
from genwright.modalities.image.config import RestorationConfig
from genwright.modalities.image.pixels import Levels, pixels_of

Floats = NDArray[np.float64]
WIDTHS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.2, 1.5)
WINDOW = 1.5  # deviation in pixels of the window of SSIM
MEASURES = {"psnr": "dB", "ssim": "1"}


class Restorer(Protocol):
    """A system over pictures whose family can do this."""

    def denoise(self, levels: Levels, /, *, noise: float) -> pa.Table: ...
    def upscale(self, levels: Levels, /, *, seed: int) -> pa.Table: ...


def restored_rows(
    system: Restorer, *, train: pa.Table, test: pa.Table, config: RestorationConfig, seed: int
) -> list[dict[str, Any]]:
    """One row per task and held-out picture: PSNR and SSIM of the system and of what is usual.

    Noise is Gaussian and the noisy picture is rounded to levels; beside it stands a Gaussian blur of the width that
    suits train pictures best. A smaller picture has the block means; beside it stands bicubic enlargement.

    Raises:
        CapabilityError: the family cannot do this.
        DataError: pictures cannot be made smaller by that scale.
    """
    rng = np.random.default_rng(seed)
    clean = pixels_of(test.slice(0, config.pictures))
    groups = test.column("group").to_pylist()[: len(clean)]
    out: list[dict[str, Any]] = []
    if config.noise:
        noise = config.noise
        known = pixels_of(train.slice(0, config.pictures))
        width = _best_width(known, _noisy(known, noise, rng))
        damaged = _noisy(clean, noise, rng)
        made = pixels_of(system.denoise(damaged, noise=noise))
        out += _rows("denoise", clean, made, _blurred(damaged, width), groups)
    if config.scale > 1:
        small = _smaller(clean, config.scale)
        made = pixels_of(system.upscale(small, seed=seed))
        out += _rows("upscale", clean, made, _bicubic(small, config.scale), groups)
    return out


def restoration_claims(config: RestorationConfig, *, level: float, resamples: int) -> list[ClaimDraft]:
    """PSNR and SSIM of both, and how much higher the system's are, paired by picture."""
    shared: dict[str, Any] = {"interval": "bootstrap", "level": level, "cluster": "group", "resamples": resamples}
    tasks = []
    if config.noise:
        tasks.append(("denoise", f"noise {config.noise:g} taken away", "Gaussian blur"))
    if config.scale > 1:
        tasks.append(("upscale", f"{config.scale} times larger", "bicubic"))
    drafts = []
    for task, done, usual in tasks:
        where = {"task": task}
        for name, unit in MEASURES.items():
            own = Derivation("mean", {"value": name}, where=where, **shared)
            other = Derivation("mean", {"value": f"{name}_usual"}, where=where, **shared)
            gain = Derivation("mean_difference", {"a": name, "b": f"{name}_usual"}, where=where, **shared)
            drafts += [
                _draft(f"restored_{name}", unit, own, done),
                _draft(f"restored_{name}", unit, other, f"reference: {usual}, {done}"),
                _draft(f"restored_{name}_gain", unit, gain, f"{done}, over {usual}"),
            ]
    return drafts


def _draft(metric: str, unit: str, derivation: Derivation, label: str) -> ClaimDraft:
    return ClaimDraft(
        "system", metric, unit, "generation_scores", derivation, label=label, data="dataset", better="higher"
    )


def _rows(task: str, clean: Levels, made: Levels, usual: Levels, groups: list[str]) -> list[dict[str, Any]]:
    scores = {
        f"{name}{end}": measure(clean, pictures)
        for end, pictures in (("", made), ("_usual", usual))
        for name, measure in (("psnr", psnr), ("ssim", ssim))
    }
    return [
        {"candidate": "restored", "task": task, "group": group, **{name: float(v[at]) for name, v in scores.items()}}
        for at, group in enumerate(groups)
    ]


def psnr(clean: Levels, other: Levels, /) -> Floats:
    """(n,) peak signal-to-noise ratios in dB; an error of less than a hundredth of a level counts as that."""
    error = ((clean.astype(np.float64) - other) ** 2).mean(axis=(1, 2, 3))
    return np.asarray(10 * np.log10(255.0**2 / np.maximum(error, 1e-4)))


def ssim(clean: Levels, other: Levels, /) -> Floats:
    """(n,) structural similarities, the mean over pixels and channels.

    Source: Wang et al. 2004 (IEEE Transactions on Image Processing 13), equation 13, window of deviation 1.5.
    """
    x, y = clean.astype(np.float64), other.astype(np.float64)

    def local(values: Floats) -> Floats:
        return np.asarray(gaussian_filter(values, (0, 0, WINDOW, WINDOW), truncate=3.5))

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_x, mean_y = local(x), local(y)
    var_x, var_y = local(x * x) - mean_x**2, local(y * y) - mean_y**2
    both = local(x * y) - mean_x * mean_y
    found = (2 * mean_x * mean_y + c1) * (2 * both + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return np.asarray(found.mean(axis=(1, 2, 3)))


def _levels(values: Floats) -> Levels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _noisy(clean: Levels, noise: float, rng: np.random.Generator) -> Levels:
    return _levels(clean + 255.0 * noise * rng.standard_normal(clean.shape))


def _blurred(levels: Levels, width: float) -> Levels:
    return _levels(gaussian_filter(levels.astype(np.float64), (0, 0, width, width)))


def _best_width(clean: Levels, noisy: Levels) -> float:
    return max(WIDTHS, key=lambda width: float(psnr(clean, _blurred(noisy, width)).mean()))


def _smaller(clean: Levels, scale: int) -> Levels:
    n, channels, height, width = clean.shape
    if height % scale or width % scale:
        raise DataError(
            f"evaluate.metrics.restoration: pictures of {width}x{height} pixels are no whole multiple of {scale}",
            hint="choose another scale, or 1 for none",
        )
    blocks = clean.reshape(n, channels, height // scale, scale, width // scale, scale).astype(np.float64)
    return _levels(blocks.mean(axis=(3, 5)))


def _bicubic(small: Levels, scale: int) -> Levels:
    size = (small.shape[3] * scale, small.shape[2] * scale)

    def larger(plane: Levels) -> Levels:
        return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BICUBIC))

    return np.stack([np.stack([larger(plane) for plane in picture]) for picture in small])
