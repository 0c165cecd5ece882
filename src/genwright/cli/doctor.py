"""What this installation can do."""

import argparse
import sqlite3
import sys
from importlib.metadata import requires
from pathlib import Path

from genwright import __version__
from genwright.cli.output import Output
from genwright.core.registry import GROUPS, kinds
from genwright.project.machine import library_version, machine_facts, resolve_device
from genwright.project.meter import POWERCAP


def doctor(arguments: argparse.Namespace, out: Output) -> int:
    """Versions, machine, extras and registered components."""
    energy = "RAPL counters" if list(POWERCAP.glob("intel-rapl:?/energy_uj")) else "estimated from CPU time"
    rows = [
        ("genwright", __version__),
        ("python", f"{sys.version.split()[0]} ({sys.executable})"),
        ("sqlite", sqlite3.sqlite_version),
        *((name, str(value)) for name, value in machine_facts().items()),
        ("device", resolve_device("auto")),
        ("energy", energy),
        ("folder", str(Path.cwd())),
    ]
    rows += [(f"extra {extra}", state) for extra, state in _extras().items()]
    rows += [(group, ", ".join(kinds(group))) for group in GROUPS]
    out.table([{"what": name, "value": value} for name, value in rows], title="doctor")
    return 0


def _extras() -> dict[str, str]:
    wanted: dict[str, list[str]] = {}
    for line in requires("genwright") or []:
        requirement, _, marker = line.partition(";")
        if "extra ==" in marker and not requirement.startswith("genwright["):
            name = requirement.split(">")[0].split("=")[0].split("[")[0].strip()
            wanted.setdefault(marker.split("==")[1].strip(" '\""), []).append(name)
    states = {}
    for extra, names in wanted.items():
        missing = [name for name in names if library_version(name) is None]
        states[extra] = "complete" if not missing else f"missing {', '.join(missing)}: pip install 'genwright[{extra}]'"
    return states
