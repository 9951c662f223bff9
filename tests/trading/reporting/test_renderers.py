"""Text, HTML and Markdown: a snapshot, well-formed pages, and nothing from outside left unescaped."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.reporting import (
    backtest_report,
    daily_report,
    render_html,
    render_markdown,
    render_text,
    to_html,
    to_json,
    to_markdown,
    to_text,
)
from trading.reporting.document import Cell, Column, Curve, Document, Facts, Notes, Section, Table

SESSION = date(2024, 3, 5)
SNAPSHOT = Path(__file__).parent / "daily_report.txt"
VOID = {"meta", "line", "circle", "br"}


class Page(HTMLParser):
    """Checks that every tag that opens closes, in order, and keeps the text of the page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.said: list[str] = []
        self.links: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


@pytest.fixture(scope="module")
def report(day):
    return daily_report("momentum", SESSION, day.portfolio, **day.tables, mode="paper")


def test_text_snapshot(report) -> None:
    assert to_text(report, width=110) == SNAPSHOT.read_text(encoding="utf-8")


def test_plain_text_has_no_escape_sequence_and_colours_say_the_same(report) -> None:
    plain, coloured = to_text(report, width=110), to_text(report, width=110, colour=True)
    assert "\x1b" not in plain
    assert "\x1b[31m-$2,550.00\x1b[0m" in coloured
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line for line in plain.splitlines() if set(line) != {"-"}] == [
        line for line in bare.splitlines() if set(line) != {"-"}
    ]


def test_text_charts(report) -> None:
    assert "── equity" in to_text(report, charts=True)
    assert "── equity" not in to_text(report)


def test_page_is_whole_and_fetches_nothing(report) -> None:
    page = Page(to_html(report))
    assert page.links == []
    assert "script" not in page.tags
    assert {"svg", "polyline", "table", "style"} <= set(page.tags)
    said = " ".join(page.said)
    for expected in ("$99,450.00", "NVDA", "breakout", "sector exposure 17.1 % would exceed 15.0 %"):
        assert expected in said


def test_page_knows_dark_and_light(report) -> None:
    assert "prefers-color-scheme: dark" in to_html(report)


HOSTILE = '<script>alert("1")</script>&amp;|`*_\x1b[2J\u202e\n# x'


@pytest.fixture(scope="module")
def hostile(day):
    """The same session with a hostile text in every text column that a person or a source can write."""
    spoiled = {}
    for name, frame in day.frames.items():
        texts = [
            column
            for column in (
                "symbol",
                "reason",
                "sector",
                "strategy",
                "exit_reason",
                "regime",
                "benchmark",
                "purpose",
            )
            if column in frame.columns
        ]
        spoiled[name] = frame.with_columns(pl.lit(HOSTILE).alias(column) for column in texts)
    return daily_report(
        "momentum", SESSION, spoiled.pop("portfolio"), **spoiled, problems=[HOSTILE], mode=HOSTILE
    )


def test_html_escapes_everything_from_outside(hostile) -> None:
    source = to_html(hostile)
    assert "<script" not in source
    assert "\x1b" not in source
    page = Page(source)
    assert "script" not in page.tags
    assert any('<script>alert("1")</script>&amp;' in said for said in page.said)  # shown as it was written


def test_terminals_obey_nothing_from_outside(hostile) -> None:
    shown = to_text(hostile)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert not [line for line in shown.splitlines() if line.startswith("# x")]


def test_markdown_escapes_everything_from_outside(hostile) -> None:
    shown = to_markdown(hostile)
    assert "<script" not in shown.replace("\\<", "")
    assert not re.search(r"(?<!\\)`", shown)
    tables = [line for line in shown.splitlines() if line.startswith("| ") and "script" in line]
    heads = {len(re.findall(r"(?<!\\)\|", line)) for line in tables}
    assert tables
    assert heads <= {
        len(re.findall(r"(?<!\\)\|", line)) for line in shown.splitlines() if line.startswith("|---")
    }


@pytest.mark.parametrize(
    "text", ["# heading", "- item", "+ item", "1. item", "a|b", "*x*", "[x](y)", "<b>", "~~x~~"]
)
def test_markdown_shows_texts_as_they_are(text: str) -> None:
    document = Document("t", "", (Section("s", (Notes((Cell(text),)),)),))
    line = render_markdown(document).splitlines()[-1].removeprefix("- ")
    assert re.sub(r"\\(.)", r"\1", line) == text
    assert line != text


# --------------------------------------------------------------------------------------------- documents


def table_of(rows: int, *, wide: bool) -> Document:
    columns = (Column("Symbol", "left"), Column("Value"), Column("Reason", "left", wide=wide))
    cells = tuple((Cell("AAPL"), Cell("1.00"), Cell("a long reason " * 20)) for _ in range(rows))
    return Document("title", "", (Section("s", (Table(columns, cells, "nothing here"),)),))


def test_wide_columns_are_wrapped_to_the_width() -> None:
    lines = render_text(table_of(2, wide=True), width=60).splitlines()
    assert max(map(len, lines)) <= 60
    assert " ".join(" ".join(lines).split()).count("a long reason") >= 30
    assert max(map(len, render_text(table_of(2, wide=False), width=60).splitlines())) > 200


def test_empty_blocks_say_so() -> None:
    document = table_of(0, wide=True)
    assert "nothing here" in render_text(document)
    assert "nothing here" in render_html(document)
    assert "nothing here" in render_markdown(document)


numbers = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))
cells = st.builds(
    Cell,
    st.text(max_size=30),
    st.sampled_from(["plain", "good", "bad", "warn", "dim"]),
    st.one_of(st.none(), st.floats(-1, 1)),
)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    width = draw(st.integers(1, 4))
    columns = tuple(
        Column(f"c{place}", draw(st.sampled_from(["left", "right"])), draw(st.booleans()))
        for place in range(width)
    )
    rows = draw(st.lists(st.tuples(*[cells] * width), max_size=5))
    length = draw(st.integers(0, 8))
    line = st.lists(numbers, min_size=length, max_size=length).map(tuple)
    sessions = tuple(date(2024, 1, 1 + place) for place in range(length))
    curve = Curve(
        sessions, draw(line), draw(line), draw(st.one_of(st.just(()), line)), draw(st.text(max_size=9))
    )
    facts = Facts(tuple(draw(st.lists(st.tuples(st.text(max_size=12), cells), max_size=4))))
    notes = Notes(tuple(draw(st.lists(cells, max_size=3))))
    section = Section(draw(st.text(max_size=9)), (facts, Table(columns, tuple(rows)), notes, curve))
    return Document(draw(st.text(max_size=20)), draw(st.text(max_size=20)), (section,))


@settings(max_examples=100, deadline=None)
@given(document=documents(), width=st.integers(1, 200), colour=st.booleans())
def test_any_document_renders(document: Document, width: int, colour: bool) -> None:
    render_text(document, width=width, colour=colour, charts=True)
    render_markdown(document)
    Page(render_html(document))


# ----------------------------------------------------------------------------------------- generated frames


def spoil(draw, frame: pl.DataFrame) -> pl.DataFrame:
    """Replace numbers by null, NaN, infinities and huge values, texts by nonsense, or leave no row."""
    height = draw(st.integers(0, frame.height))
    frame = frame.head(height)
    for name, dtype in frame.schema.items():
        if dtype == pl.Float64:
            values = draw(st.lists(numbers, min_size=height, max_size=height))
            frame = frame.with_columns(pl.Series(name, values, dtype=pl.Float64))
        elif dtype == pl.String and name not in ("book",):
            values = draw(
                st.lists(st.one_of(st.none(), st.text(max_size=8)), min_size=height, max_size=height)
            )
            frame = frame.with_columns(pl.Series(name, values, dtype=pl.String))
        elif dtype == pl.Int64:
            values = draw(
                st.lists(st.one_of(st.none(), st.integers(-9, 99)), min_size=height, max_size=height)
            )
            frame = frame.with_columns(pl.Series(name, values, dtype=pl.Int64))
    return frame


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_session_renders(day, data: st.DataObject) -> None:
    frames = {name: spoil(data.draw, frame) for name, frame in day.frames.items()}
    report = daily_report("momentum", SESSION, frames.pop("portfolio"), **frames)
    to_text(report, colour=True)
    Page(to_html(report))
    to_markdown(report)
    to_json(report)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_run_renders(run, data: st.DataObject) -> None:
    portfolio, trades = spoil(data.draw, run.portfolio.head(6)), spoil(data.draw, run.trades.head(4))
    benchmark = run.benchmark.head(7) if data.draw(st.booleans()) else None
    report = backtest_report("momentum", portfolio, trades, benchmark=benchmark)
    to_text(report, charts=True)
    Page(to_html(report))
    to_markdown(report)
    to_json(report)
