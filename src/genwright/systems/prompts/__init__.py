"""Prompts as artifacts: a pattern with its template, its parameters and its examples."""

from genwright.systems.prompts.pattern import Call, Pattern, PatternConfig
from genwright.systems.prompts.prompt import Prompt, read_prompt, write_prompt

__all__ = ["Call", "Pattern", "PatternConfig", "Prompt", "read_prompt", "write_prompt"]
