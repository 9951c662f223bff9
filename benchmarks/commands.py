"""How long the commands take that only read.

``python -m benchmarks.commands`` backfills the momentum book on a synthetic market and runs each command in
a process of its own, from the start of the interpreter to its end. A command that fails or prints nothing
ends the program. The first ones have next to nothing to do once they have started: their time is that of
reading the configuration and opening the lake, and has a target. Of the others it is said which of them
answer whole in that time.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.backfill import NAME, prepare
from benchmarks.workplace import ROOT, child, describe, installed, middle, table

LIMIT = 0.5
"""Seconds."""
STARTED = (
    ("--help",),
    ("book", "list"),
    ("query", "SELECT 1 AS one"),
    ("history", "portfolio", "--limit", "1"),
)
"""What has next to nothing to do once it has started."""
WHOLE = (
    ("query", "SELECT count(*) AS sessions FROM portfolio"),
    ("history", "portfolio"),
    ("orders", "--json"),
    ("report", NAME),
    ("report", NAME, "--performance"),
)


def timed(folder: Path, command: tuple[str, ...]) -> tuple[float, float]:
    """Seconds by the clock and of the processor of one command."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [str(Path(sys.executable).parent / "desk"), "--config", str(folder / "desk.toml"), *command],
        cwd=ROOT,
        env=installed(),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode or not done.stdout.strip():
        raise SystemExit(f"desk {' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure every command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=2520)
    parser.add_argument("--repeat", type=int, default=9)
    asked = parser.parse_args()
    print(f"Commands on {asked.symbols} x {asked.sessions}, medians of {asked.repeat}")
    print(f"{describe()}\n", flush=True)
    rows, late = [], []
    with tempfile.TemporaryDirectory(prefix="desk-commands-") as name:
        folder = Path(name)
        prepare(folder, asked.symbols, asked.sessions)
        child("benchmarks.backfill", "--backfill", str(folder))
        for command in (*STARTED, *WHOLE):
            timed(folder, command)  # the first run reads the program from the disk and compiles it
            found = [timed(folder, command) for _ in range(asked.repeat)]
            seconds, busy = (middle(values) for values in zip(*found, strict=True))
            least = min(value for value, _ in found)
            rows.append([f"desk {' '.join(command)}", f"{seconds:.2f} s", f"{least:.2f} s", f"{busy:.2f} s"])
            late += [command] if seconds > LIMIT else []
    print(table(("command", "median", "least", "processor"), rows))
    for meaning, commands in (("target for the start", STARTED), ("a whole answer", WHOLE)):
        slow = ", ".join(f"desk {' '.join(command)}" for command in commands if command in late)
        print(f"\n{meaning}, {LIMIT} s: {'MISSED by ' + slow if slow else 'met'}", end="")
    print()


if __name__ == "__main__":
    main()
