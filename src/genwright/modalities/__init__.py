"""Kinds of data: reading, cleaning rules, codecs. Imports nothing."""
