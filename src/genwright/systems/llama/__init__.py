"""llama.cpp as an engine: a child process behind a socket of its own."""
