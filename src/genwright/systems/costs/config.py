"""Settings of the measurement. Imports no torch."""

from pydantic import Field

from genwright.core import Config


class CostConfig(Config):
    """How speed and memory are measured: in processes of their own, the model and its parent by turns.

    In each of `rounds`, each number of `streams` at once makes `tokens` tokens.
    """

    rounds: int = Field(default=2, ge=1, le=100)
    streams: tuple[int, ...] = Field(default=(1, 8), min_length=1)
    tokens: int = Field(default=32, ge=2, le=10_000)
