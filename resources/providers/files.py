"""Bars from a folder of CSV or Parquet files: one symbol a file, or long files with a symbol column.

Columns are found by their usual names whatever the case; a column map in the settings says otherwise.
Columns of dividends and splits (the value on the ex date, 0 or 1 on other days) become corporate actions.
"""

from __future__ import annotations

import io
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import Field, field_validator

from resources.calendar import STOCKS, with_closes, with_sessions
from resources.providers import base

NAMES = {
    "symbol": ("symbol", "ticker", "name"),
    "date": ("date", "datetime", "timestamp", "time", "session"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
    "dividend": ("dividend", "dividends", "divcash"),
    "split": ("split", "splits", "stock splits", "splitfactor"),
}
REQUIRED = ("date", "open", "high", "low", "close")
SUFFIXES = (".csv", ".csv.gz", ".parquet")
_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240}
_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y%m%d")
_HEADER_LINES = 1
_FIGURES = ("open", "high", "low", "close", "volume")


class FilesSettings(base.Settings):
    """Settings of the provider.

    Attributes
    ----------
    folder : Path
        Folder that holds the files; folders within are not looked into.
    layout : str
        ``per_symbol`` (the file is named after its symbol) or ``long`` (every file has a symbol column).
    columns : dict
        Own names of columns: symbol, date, open, high, low, close, volume, dividend, split.
    date_format : str, optional
        As for ``strptime``; without it ISO dates and YYYYMMDD are understood. Mind 03/04/2020.
    timezone : str
        Zone of times without an offset; dates of daily bars have none.
    stamp : str
        Whether a time is the ``start`` or the ``close`` of its bar.
    """

    folder: Path
    layout: Literal["per_symbol", "long"] = "per_symbol"
    columns: dict[str, str] = Field(default_factory=dict)
    date_format: str | None = None
    timezone: str = "UTC"
    stamp: Literal["start", "close"] = "close"
    timeframe: Literal["1m", "5m", "15m", "30m", "1h", "4h", "1d"] = "1d"
    separator: str = Field(default=",", min_length=1, max_length=1)
    asset_class: Literal["stock", "etf", "crypto", "fx", "index", "future"] = "stock"
    exchange: str = "XXXX"
    calendar: str = STOCKS
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3,5}$")

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: dict[str, str]) -> dict[str, str]:
        unknown = sorted(columns.keys() - NAMES.keys())
        if unknown:
            raise ValueError(f"unknown column {unknown[0]!r}; allowed are {', '.join(NAMES)}")
        return columns

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone; use a name like America/New_York") from None
        return name


class Files:
    """Provider of a folder of files; see the module."""

    name: ClassVar[str] = "files"
    capabilities: ClassVar[base.Capabilities] = base.Capabilities(
        ("stock", "etf", "crypto", "fx", "index", "future"), (*_MINUTES, "1d"), corporate_actions=True
    )
    Settings: ClassVar[type[FilesSettings]] = FilesSettings
    together: ClassVar[int] = 64
    """Symbols that one request serves best."""

    def __init__(self, settings: FilesSettings) -> None:
        self.settings = settings
        if not settings.folder.is_dir():
            raise base.ProviderError(
                self.name, f"no folder {settings.folder}", remedy="set `folder` to where the files are"
            )

    def symbols(self) -> list[str]:
        """Names of the files, or the symbols found in long files."""
        return (
            sorted(self._long["symbol"].unique()) if self.settings.layout == "long" else sorted(self._paths)
        )

    def fetch(self, request: base.Request) -> base.Answer:
        """Bars, corporate actions and instruments; see :class:`resources.providers.base.Provider`."""
        if request.timeframe != self.settings.timeframe:
            raise base.Unsupported(
                self.name,
                f"no {request.timeframe} bars",
                remedy=f"the setting `timeframe` says that the files hold {self.settings.timeframe}",
            )
        whole = self._timed(pl.concat([self._symbol(symbol) for symbol in request.symbols]))
        bars = whole.filter(pl.col("session").is_between(request.first, request.last))
        there = set(bars["symbol"].unique())
        for symbol in request.symbols:
            if symbol not in there:
                self._refuse_empty(symbol, whole, request)
        return base.Answer(
            bars=bars.select(base.BARS.names()),
            corporate_actions=_actions(bars, self.settings.currency),
            instruments=self._instruments(whole),
        )

    def _refuse_empty(self, symbol: str, whole: pl.DataFrame, request: base.Request) -> None:
        have = whole.filter(pl.col("symbol") == symbol)["session"].sort()
        raise base.NoData(
            self.name,
            f"no {request.timeframe} bars in {request.first} .. {request.last}",
            symbol=symbol,
            remedy=f"its file has {have[0]} .. {have[-1]}" if len(have) else "its file has no rows",
        )

    @cached_property
    def _paths(self) -> dict[str, Path]:
        """File of each symbol; the names are taken as they are written."""
        found: dict[str, Path] = {}
        for path in sorted(self.settings.folder.iterdir()):
            for suffix in SUFFIXES:
                if path.name.lower().endswith(suffix):
                    found.setdefault(path.name[: -len(suffix)], path)
        return found

    @cached_property
    def _long(self) -> pl.DataFrame:
        parts = [self._read(path, None) for path in self._paths.values()]
        if not parts:
            raise base.NoData(self.name, f"no file ending in {', '.join(SUFFIXES)} in {self.settings.folder}")
        return pl.concat(parts)

    def _symbol(self, symbol: str) -> pl.DataFrame:
        if self.settings.layout == "long":
            rows = self._long.filter(pl.col("symbol") == symbol)
            if rows.is_empty():
                raise self._unknown(symbol)
            return rows
        if symbol not in self._paths:
            raise self._unknown(symbol)
        return self._read(self._paths[symbol], symbol)

    def _unknown(self, symbol: str) -> base.UnknownSymbol:
        known = self.symbols()
        shown = ", ".join(known[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "")
        return base.UnknownSymbol(
            self.name, f"not in {self.settings.folder}", symbol=symbol, remedy=f"it has {shown or 'no files'}"
        )

    def _read(self, path: Path, symbol: str | None) -> pl.DataFrame:
        """Rows of one file with ``stamp``, the prices, ``dividend`` and ``split``."""
        raw = self._table(path, symbol)
        columns = self._columns(path, raw, symbol)
        numbers = [name for name in columns if name not in {"symbol", "date"}]
        text = raw.select(pl.col(found).alias(name) for name, found in columns.items())
        bars = text.with_columns(
            pl.col(numbers).cast(pl.Float64, strict=False), stamp=self._instant(text.schema["date"])
        )
        self._refuse_unread(path, symbol, text, bars, [*numbers, "stamp"])
        bars = bars.with_columns(
            pl.col("symbol").cast(pl.String) if symbol is None else pl.lit(symbol).alias("symbol"),
            *(pl.lit(0.0).alias(name) for name in ("volume", "dividend", "split") if name not in columns),
            timeframe=pl.lit(self.settings.timeframe),
            source=pl.lit(self.name),
        )
        return bars.select("symbol", "timeframe", "stamp", *_FIGURES, "source", "dividend", "split")

    def _table(self, path: Path, symbol: str | None) -> pl.DataFrame:
        try:
            if path.name.lower().endswith(".parquet"):
                return pl.read_parquet(path)
            return pl.read_csv(
                io.BytesIO(path.read_bytes()), separator=self.settings.separator, infer_schema=False
            )
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
            # The reader of Parquet panics on some damaged files, which is no ordinary exception.
            problem = self._ragged(path) or f"cannot read {path}: {str(error).splitlines()[0]}"
            raise base.MalformedAnswer(
                self.name, problem, symbol=symbol, remedy="repair the file or set `separator`"
            ) from error

    def _ragged(self, path: Path) -> str | None:
        """First line of a CSV with another number of cells than its header."""
        if not path.name.lower().endswith(".csv"):
            return None
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        width = lines[0].count(self.settings.separator) if lines else 0
        for number, line in enumerate(lines, start=1):
            if line.count(self.settings.separator) != width:
                cells = line.count(self.settings.separator) + 1
                return f"{path} line {number}: {cells} columns instead of {width + 1}: {line[:80]!r}"
        return None

    def _columns(self, path: Path, raw: pl.DataFrame, symbol: str | None) -> dict[str, str]:
        """Column of the file for each of ours."""
        folded = {name.strip().lower(): name for name in reversed(raw.columns)}
        found: dict[str, str] = {}
        for ours, usual in NAMES.items():
            wanted = self.settings.columns.get(ours)
            match = (
                next((folded[name] for name in usual if name in folded), None) if wanted is None else wanted
            )
            if match is not None and match in raw.columns:
                found[ours] = match
            elif wanted is not None or ours in REQUIRED or (ours == "symbol" and symbol is None):
                raise base.MalformedAnswer(
                    self.name,
                    f"{path} has no column {wanted or ours!r}, only {', '.join(raw.columns)}",
                    symbol=symbol,
                    remedy=f"say which one it is: columns.{ours} = ...",
                )
        if symbol is not None:
            found.pop("symbol", None)
        return found

    def _instant(self, dtype: pl.DataType) -> pl.Expr:
        """Time of a row, aware (UTC) for intraday bars and a plain date for daily ones."""
        stamp = pl.col("date")
        daily = self.settings.timeframe == "1d"
        if dtype == pl.String:
            form = self.settings.date_format
            forms = (form,) if form else _FORMATS
            if daily and not form:
                stamp = stamp.str.slice(0, 10)
            stamp = pl.coalesce(stamp.str.to_datetime(each, time_unit="us", strict=False) for each in forms)
        if daily:
            return stamp.cast(pl.Date)
        if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
            return stamp.dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
        return (
            stamp.cast(pl.Datetime("us"))
            .dt.replace_time_zone(self.settings.timezone, ambiguous="earliest", non_existent="null")
            .dt.convert_time_zone("UTC")
        )

    def _refuse_unread(
        self, path: Path, symbol: str | None, text: pl.DataFrame, bars: pl.DataFrame, names: list[str]
    ) -> None:
        bad = bars.select(pl.any_horizontal(pl.col(names).is_null())).to_series()
        if not bad.any():
            return
        unread = bad.arg_max() or 0
        name = next(name for name in names if bars[name][unread] is None)
        ours = "date" if name == "stamp" else name
        kind = "date" if name == "stamp" else "number"
        value = text[ours][unread]
        where = "row" if path.suffix == ".parquet" else "line"
        line = unread + 1 + (0 if where == "row" else _HEADER_LINES)
        remedy = "set `date_format` or repair the line" if name == "stamp" else "repair or remove the line"
        raise base.MalformedAnswer(
            self.name, f"{path} {where} {line}: {ours} {value!r} is no {kind}", symbol=symbol, remedy=remedy
        )

    def _timed(self, bars: pl.DataFrame) -> pl.DataFrame:
        """Rows with ``session`` and ``closes_at``, in their order."""
        if self.settings.timeframe == "1d":
            return with_closes(bars.with_columns(session="stamp"), self.settings.calendar)
        minutes = _MINUTES[self.settings.timeframe]
        back = 0 if self.settings.stamp == "start" else minutes
        return with_sessions(
            bars.with_columns(start=pl.col("stamp") - pl.duration(minutes=back)),
            self.settings.calendar,
            minutes,
        )

    def _instruments(self, whole: pl.DataFrame) -> pl.DataFrame:
        chosen = self.settings
        return (
            whole.group_by("symbol", maintain_order=True)
            .agg(valid_from=pl.col("session").min())
            .select(
                "symbol",
                ticker="symbol",
                asset_class=pl.lit(chosen.asset_class),
                exchange=pl.lit(chosen.exchange),
                calendar=pl.lit(chosen.calendar),
                currency=pl.lit(chosen.currency),
                sector=pl.lit(None, pl.String),
                market_cap=pl.lit(None, pl.Float64),
                multiplier=pl.lit(1.0),
                valid_from="valid_from",
                valid_to=pl.lit(None, pl.Date),
                predecessor=pl.lit(None, pl.String),
                source=pl.lit(self.name),
            )
        )


PROVIDER = Files


def _actions(bars: pl.DataFrame, currency: str) -> pl.DataFrame:
    """Splits and dividends of the columns that carry them."""
    kinds = {
        "split": ("split", pl.col("split").is_in([0.0, 1.0]).not_()),
        "dividend": ("cash_dividend", pl.col("dividend") != 0),
    }
    parts = [
        bars.filter(there).select(
            "symbol",
            ex_date="session",
            action=pl.lit(action),
            value=column,
            pay_date=pl.lit(None, pl.Date),
            new_symbol=pl.lit(None, pl.String),
            currency=pl.lit(currency),
            source="source",
        )
        for column, (action, there) in kinds.items()
    ]
    return pl.concat(parts).unique(maintain_order=True)
