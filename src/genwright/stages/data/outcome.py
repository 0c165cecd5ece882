"""What a cleaning step answers, and the record a document leaves."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """The document stays, with this text."""

    text: str
    num_redactions: int = 0


@dataclass(frozen=True)
class Dropped:
    """The document goes. `reason` is the same for all of its kind; `detail` is particular to it."""

    reason: str
    detail: str = ""


Outcome = Kept | Dropped


@dataclass(slots=True)
class Row:
    """The fate of one document: what the scores table and the split need, without its text."""

    id: str
    source: str
    group: str
    bytes_in: int
    bytes_out: int = 0
    reason: str = ""
    step: str = ""
    num_redactions: int = 0
    passages_removed: int = 0
    near_duplicate: bool | None = None
    split: str = ""
    test_ngrams: int | None = None
    test_ngrams_in_train: int | None = None

    @property
    def kept(self) -> bool:
        """Whether no step has dropped the document."""
        return not self.reason
