"""The life of a system, one package per stage. Stages never import one another."""
