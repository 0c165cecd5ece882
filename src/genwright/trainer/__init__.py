"""The one training loop. The door is torch-free; the loop itself is `genwright.trainer.loop`."""

from genwright.trainer.config import BudgetConfig, OptimiserConfig, ScheduleConfig, TrainerConfig, ValidationConfig

__all__ = ["BudgetConfig", "OptimiserConfig", "ScheduleConfig", "TrainerConfig", "ValidationConfig"]
