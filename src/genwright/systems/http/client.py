"""Asking another server: one request at a time on a connection of its own, again where that may help."""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from genwright.core import CapabilityError, GenwrightError, SpecError
from genwright.systems.events import read_events
from genwright.systems.http.settings import RemoteSettings

AGAIN = (408, 409, 429, 500, 502, 503, 504)
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 60.0
MOST_SHOWN = 200


class RemoteError(GenwrightError):
    """The other server did not answer as it should, however often it was asked."""

    code = "remote"


class _TryAgainError(Exception):
    def __init__(self, why: str, wait_seconds: float | None = None) -> None:
        super().__init__(why)
        self.why, self.wait_seconds = why, wait_seconds


@dataclass
class Spent:
    """What has been asked and paid for so far."""

    requests: int = 0
    retries: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, usage: Mapping[str, Any] | None, /) -> None:
        """Counts one answer."""
        with self.lock:
            self.requests += 1
            self.input_tokens += int((usage or {}).get("prompt_tokens") or 0)
            self.output_tokens += int((usage or {}).get("completion_tokens") or 0)

    def price(self, settings: RemoteSettings, /) -> float:
        """What that costs."""
        return (self.input_tokens * settings.input_price + self.output_tokens * settings.output_price) / 1e6


class Client:
    """Retries, pauses and counts; safe to use from several threads."""

    def __init__(self, settings: RemoteSettings, /) -> None:
        self.settings, self.spent = settings, Spent()
        self._next_start, self._lock = 0.0, threading.Lock()
        self._jitter = random.Random(0)

    def ask(self, path: str, body: Mapping[str, Any], /) -> dict[str, Any]:
        """The JSON object that is answered.

        Raises:
            RemoteError: there is none, however often it was asked.
            CapabilityError: the server refuses the request.
        """
        found: dict[str, Any] = self._patiently(lambda: self._once(path, body))
        return found

    def follow(self, path: str, body: Mapping[str, Any], /) -> Iterator[dict[str, Any]]:
        """The events of a streamed answer; only what happens before the first of them is tried again.

        Raises:
            RemoteError: there is no answer, or it breaks off.
            CapabilityError: the server refuses the request.
        """
        connection, answer = self._patiently(lambda: self._opened(path, body))
        try:
            yield from read_events(answer)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RemoteError(f"the answer of {self._host} broke off ({_told(error)})") from None
        finally:
            connection.close()

    @property
    def _host(self) -> str:
        return urlsplit(self.settings.url).netloc

    def _patiently(self, attempt: Any) -> Any:
        wait = FIRST_WAIT_SECONDS
        for left in range(self.settings.max_retries, -1, -1):
            self._take_turn()
            try:
                return attempt()
            except _TryAgainError as error:
                if not left:
                    tries = self.settings.max_retries + 1
                    raise RemoteError(
                        f"{self._host} does not answer after {tries} tries: {error.why}", hint="look at that server"
                    ) from None
                self.spent.retries += 1
                pause = error.wait_seconds if error.wait_seconds is not None else wait * self._jitter.uniform(0.5, 1.0)
                time.sleep(min(pause, LONGEST_WAIT_SECONDS))
                wait *= 2
        raise AssertionError("the last try returns or raises")

    def _take_turn(self) -> None:
        if self.settings.requests_per_minute is None:
            return
        with self._lock:
            start = max(time.monotonic(), self._next_start)
            self._next_start = start + 60.0 / self.settings.requests_per_minute
        time.sleep(max(0.0, start - time.monotonic()))

    def _once(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        connection, answer = self._opened(path, body)
        with _told_again(self._host):
            try:
                found = json.loads(answer.read())
            finally:
                connection.close()
        if not isinstance(found, dict):
            raise _TryAgainError("what it answers is no JSON object")
        return found

    def _opened(
        self, path: str, body: Mapping[str, Any]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        place = urlsplit(self.settings.url)
        kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
        connection = kind(place.netloc, timeout=self.settings.timeout_seconds)
        headers = {"Content-Type": "application/json", **self._key()}
        with _told_again(self._host):
            connection.request("POST", place.path.rstrip("/") + path, json.dumps(body), headers)
            answer = connection.getresponse()
            if answer.status == http.client.OK:
                return connection, answer
            said = answer.read().decode(errors="replace")
        connection.close()
        if answer.status in AGAIN:
            raise _TryAgainError(f"status {answer.status}", _seconds(answer.headers.get("Retry-After")))
        raise CapabilityError(
            f"{self._host} refuses the request ({answer.status}): {_message(said)}",
            hint="look at url, model and the key" if answer.status in (401, 403, 404) else None,
        )

    def _key(self) -> dict[str, str]:
        name = self.settings.key_variable
        if name is None:
            return {}
        if not (key := os.environ.get(name)):
            raise SpecError(f"the environment variable {name} holds no key for {self._host}", hint="set it")
        return {"Authorization": f"Bearer {key}"}


@contextmanager
def _told_again(host: str) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _TryAgainError(f"{host}: {_told(error)}") from None


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:MOST_SHOWN]


def _seconds(header: str | None) -> float | None:
    """A Retry-After in seconds; a date is left to the growing pauses."""
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None


def _message(body: str) -> str:
    try:
        return str(json.loads(body)["error"]["message"])[:MOST_SHOWN]
    except (ValueError, KeyError, TypeError):
        return body[:MOST_SHOWN]
