"""Numbers with their error: scores tables, estimates derived from them, two-sample scores, paired tests, power."""

from genwright.measure.arrays import read_arrays
from genwright.measure.c2st import classifier_scores
from genwright.measure.correction import holm
from genwright.measure.coverage import Neighbourhoods, neighbourhoods
from genwright.measure.derive import derive
from genwright.measure.nearest import nearest_rows
from genwright.measure.paired import Paired, non_inferiority, pair
from genwright.measure.power import (
    power_paired_means,
    power_proportions,
    sample_size_paired_means,
    sample_size_proportions,
)
from genwright.measure.scores import read_scores, write_scores
from genwright.measure.unpaired import independent_difference

__all__ = [
    "Neighbourhoods",
    "Paired",
    "classifier_scores",
    "derive",
    "holm",
    "independent_difference",
    "nearest_rows",
    "neighbourhoods",
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
