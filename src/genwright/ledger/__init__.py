"""Runs, artifacts, claims and their lineage: append-only, chained, content-addressed."""

from genwright.core.lock import exclusive, is_held
from genwright.ledger.entries import Entries, Entry
from genwright.ledger.ledger import Ledger, RunRecord, Staged, claim_of
from genwright.ledger.store import Store

__all__ = [
    "Entries",
    "Entry",
    "Ledger",
    "RunRecord",
    "Staged",
    "Store",
    "claim_of",
    "exclusive",
    "is_held",
]
