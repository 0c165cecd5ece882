"""The base stage: a pretrained model as it comes, in place of [fit] and [train]."""
