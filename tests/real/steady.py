"""The daemon over a week: 10,000 passes of virtual time against a world in which every tenth call fails. Its memory and the
files of its status directory must not grow, and in the end everything is as declared.

Usage: steady.py RECONCILE [PASSES]
"""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

GROWTH_MAX = 1.05
WINDOW = 1000

ROOT = pathlib.Path(__file__).resolve().parents[2]


def world() -> dict:
    """The past of the demo, with a failure of each sort at every fiftieth call: one call in ten."""
    world = json.loads((ROOT / "src/sim/default.json").read_text())
    faults = [
        {"fault": "status", "status": 500},
        {"fault": "status", "status": 429, "seconds": 7},
        {"fault": "garbage", "status": 502},
        {"fault": "dropBefore"},
        {"fault": "dropAfter"},
    ]
    world["troubles"] = [
        {**fault, "nth": 5 + 10 * index, "every": 50} for index, fault in enumerate(faults)
    ]
    # The list of calls is the world's memory, not the daemon's.
    world.setdefault("settings", {})["callsKept"] = 100
    return world


def resident_bytes(process: subprocess.Popen) -> int:
    pages = pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def size_of(folder: pathlib.Path) -> tuple[int, int]:
    """How many files there are, and how many bytes they have."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return len(files), sum(file.stat().st_size for file in files)


def main() -> None:
    reconcile = str(pathlib.Path(sys.argv[1]).resolve())
    passes = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        folder = pathlib.Path(name)
        (folder / "world.yaml").write_text(json.dumps(world()))
        # A pass that has to wait for answers takes longer than a minute: of twenty calls and more, two fail.
        minutes = passes * 19 // 10
        arguments = ["--simulate=world.yaml", "--for", f"{minutes}m", "--interval", "60s"]
        arguments += ["--status-dir", "status", "-v", "--state", str(ROOT / "state"), "--output", "json"]
        environment = {"PATH": os.environ["PATH"], "RUST_LOG": "reconcile::engine=info"}
        process = subprocess.Popen(
            [reconcile, *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        sizes, files = [], {}
        for line in process.stderr:
            if re.search(r"\bpass\b.*converged=", line):
                sizes.append(resident_bytes(process))
                if len(sizes) in (WINDOW, passes):
                    files[len(sizes)] = size_of(folder / "status")
        report = json.loads(process.stdout.read())
        code = process.wait()
    if code not in (0, 1) or len(sizes) < passes:
        sys.exit(f"ended with {code} after {len(sizes)} passes")
    first, last = (statistics.mean(part) for part in (sizes[:WINDOW], sizes[passes - WINDOW : passes]))
    growth = last / first
    calls = report["calls"]["total"]
    print(f"figure: passes of the daemon with every tenth call failing: {passes}, {calls} calls")
    print(f"figure: memory of the daemon, last ÷ first thousand passes: {growth:.3f} ({last / 1e6:.1f} MB)")
    print(f"figure: files and bytes of its status directory, after {WINDOW} and {passes} passes: {files[WINDOW]}, {files[passes]}")
    lost = [it for it in report["actions"] if it["result"] == "failed" and it["error"]["class"] == "Bug"]
    deleted = sorted({it["object"] for it in report["actions"] if it["verb"] == "delete" and it["result"] == "done"})
    print(f"deleted: {len(deleted)} objects")
    if lost or growth > GROWTH_MAX or files[passes][1] > files[WINDOW][1] * GROWTH_MAX + 4096:
        sys.exit("it grew, or something was lost")


if __name__ == "__main__":
    main()
