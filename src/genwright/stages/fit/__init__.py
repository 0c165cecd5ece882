"""Fitting the codec on the train split."""
