"""What a run costs: wall and CPU time, peak memory, energy."""

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")
# Assumption, not measured: watts drawn per busy core, without the rest of the machine. Data sheets give
# 360 W / 96 cores = 3.8 (AMD EPYC 9654, TDP) and 253 W / 24 cores = 10.5 (Intel i9-14900K, turbo power).
WATTS_PER_CORE = (2.0, 6.0, 15.0)


@dataclass(frozen=True)
class _Reading:
    wall_s: float
    cpu_s: float
    counters_uj: dict[str, int]


class Meter:
    """Measures from its creation to `cost()`; children that have ended are counted."""

    def __init__(self) -> None:
        self._peak_is_own = _reset_peak()
        self._start = _read()

    def cost(self) -> dict[str, Any]:
        """Seconds, bytes and joules since the start; energy says whether it was measured or estimated."""
        now = _read()
        cpu_s = now.cpu_s - self._start.cpu_s
        return {
            "wall_s": round(now.wall_s - self._start.wall_s, 4),
            "cpu_s": round(cpu_s, 4),
            "peak_memory_bytes": _peak_bytes(self._peak_is_own),
            "peak_memory_scope": "run" if self._peak_is_own else "process",
            "energy": _energy(self._start, now, cpu_s=cpu_s),
        }


def _read() -> _Reading:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu_s = sum(part.ru_utime + part.ru_stime for part in usage)
    return _Reading(time.perf_counter(), cpu_s, _counters())


def _counters() -> dict[str, int]:
    found = {}
    for zone in sorted(POWERCAP.glob("intel-rapl:?")):
        try:
            found[zone.name] = int((zone / "energy_uj").read_text())
        except (OSError, ValueError):
            continue
    return found


def _energy(start: _Reading, now: _Reading, *, cpu_s: float) -> dict[str, Any]:
    if start.counters_uj and start.counters_uj.keys() == now.counters_uj.keys():
        spent = sum(_difference(zone, start.counters_uj[zone], now.counters_uj[zone]) for zone in now.counters_uj)
        return {"joules": spent / 1e6, "method": "measured: RAPL package counters, whole machine"}
    low, middle, high = (round(cpu_s * watts, 1) for watts in WATTS_PER_CORE)
    bounds = f"{WATTS_PER_CORE[0]:g}-{WATTS_PER_CORE[2]:g} W"
    method = f"estimate: CPU seconds x {WATTS_PER_CORE[1]:g} W per busy core (bounds {bounds})"
    return {"joules": middle, "low": low, "high": high, "method": method}


def _difference(zone: str, before: int, after: int) -> int:
    if after >= before:
        return after - before
    return after - before + int((POWERCAP / zone / "max_energy_range_uj").read_text())


def _reset_peak() -> bool:
    """Whether the kernel agreed to start the resident-set peak afresh (Linux: clear_refs 5)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak_bytes(own: bool) -> int:
    if own:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if os.uname().sysname == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
