"""Style transfer with published nets, as a system with its figures."""
