"""Passages: short texts that stand for themselves. Imports nothing."""
