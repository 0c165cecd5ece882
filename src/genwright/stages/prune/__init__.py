"""The prune stage: what a transformer can do without, taken out."""
