"""The adapt stage: a model made one's own, by its own weights or by an adapter beside them."""
