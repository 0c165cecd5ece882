"""Answers drawn from documents: every sentence with the span that it stands on, or none at all."""
