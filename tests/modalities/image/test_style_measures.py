"""What style transfer is measured by: edges that are left, and colours alone as the baseline."""

import numpy as np

from genwright.modalities.image.style.colours import with_colours_of
from genwright.modalities.image.style.edges import edges, ssim

from .pictures import bars


def test_edges_are_those_of_the_picture_whatever_its_colours():
    values, names = bars(40, 0, side=32)
    lying = next(one for one, name in zip(values, names, strict=True) if name == "lying")
    standing = next(one for one, name in zip(values, names, strict=True) if name == "standing")
    inverted, red = 255 - lying, np.concatenate([lying, lying // 4, lying // 4])
    own = edges(lying)
    assert own.max() == 1.0
    assert ssim(own, own) == 1.0
    assert ssim(own, edges(inverted)) > 0.999
    assert ssim(own, edges(red)) > 0.9
    assert ssim(own, edges(standing)) < 0.5
    assert not edges(np.full((3, 32, 32), 7, dtype=np.uint8)).any()


def test_ssim_is_that_of_the_paper_on_flat_maps():
    flat = np.full((16, 16), 0.5)
    np.testing.assert_allclose(ssim(flat, flat / 2), (2 * 0.125 + 1e-4) / (0.25 + 0.0625 + 1e-4))


def test_the_baseline_carries_means_and_deviations_over_and_nothing_else():
    content, style = (bars(1, seed, side=32, channels=3)[0][0] for seed in (1, 2))
    style = (style // 2 + np.array([40, 60, 80])[:, None, None]).astype(np.uint8)
    found = with_colours_of(content, style)
    np.testing.assert_allclose(found.mean((1, 2)), style.mean((1, 2)), atol=2)
    np.testing.assert_allclose(found.std((1, 2)), style.std((1, 2)), atol=2)
    assert np.corrcoef(found[0].ravel(), content[0].ravel())[0, 1] > 0.95
    flat = np.full((3, 8, 8), 9, dtype=np.uint8)
    np.testing.assert_array_equal(with_colours_of(flat, style)[0], np.round(style[0].mean()))
