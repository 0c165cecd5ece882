"""Starting, asking and ending the child process."""

from __future__ import annotations

import http.client
import json
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from genwright.core import CapabilityError, DataError, GenwrightError, load_reference
from genwright.systems.events import read_events
from genwright.systems.llama import child

READ_BYTES = 1 << 16
END_SECONDS = 2.0


class EngineLostError(GenwrightError):
    """The child process is gone or does not answer."""

    code = "engine_lost"


@dataclass(frozen=True)
class EngineSettings:
    """What the engine loads and how much it may do at once.

    `exact` keeps the past in float32: log-probabilities are then within 2e-4 nats of torch's, and 3e-3 without.
    `gpu_layers` of the model go to a GPU, where there is one.
    """

    model: str
    context_tokens: int
    num_slots: int
    threads: int
    exact: bool = False
    gpu_layers: int = 0
    embeds: bool = False


class LlamaProcess:
    """One child process, started again where it has died. Its socket lies in a folder that only this user may enter."""

    def __init__(self, settings: EngineSettings, /) -> None:
        load_reference("xllamacpp:Server", extra="gguf")
        self.settings = settings
        self._key = secrets.token_urlsafe(32)
        self._folder = Path(tempfile.mkdtemp(prefix="genwright-"))
        self._socket = self._folder / "engine.sock"
        self._child: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def start(self) -> None:
        """Runs the child, unless it runs already; returns once the model is loaded.

        Raises:
            DataError: llama.cpp does not load the model.
        """
        if self.pid is not None:
            return
        self._socket.unlink(missing_ok=True)
        self._child = subprocess.Popen(
            [sys.executable, "-P", child.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._child.stdin is not None and self._child.stdout is not None
        settings = {**asdict(self.settings), "socket": str(self._socket), "key": self._key}
        try:
            self._child.stdin.write(json.dumps(settings) + "\n")
            self._child.stdin.flush()
            said = self._child.stdout.readline()
        except OSError:
            said = ""
        answer = json.loads(said) if said else {"error": "the engine ended while it loaded the model"}
        if "error" in answer:
            self._child.wait()
            raise DataError(
                f"llama.cpp does not load {Path(self.settings.model).name} ({answer['error']})",
                hint="the file may be damaged (genwright verify), or made for a later llama.cpp",
            )

    def stop(self) -> None:
        """Ends the child and removes its socket."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __del__(self) -> None:
        self.stop()

    def ask(self, path: str, body: Mapping[str, Any], /) -> Any:
        """The JSON that the engine answers.

        Raises:
            EngineLostError: it does not answer.
            CapabilityError: it refuses the request.
        """
        try:
            with closing(self.open(path, body)) as connection:
                return json.loads(connection.answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._lost(error) from None

    def open(self, path: str, body: Mapping[str, Any], /) -> Connection:
        """A connection on which the answer comes; close it to stop the work.

        Raises:
            EngineLostError: it does not answer.
            CapabilityError: it refuses the request.
        """
        connection = Connection(self._socket)
        try:
            headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
            connection.answer = connection.getresponse()
            if connection.answer.status != http.client.OK:
                said = json.loads(connection.answer.read())["error"]["message"]
                raise CapabilityError(f"llama.cpp refuses the request: {said}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            raise self._lost(error) from None
        return connection

    def settle(self) -> None:
        """Waits a moment for a child that is about to end, so that the next start sees it gone."""
        if self._child is not None:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout=END_SECONDS)

    def _lost(self, error: Exception) -> EngineLostError:
        how = "is gone" if self.pid is None else f"does not answer ({type(error).__name__})"
        return EngineLostError(f"the engine {how}", hint="send the request again: it is started anew")


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    answer: http.client.HTTPResponse

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Connects to the socket's file."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))

    def abort(self) -> None:
        """Breaks off from another thread: a read that waits ends."""
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def events(self) -> Iterator[dict[str, Any]]:
        """The events of a streamed answer.

        Raises:
            EngineLostError: the stream breaks off.
        """
        try:
            yield from read_events(self._lines())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EngineLostError(f"the engine broke off ({type(error).__name__})", hint="send it again") from None

    def _lines(self) -> Iterator[bytes]:
        """The lines of the answer, cut out of what comes at once: its own way to read a line costs ten calls."""
        held = b""
        while data := self.answer.read1(READ_BYTES):
            *lines, held = (held + data).split(b"\n")
            yield from lines
        if held:
            yield held
