"""Points in the plane as a modality, and kernel density as a family."""
