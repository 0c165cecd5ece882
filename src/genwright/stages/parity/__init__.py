"""The parity stage: what is served is what was tested."""
