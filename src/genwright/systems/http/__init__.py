"""Models behind another server's OpenAI-compatible API."""

from genwright.systems.http.settings import RemoteSettings, read_remote, write_remote

__all__ = ["RemoteSettings", "read_remote", "write_remote"]
