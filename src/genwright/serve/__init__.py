"""An OpenAI-compatible API over one released system."""

from genwright.serve.server import ServerSettings, serve

__all__ = ["ServerSettings", "serve"]
