"""Files that others wrote and that are kept here as they are: checks them, or takes them from npm again.

python scripts/vendor.py             the files are those that VENDOR.json names, byte for byte; asks nobody
python scripts/vendor.py --refresh   packs each package by `npm pack`, checks its integrity, copies its files

A new version: change `version` and `integrity` (`npm view NAME@VERSION dist.integrity`), then refresh.
"""

import json
import subprocess
import sys
import tarfile
import tempfile
from base64 import b64encode
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LISTS = (ROOT / "src/genwright/serve/static/vendor/VENDOR.json", ROOT / "tests/serve/vendor/VENDOR.json")


def wrong(listed: Path, /) -> list[str]:
    """What is not as the list says: files that changed, are missing, or that it does not name."""
    packages = json.loads(listed.read_text(encoding="utf-8"))
    named = {file: one["sha256"] for package in packages for file, one in package["files"].items()}
    there = {path.name for path in listed.parent.iterdir()} - {listed.name}
    found = [f"{listed.parent / name}: not in {listed.name}" for name in sorted(there - named.keys())]
    for name, digest in named.items():
        path = listed.parent / name
        if not path.is_file():
            found.append(f"{path}: missing")
        elif sha256(path.read_bytes()).hexdigest() != digest:
            found.append(f"{path}: not the file of that version")
    return found


def refresh(listed: Path, /) -> None:
    """Packs every package, and writes its files and their digests."""
    packages: list[dict[str, Any]] = json.loads(listed.read_text(encoding="utf-8"))
    for package in packages:
        with tempfile.TemporaryDirectory() as folder:
            asked = f"{package['name']}@{package['version']}"
            command = ["npm", "pack", "--silent", asked]
            done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
            packed = Path(folder) / done.stdout.split()[-1]
            integrity = "sha512-" + b64encode(sha512(packed.read_bytes()).digest()).decode()
            if integrity != package["integrity"]:
                sys.exit(f"{asked}: its integrity is {integrity}, and {listed} names {package['integrity']}")
            with tarfile.open(packed) as archive:
                for name, file in package["files"].items():
                    member = archive.extractfile(f"package/{file['from']}")
                    assert member is not None
                    content = member.read()
                    (listed.parent / name).write_bytes(content)
                    file["sha256"] = sha256(content).hexdigest()
    listed.write_text(json.dumps(packages, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Check, after a refresh where one is asked for."""
    if "--refresh" in sys.argv[1:]:
        for listed in LISTS:
            refresh(listed)
    found = [line for listed in LISTS for line in wrong(listed)]
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
