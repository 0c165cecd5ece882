"""Prometheus metrics of one server."""

from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

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
