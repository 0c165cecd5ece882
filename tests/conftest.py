"""For all tests: where signatures state shapes, shapes and types are checked at every call."""

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
