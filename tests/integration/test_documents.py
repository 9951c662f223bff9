"""What the documents show runs: every ``desk`` line, every block of Python and TOML, every link."""

from __future__ import annotations

import os
import re
import shlex
import socket
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from textwrap import dedent

import pytest

from pipelines.cli.main import run
from tests.integration.conftest import ROOT

DOCUMENTS = (
    "README.md",
    "docs/user_guide.md",
    "docs/decision.md",
    "docs/operations.md",
    "docs/reference.md",
    "docs/configuration.md",
)
ELSEWHERE = ("desk ui", "desk demo", "desk init", "desk gateway stop")
"""Commands that run until they are stopped, and those that the folder is made and left with."""


def blocks(document: str, language: str) -> list[str]:
    """Fenced blocks of a language; the empty one is a list of commands."""
    text = (ROOT / document).read_text(encoding="utf-8")
    fences = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [dedent(content) for name, content in fences if name == language]


def commands(document: str) -> list[str]:
    """The ``desk`` lines of a document, without what only explains them."""
    lines = (line.partition(" #")[0].strip() for block in blocks(document, "") for line in block.splitlines())
    return [line for line in lines if line.startswith("desk ") and not line.startswith(ELSEWHERE)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the demonstration's lake and the files that the README tells to write."""
    made = tmp_path_factory.mktemp("documents")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("DESK_", "DAGSTER_"))]:
            patch.delenv(name)
        patch.setenv("DAGSTER_HOME", str(made / ".dagster"))
        patch.chdir(made)
        patch.syspath_prepend(str(made))
        assert run(["init", "."]) == 0
        assert run(["demo"]) == 0
        (made / "breakout.py").write_text(blocks("README.md", "python")[0], encoding="utf-8")
        (made / "breakout.toml").write_text(blocks("README.md", "toml")[0], encoding="utf-8")
        yield made
        sys.modules.pop("breakout", None)


@pytest.mark.parametrize("command", commands("README.md"))
def test_commands_of_the_readme_run(folder: Path, command: str, capfd: pytest.CaptureFixture[str]) -> None:
    code = run(shlex.split(command)[1:])
    assert code == 0, capfd.readouterr().err


@pytest.mark.parametrize("command", commands("docs/user_guide.md"))
def test_commands_of_the_guide_run(folder: Path, command: str, capfd: pytest.CaptureFixture[str]) -> None:
    code = run(shlex.split(command)[1:])
    assert code == 0, capfd.readouterr().err


@pytest.fixture(scope="module")
def operated(folder: Path) -> Iterator[Path]:
    """The folder with the book of the page for operators, and a port of its own for the gateway."""
    (folder / "config" / "books" / "at-gateway.toml").write_text(
        blocks("docs/operations.md", "toml")[0], encoding="utf-8"
    )
    with socket.socket() as probe, pytest.MonkeyPatch.context() as patch:
        probe.bind(("127.0.0.1", 0))
        patch.setenv("DESK_BROKER__PORT", str(probe.getsockname()[1]))
        probe.close()
        yield folder
        assert run(["gateway", "stop"]) == 0


@pytest.mark.parametrize("command", commands("docs/operations.md"))
def test_commands_for_operators_run(operated: Path, command: str, capfd: pytest.CaptureFixture[str]) -> None:
    code = run(shlex.split(command)[1:])
    assert code == 0, capfd.readouterr().err


def test_unresolved_orders_are_settled_as_the_page_shows(operated: Path) -> None:
    import polars as pl

    from delta import Provenance, open_lake, read, write
    from delta.contracts import OrderEvents

    lake, where = open_lake("./lake"), pl.col("book") == "at-gateway"
    if read(lake, OrderEvents, where=where).collect().is_empty():  # run alone
        for command in ("gateway start --book", "run --session 2013-02-28 --book", "reconcile --send --book"):
            assert run([*command.split(), "at-gateway"]) == 0
    lines = [line for block in blocks("docs/operations.md", "sh") for line in block.splitlines() if line]
    last = read(lake, OrderEvents, where=where).sort("sequence").collect().group_by("order_ref").last()
    refs = last["order_ref"].sort().to_list()
    for line, ref in zip(lines, refs, strict=False):
        before = last.filter(pl.col("order_ref") == ref).select(OrderEvents.schema().names())
        lost = before.with_columns(pl.col("sequence") + 1, state=pl.lit("UNRESOLVED"))
        write(lake, OrderEvents, lost, None, Provenance("test", "test", ""))
        assert run(shlex.split(line.replace("D37GR3EE", ref))[1:]) == 0, line
        newest = read(lake, OrderEvents, where=pl.col("order_ref") == ref).sort("sequence").tail(1).collect()
        assert newest["message"][0].startswith("settled by ")
    assert len(lines) == 2


def test_blocks_of_python_in_the_guide_run(folder: Path) -> None:
    import polars as pl

    lake, strategy = blocks("docs/user_guide.md", "python")
    found: dict[str, object] = {}
    exec(compile(lake, "user_guide", "exec"), found)
    newest = found["newest"]
    assert isinstance(newest, pl.DataFrame)
    assert newest.height > 3000
    (folder / "pullback.py").write_text(strategy, encoding="utf-8")
    book = (folder / "breakout.toml").read_text(encoding="utf-8")
    changed = book.replace('"breakout:Breakout"\nparams = { entry = 55 }', '"pullback:Pullback"')
    (folder / "pullback.toml").write_text(
        changed.replace('name = "breakout"', 'name = "pullback"'), encoding="utf-8"
    )
    assert run(["book", "check", "pullback.toml"]) == 0
    assert run(["scan", "pullback.toml", "--date", "2012-03-01"]) == 0


def test_books_of_the_guide_are_in_order(folder: Path) -> None:
    for number, content in enumerate(blocks("docs/user_guide.md", "toml")):
        file = folder / f"guide-{number}.toml"
        file.write_text(content, encoding="utf-8")
        assert run(["book", "check", str(file)]) == 0


def test_the_readme_tells_all_tables() -> None:
    from delta import TABLES

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## What is kept")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(\w+)`", section)) == set(TABLES)


def test_the_reference_is_that_of_the_code() -> None:
    script = ROOT / "docs" / "make_reference.py"
    spec = spec_from_file_location("make_reference", script)
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    kept = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert made.page() == kept, "renew it with: python docs/make_reference.py"


def anchors(text: str) -> set[str]:
    """Anchors of the headings of a page, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    page = ROOT / document
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name) if name else page
        assert linked.exists(), f"{document}: {target}"
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), f"{document}: {target}"
