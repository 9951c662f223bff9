"""What the benchmarks share: a desk of their own, children measured apart, and the machine's description."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("dagster", "deltalake", "polars", "numpy", "TA-Lib")
MEGABYTE = 1024.0 * 1024.0

DESK = """\
lake = "{folder}/lake"
dagster_home = "{folder}/dagster"
books = "{folder}/books"
[data.order]
stock = {{ default = ["files"] }}
[providers.files]
folder = "{folder}/files"
"""

BOOK = """\
# Every rule of momentum.toml at its default.
name = "{name}"
mode = "{mode}"
start = {start}
{end}benchmark = "{benchmark}"
[universe]
asset_classes = ["stock"]
[strategies.momentum]
"""


def describe() -> str:
    """Machine, load and versions: what a figure is worth nothing without."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / MEGABYTE / 1024
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} cores ({names[0] if names else platform.processor()}), {memory:.0f} GB, "
        f"load {os.getloadavg()[0]:.1f} at the start\n"
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {packages}"
    )


def desk_folder(folder: Path) -> Path:
    """Make the folders of a desk and its file; returns the file."""
    for name in ("books", "dagster", "files"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    file = folder / "desk.toml"
    file.write_text(DESK.format(folder=folder), encoding="utf-8")
    instance = (ROOT / "pipelines" / "cli" / "dagster.yaml").read_text(encoding="utf-8")
    (folder / "dagster" / "dagster.yaml").write_text(instance, encoding="utf-8")
    return file


def momentum_book(
    folder: Path, name: str, start: date, benchmark: str, mode: str = "backtest", end: date | None = None
) -> None:
    """Write the momentum book with its defaults."""
    last = f"end = {end}\n" if end else ""
    text = BOOK.format(name=name, start=start, end=last, benchmark=benchmark, mode=mode)
    (folder / "books" / f"{name}.toml").write_text(text, encoding="utf-8")


def installed() -> dict[str, str]:
    """Environment of a process that keeps the bytecode of its modules, as an installation has it.

    Without it every process would compile the project anew, which takes longer than many commands do.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def child(module: str, *arguments: str, python: str = sys.executable) -> dict[str, Any]:
    """Run a module in a process of its own and read the JSON object on the last line of its output."""
    done = subprocess.run(
        [python, "-m", module, *arguments],
        cwd=ROOT,
        env=installed(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{module} {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def peak_memory() -> float:
    """Largest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def middle(values: Sequence[float]) -> float:
    """Median: other people's work on the machine slows some repetitions down."""
    return statistics.median(values)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows in aligned columns, the first on the left, figures on the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, *rows):
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
