"""The one training loop. The door is torch-free; the loop itself is `genwright.trainer.loop`."""

from genwright.trainer.config import (
    BudgetConfig,
    OptimiserConfig,
    PrivacyConfig,
    ScheduleConfig,
    TrainerConfig,
    ValidationConfig,
)

__all__ = ["BudgetConfig", "OptimiserConfig", "PrivacyConfig", "ScheduleConfig", "TrainerConfig", "ValidationConfig"]
