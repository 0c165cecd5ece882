"""Facts of the machine that a run records, found without importing torch."""

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from genwright.core.errors import CapabilityError


@cache
def machine_facts() -> dict[str, Any]:
    """Processor, cores, memory and system of this machine."""
    return {
        "cpu": _cpu_name(),
        "cores": available_cores(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def available_cores() -> int:
    """The processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def resolve_device(asked: str, /) -> str:
    """`cpu` or `cuda`.

    Raises:
        CapabilityError: CUDA is asked for and not there.
    """
    has_cuda = Path("/dev/nvidia0").exists() and "+cpu" not in (library_version("torch") or "+cpu")
    if asked == "cuda" and not has_cuda:
        raise CapabilityError(
            "project.device is 'cuda', but no NVIDIA device or no CUDA build of torch is here",
            hint="use device = 'auto' or 'cpu'",
        )
    return "cuda" if has_cuda and asked != "cpu" else "cpu"


def library_version(name: str, /) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
