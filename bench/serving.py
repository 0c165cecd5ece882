"""The real server on loopback, for suites of others; under any model's name where they ask for names of their own."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genwright.serve.app import Served, create_app
from genwright.serve.engine import Engine

MODEL, DIGEST = "here", "d" * 64


class Renaming:
    """ASGI middleware that asks for the one model whatever was asked for."""

    def __init__(self, app: ASGIApp, *, model: str) -> None:
        self.app, self.model = app, model

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with the other name."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"].startswith("/v1/models/"):
            scope = {**scope, "path": f"/v1/models/{self.model}", "raw_path": f"/v1/models/{self.model}".encode()}
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["method"] == "POST" and isinstance(asked := json.loads(body or b"0"), dict):
            body = json.dumps({**asked, "model": self.model}).encode()
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        scope = {**scope, "headers": [*headers, (b"content-length", str(len(body)).encode())]}
        told: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replayed() -> Message:
            return told.pop() if told else await receive()

        await self.app(scope, replayed, send)


@contextmanager
def serving(system: Any, /, *, any_name: bool = False, num_slots: int = 4) -> Iterator[str]:
    """The address of a server without keys."""
    app = create_app(Engine(system, num_slots=num_slots, max_queue=64), served=Served(model=MODEL, digest=DIGEST))
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(Renaming(app, model=MODEL) if any_name else app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        server.should_exit = True
        thread.join(timeout=10)
