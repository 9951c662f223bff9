"""The desk as Dagster gets it: the time, the lake, and a book wherever it is known from."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from delta import Provenance, open_lake, write
from delta.contracts import Books
from resources.config import ConfigError, load_book
from resources.desk import DeskResource
from trading.book import config_hash, resolved

BOOK = 'start = 2020-01-02\n[universe]\nsymbols = ["IBM"]\n[strategies.turtle]\n'


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeskResource:
    """A desk with one book file."""
    monkeypatch.chdir(tmp_path)
    for name in ("DESK_LAKE", "DESK_BOOKS", "DESK_CONFIG", "DAGSTER_HOME", "DESK_DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config/books").mkdir(parents=True)
    (tmp_path / "config/desk.toml").write_text('lake = "./data/lake"\n', encoding="utf-8")
    (tmp_path / "config/books/a.toml").write_text(BOOK, encoding="utf-8")
    return DeskResource()


def test_the_time_is_the_clocks_unless_it_is_fixed(desk: DeskResource) -> None:
    assert abs(desk.now() - datetime.now(UTC)) < timedelta(minutes=1)
    fixed = DeskResource(fixed_now="2012-01-03T21:05:00+00:00")
    assert fixed.now() == datetime(2012, 1, 3, 21, 5, tzinfo=UTC)


def test_the_lake_is_made_where_the_file_says(desk: DeskResource, tmp_path: Path) -> None:
    assert not (tmp_path / "data").exists()
    assert desk.lake().path == tmp_path / "data/lake"
    assert open_lake(tmp_path / "data/lake").path == tmp_path / "data/lake"
    assert DeskResource(lake_uri=str(tmp_path / "other")).lake().path == tmp_path / "other"


def test_files_are_read_afresh(desk: DeskResource, tmp_path: Path) -> None:
    assert list(desk.books()) == ["a"]
    (tmp_path / "config/books/b.toml").write_text(BOOK, encoding="utf-8")
    assert list(desk.books()) == ["a", "b"]
    (tmp_path / "config/books/a.toml").write_text(BOOK.replace("2020-01-02", "2021-01-04"), encoding="utf-8")
    assert desk.book("a").start == date(2021, 1, 4)


def test_a_given_book_wins_over_the_file(desk: DeskResource, tmp_path: Path) -> None:
    other = load_book(tmp_path / "config/books/a.toml").model_copy(update={"capital": 5.0})
    given = DeskResource(given={"a": resolved(other)})
    assert given.book("a").capital == 5.0
    assert desk.book("a").capital == 100_000.0


def test_a_book_without_a_file_is_taken_as_it_was_last_used(desk: DeskResource, tmp_path: Path) -> None:
    book = load_book(tmp_path / "config/books/a.toml")
    row = {
        "book": "a",
        "config_hash": config_hash(book),
        "mode": book.mode,
        "config": resolved(book),
        "known_at": datetime(2020, 1, 2, tzinfo=UTC),
    }
    write(desk.lake(), Books, pl.DataFrame([row], Books.schema()), None, Provenance("a run", "test", "1"))
    (tmp_path / "config/books/a.toml").unlink()
    assert desk.book("a") == book
    with pytest.raises(ConfigError, match=r"book 'b' is unknown; the book files in .* are: none"):
        desk.book("b")


def test_one_broken_file_does_not_hide_another_book(desk: DeskResource, tmp_path: Path) -> None:
    (tmp_path / "config/books/z.toml").write_text("start = ", encoding="utf-8")
    assert desk.book("a").name == "a"
    with pytest.raises(ConfigError, match=r"z\.toml:1:9: malformed TOML"):
        desk.books()
