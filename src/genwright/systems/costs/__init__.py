"""What a language model costs to use, beside another: bytes, speed, memory and energy."""

from genwright.systems.costs.config import CostConfig
from genwright.systems.costs.costs import cost_claims, cost_rows

__all__ = ["CostConfig", "cost_claims", "cost_rows"]
