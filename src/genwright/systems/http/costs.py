"""What a model behind another server was asked for, and what that costs at the prices that are configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genwright.core import ClaimDraft, Derivation
from genwright.systems.http.client import Client
from genwright.systems.http.settings import UNPINNED

Columns = dict[str, list[Any]]
UNITS = {"requests": "requests", "retries": "requests", "input_tokens": "tokens", "output_tokens": "tokens",
         "price": "currency"}  # fmt: skip


def spending(system: Any, /) -> dict[str, float] | None:
    """All that such a system, under a prompt or not, was asked for so far; None for a system that runs here.

    Tokens are those that the server counts. Requests that failed are counted by none.
    """
    client = getattr(system, "client", None)
    if not isinstance(client, Client):
        return None
    spent = client.spent
    return {name: float(getattr(spent, name)) for name in UNITS if name != "price"} | {
        "price": spent.price(client.settings)
    }


def cost_columns(spent: Mapping[str, Mapping[str, float]], /) -> Columns:
    """A row per side."""
    return {"side": list(spent), **{name: [one[name] for one in spent.values()] for name in UNITS}}


def cost_claims(subject: str, table: str, sides: Sequence[tuple[str, str]], /) -> list[ClaimDraft]:
    """The claims of each (side, label)."""
    return [
        ClaimDraft(
            subject, f"remote_{name}", unit, table, Derivation("sum", {"value": name}, where={"side": side}),
            label="; ".join(part for part in (label, UNPINNED) if part), better="lower", headline=name == "price",
        )
        for side, label in sides
        for name, unit in UNITS.items()
    ]  # fmt: skip
