"""Numbers with their error: scores tables, estimates derived from them, paired tests, power."""

from genwright.measure.arrays import read_arrays
from genwright.measure.correction import holm
from genwright.measure.derive import derive
from genwright.measure.paired import Paired, non_inferiority, pair
from genwright.measure.power import (
    power_paired_means,
    power_proportions,
    sample_size_paired_means,
    sample_size_proportions,
)
from genwright.measure.scores import read_scores, write_scores

__all__ = [
    "Paired",
    "derive",
    "holm",
    "non_inferiority",
    "pair",
    "power_paired_means",
    "power_proportions",
    "read_arrays",
    "read_scores",
    "sample_size_paired_means",
    "sample_size_proportions",
    "write_scores",
]
