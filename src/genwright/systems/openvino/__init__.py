"""OpenVINO GenAI as the engine of a GGUF file: the fastest here on a processor with many streams at once."""
