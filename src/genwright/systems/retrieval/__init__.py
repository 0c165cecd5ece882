"""Finding passages: the index, its engines, and what a search gives back."""
