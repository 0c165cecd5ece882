"""For all tests: shapes in signatures are checked at every call; without a registry, what needs one is skipped."""

import pytest
from jaxtyping import install_import_hook

SHAPED = [
    "genwright.nets.lstm",
    "genwright.nets.attention",
    "genwright.nets.net",
    "genwright.nets.mixture",
    "genwright.nets.transformer",
    "genwright.nets.loss",
    "genwright.families.decoding",
    "genwright.families.sampler",
]
install_import_hook(SHAPED, "beartype.beartype")


UNREACHABLE = "cannot be downloaded"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Skips a test marked `network` whose package is neither in the cache nor to be had."""
    try:
        return (yield)
    except Exception as error:
        if item.get_closest_marker("network") and UNREACHABLE in str(error):
            pytest.skip(f"no package registry: {error}")
        raise
