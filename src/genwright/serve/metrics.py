"""Prometheus metrics of one server."""

import time
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Working(Protocol):
    """What works on requests."""

    @property
    def load(self) -> tuple[int, int]: ...


class Metrics:
    """Counters and histograms, in a registry of their own so that several servers fit in one process."""

    def __init__(self, engine: Working, /) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("genwright_requests", "Answered requests", ["route", "status"], registry=self.registry)
        self.prompt_tokens = Counter("genwright_prompt_tokens", "Tokens read", registry=self.registry)
        self.completion_tokens = Counter("genwright_completion_tokens", "Tokens generated", registry=self.registry)
        self.duration = Histogram(
            "genwright_request_seconds", "Time to the last byte", ["route"], buckets=SECONDS, registry=self.registry
        )
        self.first_token = Histogram(
            "genwright_time_to_first_token_seconds", "Time to the first token", buckets=SECONDS, registry=self.registry
        )
        active = Gauge("genwright_active_streams", "Streams in the batch", registry=self.registry)
        active.set_function(lambda: engine.load[0])
        waiting = Gauge("genwright_waiting_requests", "Requests in the queue", registry=self.registry)
        waiting.set_function(lambda: engine.load[1])

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


class Observer:
    """ASGI middleware: counts answers and times them, and hands on every chunk as it is."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count once the last byte is sent."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.monotonic(), "500"

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            self.metrics.requests.labels(route, status).inc()
            self.metrics.duration.labels(route).observe(time.monotonic() - started)
