"""The compress stage: a smaller model out of a larger one, and what that saves."""
