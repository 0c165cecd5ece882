"""Tables of mixed types. Imports nothing."""
