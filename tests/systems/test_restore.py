"""Restoring a picture: diffusion that knows bars takes noise away, enlarges and completes."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from genwright.cli.main import main
from genwright.core import CapabilityError, DataError, SpecError, component
from genwright.families.store import build_family
from genwright.measure import derive
from genwright.modalities.image.config import GridConfig, RestorationConfig
from genwright.modalities.image.grid import GridCodec
from genwright.modalities.image.pixels import pictures_of
from genwright.modalities.image.restoration import psnr, restoration_claims, restored_rows, ssim
from genwright.systems.restore import restore_file
from genwright.systems.rows import RowSystem

SIDE = 8


def bars(n, seed):
    """(n, 1, 8, 8): a bright column on dark ground."""
    values = np.full((n, 1, SIDE, SIDE), 20, dtype=np.uint8)
    for one, at in zip(values, np.random.default_rng(seed).integers(0, SIDE // 2, n), strict=True):
        one[:, :, 2 * at : 2 * at + 2] = 230
    return values


def system_of(kind, **settings):
    codec = GridCodec.fit(GridConfig(), rows=[pa.table({"image": pictures_of(bars(2, 0))})])
    config = component("families", kind).config.parse({"kind": kind, **settings}, where=kind)
    return RowSystem(build_family(config.resolve(depth=1, shape=codec.shape), shape=codec.shape, seed=0), codec=codec)


class Exact(torch.nn.Module):
    """The best denoiser of pictures that are one of a few: their mean, weighted by how likely each is."""

    def __init__(self, pictures):
        super().__init__()
        self.pictures = torch.nn.Parameter(torch.from_numpy(pictures).float() / 127.5 - 1.0)

    def forward(self, x, sigma, cond):
        self.seen = float(sigma[0])
        gap = (x[:, None] - self.pictures).square().flatten(2).sum(2)
        weights = torch.softmax(-gap / (2.0 * sigma[:, None] ** 2), dim=1)
        return torch.einsum("nk,kchw->nchw", weights, self.pictures)


@pytest.fixture(scope="module")
def trained():
    system = system_of("diffusion", net={"kind": "unet", "width": 8}, steps=12)
    system.family.denoiser = Exact(np.unique(bars(32, 1), axis=0))
    return system


def restore(system, image, out, **settings):
    return restore_file(system, settings, image=image, out=out)


def write(levels, path, mode="L"):
    Image.fromarray(levels, mode).save(path)
    return path


def test_noise_is_taken_away(trained, tmp_path):
    clean = bars(1, 5)[0, 0]
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 0.2 * 255, clean.shape), 0, 255).astype(np.uint8)
    found = restore(trained, write(noisy, tmp_path / "n.png"), tmp_path / "o.png", task="denoise", noise=0.2)
    error = lambda one: np.abs(one.astype(float) - clean).mean()  # noqa: E731
    assert error(found[0]) < 2 < error(noisy)
    assert trained.family.denoiser.seen == pytest.approx(0.4)  # entries go from -1 to 1
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "o.png")), found[0])


def test_a_small_picture_is_enlarged_with_its_block_means(trained, tmp_path):
    clean = bars(1, 6)[0, 0]
    low = clean.reshape(4, 2, 4, 2).mean((1, 3)).astype(np.uint8)
    found = restore(trained, write(low, tmp_path / "l.png"), tmp_path / "o.png", task="upscale", scale=2, seed=3)
    assert found.shape == (1, SIDE, SIDE)
    assert np.abs(found[0].reshape(4, 2, 4, 2).mean((1, 3)) - low).max() <= 2
    again = restore(trained, tmp_path / "l.png", tmp_path / "p.png", task="upscale", scale=2, seed=3)
    np.testing.assert_array_equal(found, again)


def test_what_is_transparent_is_filled_in(trained, tmp_path):
    clean = bars(1, 7)[0, 0]
    alpha = np.full_like(clean, 255)
    alpha[4:] = 0
    write(np.stack([clean, alpha], -1), tmp_path / "h.png", "LA")
    found = restore(trained, tmp_path / "h.png", tmp_path / "o.png", task="inpaint")
    np.testing.assert_array_equal(found[0, :4], clean[:4])
    assert np.abs(found[0, 4:].astype(float) - clean[4:]).max() <= 2
    write(clean, tmp_path / "whole.png")
    with pytest.raises(DataError, match=r"whole\.png is wholly opaque"):
        restore(trained, tmp_path / "whole.png", tmp_path / "o.png", task="inpaint")


def test_what_a_system_can_is_found_in_its_family(trained, tmp_path):
    assert trained.capabilities == {"sample", "denoise", "upscale"}
    other = system_of("vae", width=8)
    assert other.capabilities == {"sample", "interpolate"}
    path = write(bars(1, 1)[0, 0], tmp_path / "a.png")
    for settings in ({"task": "denoise", "noise": 0.1}, {"task": "upscale"}):
        picture = path if settings["task"] == "denoise" else write(bars(1, 1)[0, 0, ::2, ::2], tmp_path / "s.png")
        with pytest.raises(CapabilityError, match="it can: interpolate, sample"):
            restore(other, picture, tmp_path / "o.png", **settings)
    with pytest.raises(CapabilityError, match="no pictures"):
        restore(object(), path, tmp_path / "o.png", task="inpaint")


def test_what_does_not_fit_is_said(trained, tmp_path):
    path = write(bars(1, 1)[0, 0], tmp_path / "a.png")
    with pytest.raises(SpecError, match="noise"):
        restore(trained, path, tmp_path / "o.png", task="denoise")
    with pytest.raises(DataError, match="8x8 pixels"):
        restore(trained, path, tmp_path / "o.png", task="upscale", scale=4)
    with pytest.raises(DataError, match=r"missing\.png"):
        restore(trained, tmp_path / "missing.png", tmp_path / "o.png", task="denoise", noise=0.1)
    with pytest.raises(SpecError, match="PNG"):
        restore(trained, path, tmp_path / "o.jpg", task="inpaint")
    (tmp_path / "broken.png").write_bytes(path.read_bytes()[:40])
    for settings in ({"task": "denoise", "noise": 0.1}, {"task": "upscale"}, {"task": "inpaint"}):
        with pytest.raises(DataError, match=r"broken\.png cannot be read") as raised:
            restore(trained, tmp_path / "broken.png", tmp_path / "o.png", **settings)
        assert raised.value.hint.startswith("give "), "a command has neither on_error nor --given"


def test_the_command_needs_a_project(tmp_path, capsys):
    with pytest.raises(SystemExit) as done:
        main(["restore", "a.png", "--out", "b.png", "--task", "inpaint", "-C", str(tmp_path)])
    assert done.value.code == 2
    assert "genwright.toml" in capsys.readouterr().err


def rows(levels):
    names = [f"p{at}" for at in range(len(levels))]
    return pa.table({"id": names, "group": names, "image": pictures_of(levels)})


def test_restoration_is_measured_beside_what_is_usual(trained):
    config = RestorationConfig(pictures=24, noise=0.2, scale=2)
    found = restored_rows(trained, train=rows(bars(30, 8)), test=rows(bars(30, 9)), config=config, seed=1)
    assert len(found) == 48 and {row["task"] for row in found} == {"denoise", "upscale"}
    columns = {name: [row[name] for row in found] for name in found[0]}
    claims = restoration_claims(config, level=0.95, resamples=200)
    estimates = {(draft.metric, draft.label): derive(columns, derivation=draft.derivation) for draft in claims}
    gain = estimates["restored_psnr_gain", "noise 0.2 taken away, over Gaussian blur"]
    own = estimates["restored_psnr", "noise 0.2 taken away"]
    usual = estimates["restored_psnr", "reference: Gaussian blur, noise 0.2 taken away"]
    assert gain.value == pytest.approx(own.value - usual.value) and gain.low > 5
    assert estimates["restored_ssim_gain", "2 times larger, over bicubic"].low > 0
    assert estimates["restored_ssim", "2 times larger"].value > 0.99
    odd = rows(bars(12, 9)[:, :, :7])
    with pytest.raises(DataError, match="8x7 pixels are no whole multiple of 2"):
        restored_rows(trained, train=odd, test=odd, config=config.model_copy(update={"noise": 0.0}), seed=1)


def test_psnr_and_ssim_by_hand():
    clean = np.random.default_rng(0).integers(40, 200, (2, 1, 16, 16)).astype(np.uint8)
    assert psnr(clean, clean + 10) == pytest.approx(10 * np.log10(255**2 / 100))
    assert ssim(clean, clean) == pytest.approx(1.0)
    flat, other = np.full((1, 1, 16, 16), 100, np.uint8), np.full((1, 1, 16, 16), 120, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(flat, other) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1))


def test_a_result_without_a_folder_is_refused_before_anything_is_drawn(trained, tmp_path):
    image = write(bars(1, 5)[0, 0], tmp_path / "n.png")
    with pytest.raises(SpecError, match=r"there is no folder .*missing"):
        restore(trained, image, tmp_path / "missing" / "o.png", task="denoise", noise=0.2)
