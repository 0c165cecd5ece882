"""A real server on loopback over a tiny net with fixed random weights."""

import socket
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import uvicorn

from genwright.core import DataError
from genwright.core.protocols import TokenShape
from genwright.families import AutoregressiveConfig, SamplingConfig
from genwright.families.store import build_family
from genwright.modalities.text.bytes import BytesCodec
from genwright.nets import TransformerConfig
from genwright.serve.app import Served, create_app
from genwright.serve.engine import Engine
from genwright.serve.grounded_engine import GroundedEngine
from genwright.systems import Manifest
from genwright.systems.local import LocalSystem

SHAPE = TokenShape(vocab_size=259, bos_id=256, eos_id=257, context_tokens=64)


class TinySystem(LocalSystem):
    """Over bytes; its chats begin with a user."""

    def encode_chat(self, messages):
        if messages[0][0] == "assistant":
            raise DataError("the model's chat template does not take these messages")
        return super().encode_chat(messages)


def make_system(*, context_tokens=SHAPE.context_tokens):
    """A system with fixed random weights."""
    net = TransformerConfig(d_model=32, num_layers=2, num_heads=2)
    shape = replace(SHAPE, context_tokens=context_tokens)
    family = build_family(AutoregressiveConfig(net=net).resolve(depth=2, shape=shape), shape=shape, seed=1).eval()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for parameter in family.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.2)
    folder = Path(tempfile.mkdtemp())
    BytesCodec().save(folder)
    manifest = Manifest(model="a" * 64, codec="c" * 64, sampling=SamplingConfig())
    return TinySystem(family, codec=BytesCodec(), manifest=manifest, codec_folder=folder)


def start(*, system=None, keys=(), num_slots=4, max_queue=8, max_body_bytes=1 << 16):
    """(base address, engine, stop) of a running server."""
    system = system or make_system()
    if "retrieve" in system.capabilities:
        engine = GroundedEngine(system, num_threads=num_slots, max_queue=max_queue)
    else:
        engine = Engine(system, num_slots=num_slots, max_queue=max_queue)
    served = Served(model="tiny", digest="d" * 64, keys=keys, max_body_bytes=max_body_bytes)
    app = create_app(engine, served=served)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)

    def stop():
        server.should_exit = True
        thread.join(timeout=10)

    return f"http://127.0.0.1:{port}", engine, stop


@pytest.fixture(scope="session")
def server():
    """One server for all tests that do not need their own."""
    address, engine, stop = start()
    yield SimpleNamespace(address=address, engine=engine)
    stop()


@pytest.fixture(scope="session")
def client(server):
    """The real OpenAI client."""
    from openai import OpenAI

    return OpenAI(base_url=f"{server.address}/v1", api_key="unused", max_retries=0)


@pytest.fixture(scope="session")
def tiny_system():
    """Makes the served system."""
    return make_system


@pytest.fixture(scope="session")
def start_server():
    """Start a server with its own settings: (address, engine, stop)."""
    return start
