"""The answer stage: how answers are made of what is found, calibrated and chosen on one half of the questions."""
