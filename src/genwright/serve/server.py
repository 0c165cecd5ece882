"""Starting the server: what may be served, to whom."""

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genwright.core.errors import CapabilityError, GateError, SpecError
from genwright.core.registry import missing_extra
from genwright.core.stage import Progress
from genwright.project import Project

try:
    import uvicorn

    from genwright.serve.app import Served, create_app
    from genwright.serve.engine import Engine
    from genwright.serve.grounded_engine import GroundedEngine
    from genwright.serve.limits import is_loopback
except ModuleNotFoundError as error:
    raise missing_extra(error.name or "fastapi", extra="web") from error


@dataclass(frozen=True)
class ServerSettings:
    """Where and how to serve."""

    host: str = "127.0.0.1"
    port: int = 8000
    unreleased: bool = False
    api_key_file: Path | None = None
    max_concurrency: int = 8
    max_queue: int = 64


def serve(project: Project, system: str | None, /, *, settings: ServerSettings, progress: Progress) -> None:
    """Serve until stopped.

    Raises:
        GateError: no policy has passed the system, and `unreleased` was not said.
        SpecError: a host beyond loopback without keys.
        IntegrityError: a file of the system is not what was evaluated.
    """
    digest, released = project.resolve_system(system)
    if not released and not settings.unreleased:
        raise GateError(
            f"system {digest[:12]} has no passing verdict",
            hint="genwright run release, or serve --unreleased to try it",
        )
    keys = read_keys(settings.api_key_file)
    if not keys and not is_loopback(settings.host):
        raise SpecError(
            f"--host {settings.host} can be reached from other machines, and no API key is set",
            hint="write keys to a file, one per line, and give --api-key-file FILE",
        )
    loaded = project.system(digest)
    if "generate" not in loaded.capabilities:
        raise CapabilityError(
            f"system {digest[:12]} makes samples and continues no text; the server speaks the OpenAI API for texts",
            hint="genwright generate --num N --out DIR",
        )
    app = create_app(
        _engine(loaded, digest, settings=settings),
        served=Served(model=project.specs()[0].project.name, digest=digest, keys=keys),
    )
    state = "released" if released else "UNRELEASED"
    here = f"http://{settings.host}:{settings.port}"
    progress.say(f"{state} system {digest[:12]} on {here}/v1, to talk with at {here}/ (Ctrl-C stops)")
    gc.collect()
    gc.freeze()  # what is there now stays: looking through it again and again would hold up every stream
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", timeout_graceful_shutdown=5)


def _engine(system: Any, digest: str, *, settings: ServerSettings) -> Engine | GroundedEngine:
    if "retrieve" in system.capabilities:
        return GroundedEngine(system, num_threads=settings.max_concurrency, max_queue=settings.max_queue)
    if not hasattr(system, "decoder"):
        raise CapabilityError(
            f"system {digest[:12]} has its model behind another server", hint="ask that server: remote.url"
        )
    return Engine(system, num_slots=settings.max_concurrency, max_queue=settings.max_queue)


def read_keys(path: Path | None, /) -> tuple[str, ...]:
    """The keys in a file, one per line; blank lines and # comments are skipped.

    Raises:
        SpecError: the file is missing or holds no key.
    """
    if path is None:
        return ()
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"--api-key-file {path}: {error}") from None
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not keys:
        raise SpecError(f"--api-key-file {path} holds no key", hint="one key per line")
    return keys
