"""Fetching packages with the clients of their registries: pip for wheels and sdists, apt-get for Debian packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from genwright.core import DataError, DependencyError
from genwright.modalities.files.address import Address

# One wheel for all machines, since only its data is read: then a pin holds everywhere.
_WHEEL_PYTHON = "3.11"
_WHEEL_PLATFORMS = (*(f"manylinux_2_{minor}_x86_64" for minor in range(39, 4, -1)), "linux_x86_64")
_UNREACHABLE = ("connection broken", "Max retries", "Temporary failure", "Could not resolve", "Failed to establish")


def download(address: Address, /, *, sdist: bool, folder: Path) -> Path:
    """The archive of a `package:` or `deb:` address, in an empty `folder`.

    Raises:
        DataError: the registry has no such package, or cannot be reached.
        DependencyError: pip is missing.
    """
    if address.kind == "deb":
        command, pattern = _apt_command(address), "*.deb"
    else:
        command, pattern = _pip_command(address, sdist=sdist, folder=folder), "*"
    done = _run(command, folder)
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    if done.returncode or len(found) != 1:
        raise _failed(address, done.stderr)
    return found[0]


def _pip_command(address: Address, *, sdist: bool, folder: Path) -> list[str]:
    if find_spec("pip") is None:
        raise DependencyError(
            f"{address} is downloaded by pip, which is not installed beside {sys.executable}",
            hint="python -m ensurepip --upgrade, or uv pip install pip",
        )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--retries", "2", "--dest", str(folder)]
    if sdist:
        command.append("--no-binary=:all:")
    else:
        command += ["--only-binary=:all:", "--ignore-requires-python"]
        command += ["--implementation", "cp", "--python-version", _WHEEL_PYTHON]
        for platform in _WHEEL_PLATFORMS:
            command += ["--platform", platform]
    return [*command, f"{address.name}=={address.version}"]


def _apt_command(address: Address) -> list[str]:
    if shutil.which("apt-get") is None:
        raise DataError(
            f"{address} needs apt-get, which only Debian and its kin have",
            hint=f"download the .deb by hand and write archive:PATH.deb!{address.member}",
        )
    return ["apt-get", "download", "--quiet", address.name + (f"={address.version}" if address.version else "")]


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """In the folder, so that `python -m pip` imports nothing of the project's; constraints are for installing."""
    environment = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"} | {"LC_ALL": "C"}
    return subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _failed(address: Address, stderr: str) -> DataError:
    if any(sign in stderr for sign in _UNREACHABLE):
        return DataError(
            f"{address} is not in the cache, and its registry cannot be reached",
            hint=f"connect once; or fetch the file elsewhere and write archive:PATH!{address.member}",
        )
    errors = [line for line in stderr.splitlines() if line.startswith(("ERROR: ", "E: "))]
    why = (errors or stderr.splitlines() or ["no file came"])[-1].partition(": ")[2] if errors else "no file came"
    hint = "check the name" + (
        "; run apt-get update first, then again"
        if address.kind == "deb"
        else f" and version; without a fitting wheel: sdist = true, or archive:PATH!{address.member}"
    )
    return DataError(f"{address} cannot be downloaded ({why})", hint=hint)
