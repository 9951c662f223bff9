"""A QuantConnect LEAN data folder: equities with identity, foreign exchange, crypto, indices, options.

The symbol of an equity is the name of its map file in capitals (``FB`` and the older ``FB.1``): it stays
when the ticker changes and is never reused. Bars are taken from each ticker's file only for the period in
which the map file gives the ticker to the instrument, so that an older company's bars under the same
ticker never leak in. Equity prices are integers in 1/10000 dollar, all others plain decimals; quotes become
mid prices. Sunday evenings of foreign exchange belong to Monday's session.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import polars as pl
from pydantic import Field

from resources.calendar import (
    ALL_DAY,
    STOCKS,
    WEEKDAYS,
    CalendarError,
    next_session,
    sessions,
    with_closes,
    with_sessions,
)
from resources.providers import base
from resources.providers.lean_files import (
    FOR_EVER,
    FileError,
    Period,
    events,
    read_bars,
    read_factors,
    read_map,
)
from resources.providers.lean_options import option_quotes

RESOLUTIONS = {"1d": "daily", "1h": "hour", "1m": "minute"}
_MINUTES = {"1h": 60, "1m": 1}
_TRADES = ("open", "high", "low", "close", "volume")
_QUOTES = tuple(
    f"{side}_{name}" for side in ("bid", "ask") for name in ("open", "high", "low", "close", "size")
)
_EXCHANGES = {"N": "XNYS", "Q": "XNAS", "P": "ARCX", "Z": "BATS", "A": "XASE"}
_FUND_EXCHANGES = ("ARCX", "BATS")
"""Exchanges whose own listings are exchange-traded products."""
_DECICENT = 1e4


class LeanSettings(base.Settings):
    """Settings of the provider.

    Attributes
    ----------
    folder : Path
        LEAN's ``Data`` folder.
    forex_market, crypto_market : str
        Which of the folder's markets serves currencies and crypto.
    """

    folder: Path
    forex_market: str = Field(default="oanda", pattern=r"^[a-z0-9]+$")
    crypto_market: str = Field(default="coinbase", pattern=r"^[a-z0-9]+$")


class _Market:
    """One market of the folder: where its files lie and how its bars read."""

    def __init__(self, folder: Path, asset_class: str, calendar: str, zone: str, *, suffix: str = "") -> None:
        self.folder, self.asset_class, self.calendar = folder, asset_class, calendar
        self.zone, self.suffix = zone, suffix
        self.columns = _QUOTES if asset_class == "fx" else _TRADES

    def path(self, ticker: str, resolution: str) -> Path:
        return self.folder / resolution / f"{ticker.lower()}{self.suffix}.zip"

    def tickers(self, resolution: str) -> set[str]:
        found = (self.folder / resolution).glob("*" if resolution == "minute" else f"*{self.suffix}.zip")
        names = (path.name.removesuffix(".zip").removesuffix(self.suffix).upper() for path in found)
        return {name for name in names if not name.endswith("_QUOTE")}


class Lean:
    """Provider of a LEAN data folder; see the module."""

    name: ClassVar[str] = "lean"
    capabilities: ClassVar[base.Capabilities] = base.Capabilities(
        ("stock", "etf", "fx", "crypto", "index"), tuple(RESOLUTIONS), corporate_actions=True, chains=True
    )
    Settings: ClassVar[type[LeanSettings]] = LeanSettings

    def __init__(self, settings: LeanSettings) -> None:
        self.folder = settings.folder
        if not self.folder.is_dir():
            raise base.ProviderError(
                self.name, f"no folder {self.folder}", remedy="set `folder` to a LEAN data folder"
            )
        root = self.folder
        self._equity = _Market(root / "equity/usa", "stock", STOCKS, "America/New_York")
        self._others = (
            _Market(root / "forex" / settings.forex_market, "fx", WEEKDAYS, "UTC"),
            _Market(root / "crypto" / settings.crypto_market, "crypto", ALL_DAY, "UTC", suffix="_trade"),
            _Market(root / "index/usa", "index", STOCKS, "America/Chicago"),
        )

    def symbols(self) -> list[str]:
        """Symbols with bars of any timeframe, sorted."""
        return sorted(
            symbol
            for symbol, (market, periods) in self._catalog.items()
            if any(
                self._files(market, period, resolution)
                for period in periods
                for resolution in RESOLUTIONS.values()
            )
        )

    def fetch(self, request: base.Request) -> base.Answer:
        """Bars, corporate actions and instruments; see :class:`resources.providers.base.Provider`."""
        base.require_timeframe(self, request)
        bars, actions, instruments = [], [], []
        for symbol in request.symbols:
            market, periods = self._known(symbol)
            try:
                whole = self._bars(symbol, market, periods, request.timeframe)
                bars.append(self._cut(symbol, whole, request))
                if market is self._equity:
                    actions.append(self._actions(symbol, periods))
                instruments.append(self._instruments(symbol, market, periods, whole["session"].sort()[0]))
            except (FileError, CalendarError) as error:
                raise base.MalformedAnswer(
                    self.name, str(error), symbol=symbol, remedy="restore the file from LEAN's data"
                ) from error
        within = pl.col("ex_date").is_between(request.first, request.last)
        return base.Answer(
            bars=pl.concat(bars),
            corporate_actions=pl.concat([base.CORPORATE_ACTIONS.to_frame(), *actions]).filter(within),
            instruments=pl.concat(instruments),
        )

    def chain(
        self,
        underlying: str,
        *,
        expiries: Iterable[date] | None = None,
        strikes: tuple[float, float] | None = None,
        first: date = date.min,
        last: date = FOR_EVER,
    ) -> pl.DataFrame:
        """Quotes, greeks and open interest of the contracts on a stock at the close of each session.

        Parameters
        ----------
        expiries, strikes : optional
            Only these expiries, and strikes from the first to the second.
        first, last : date
            Range of sessions.

        Returns
        -------
        polars.DataFrame
            The table ``option_quotes`` without ``known_at``; see :mod:`resources.providers.lean_options`.
        """
        market, periods = self._known(underlying)
        try:
            bars = self._bars(underlying, market, periods, "1d").select("session", "close", "volume")
            days = bars["session"].sort()
            parts = [
                option_quotes(
                    self.folder / "option/usa",
                    period.ticker,
                    underlying,
                    bars.sort("session"),
                    max(first, period.first, days[0]),
                    min(last, period.last, days[-1]),
                    self.name,
                )
                for period in periods
            ]
        except (FileError, CalendarError) as error:
            raise base.MalformedAnswer(
                self.name, str(error), symbol=underlying, remedy="restore the file from LEAN's data"
            ) from error
        frame = pl.concat(parts)
        if expiries is not None:
            frame = frame.filter(pl.col("expiry").is_in(list(expiries)))
        if strikes is not None:
            frame = frame.filter(pl.col("strike").is_between(*strikes))
        if frame.is_empty():
            raise base.NoData(
                self.name,
                "no option quotes in the range asked for",
                symbol=underlying,
                remedy="widen it; the folder option/usa/universes has a file a day",
            )
        return frame

    def constituents(self, universe: str, first: date, last: date) -> pl.DataFrame:
        """Lists of a fund's constituents from the first to the last day.

        Returns
        -------
        polars.DataFrame
            The table ``memberships`` without ``known_at``. A list counts from the day of its file on, the
            day after the holdings it tells.
        """
        lists = {
            datetime.strptime(path.stem, "%Y%m%d").date(): path  # noqa: DTZ007 - a day has no zone
            for path in sorted((self._equity.folder / "universes/etf" / universe.lower()).glob("*.csv"))
        }
        parts = [self._list(universe, day, path) for day, path in lists.items() if first <= day <= last]
        if not parts:
            have = ", ".join(str(day) for day in lists) or "none"
            raise base.NoData(
                self.name,
                f"no list of constituents in {first} .. {last}",
                symbol=universe,
                remedy=f"it has {have}",
            )
        return pl.concat(parts)

    def _list(self, universe: str, day: date, path: Path) -> pl.DataFrame:
        columns = ["ticker", "id", "holdings", "weight", "shares", "value"]
        raw = pl.read_csv(path, has_header=False, new_columns=columns, infer_schema=False)
        held = self._held_by(day)
        rows = raw.select(
            universe=pl.lit(universe.upper()),
            symbol=pl.col("ticker").replace(held),
            observed=pl.lit(day, pl.Date),
            weight=pl.col("weight").cast(pl.Float64, strict=False),
            source=pl.lit(self.name),
        )
        return rows.unique("symbol", keep="first", maintain_order=True)

    def snapshot(self, day: date) -> pl.DataFrame:
        """Every stock of a session as the coarse file tells it.

        Returns
        -------
        polars.DataFrame
            ``symbol, ticker, session, close, volume, dollar_volume, price_factor, split_factor`` (backward
            factors of the file).
        """
        path = self._equity.folder / "fundamental/coarse" / f"{day:%Y%m%d}.csv"
        if not path.is_file():
            raise base.NoData(self.name, f"no file {path}", remedy="choose a day that the folder has")
        names = [
            "id",
            "ticker",
            "close",
            "volume",
            "dollar_volume",
            "fundamental",
            "price_factor",
            "split_factor",
        ]
        raw = pl.read_csv(path, has_header=False, new_columns=names, infer_schema=False)
        figures = ("close", "volume", "dollar_volume", "price_factor", "split_factor")
        return raw.select(
            pl.col("ticker").replace(self._held_by(day)).alias("symbol"),
            "ticker",
            pl.lit(day, pl.Date).alias("session"),
            *(pl.col(name).cast(pl.Float64) for name in figures),
        )

    def _held_by(self, day: date) -> dict[str, str]:
        """Ticker to symbol on a day, for the tickers that map files know."""
        return {
            period.ticker: symbol
            for symbol, (market, periods) in self._catalog.items()
            if market is self._equity
            for period in periods
            if period.first <= day <= period.last
        }

    @cached_property
    def _catalog(self) -> dict[str, tuple[_Market, list[Period]]]:
        """Market and periods of every symbol; equities come first where a name is used twice."""
        found: dict[str, tuple[_Market, list[Period]]] = {}
        for path in sorted((self._equity.folder / "map_files").glob("*.csv")):
            try:
                found[path.stem.upper()] = (self._equity, read_map(path))
            except FileError as error:
                raise base.MalformedAnswer(
                    self.name, str(error), remedy="restore the file from LEAN's data"
                ) from error
        mapped = {period.ticker for _, periods in found.values() for period in periods}
        for market in (self._equity, *self._others):
            for ticker in sorted(set.union(*(market.tickers(name) for name in RESOLUTIONS.values()))):
                if market is not self._equity or ticker not in mapped:
                    found.setdefault(ticker, (market, [Period(ticker, "", date.min, FOR_EVER)]))
        return found

    def _known(self, symbol: str) -> tuple[_Market, list[Period]]:
        if symbol in self._catalog:
            return self._catalog[symbol]
        for other, (_, periods) in self._catalog.items():
            for period in periods:
                if period.ticker == symbol:
                    raise base.UnknownSymbol(
                        self.name,
                        f"not a symbol but the ticker of {other} from {period.first} to {period.last}",
                        symbol=symbol,
                        remedy=f"ask for {other}",
                    )
        raise base.UnknownSymbol(
            self.name,
            f"not in {self.folder}",
            symbol=symbol,
            remedy="list the symbols it has, or add its files",
        )

    def _files(self, market: _Market, period: Period, resolution: str) -> list[Path]:
        """Existing files of a ticker; for minutes one a day within the period."""
        if resolution != "minute":
            path = market.path(period.ticker, resolution)
            return [path] if path.is_file() else []
        kind = "quote" if market.columns is _QUOTES else "trade"
        folder = market.folder / resolution / period.ticker.lower()
        first, last = (day.strftime("%Y%m%d") for day in (max(period.first, date(1900, 1, 1)), period.last))
        return [path for path in sorted(folder.glob(f"*_{kind}.zip")) if first <= path.name[:8] <= last]

    def _bars(self, symbol: str, market: _Market, periods: list[Period], timeframe: str) -> pl.DataFrame:
        """All bars of a symbol."""
        parts = [
            self._read(market, path, timeframe).filter(pl.col("day").is_between(*_bounds(period)))
            for period in periods
            for path in self._files(market, period, RESOLUTIONS[timeframe])
        ]
        if not parts:
            raise base.NoData(
                self.name,
                f"no {RESOLUTIONS[timeframe]} file for any of its tickers "
                f"({', '.join(dict.fromkeys(period.ticker for period in periods))})",
                symbol=symbol,
                remedy="choose another timeframe or add the files",
            )
        return _stamp(pl.concat(parts), market, timeframe)

    def _cut(self, symbol: str, stamped: pl.DataFrame, request: base.Request) -> pl.DataFrame:
        """Bars of the range asked for."""
        bars = stamped.filter(pl.col("session").is_between(request.first, request.last))
        if bars.is_empty():
            have = stamped["session"].sort()
            raise base.NoData(
                self.name,
                f"no {request.timeframe} bars in {request.first} .. {request.last}",
                symbol=symbol,
                remedy=f"the folder has {have[0]} .. {have[-1]}"
                if len(have)
                else "its files hold nothing of the periods in its map file; restore them",
            )
        return bars.with_columns(
            symbol=pl.lit(symbol), timeframe=pl.lit(request.timeframe), source=pl.lit(self.name)
        ).select(base.BARS.names())

    def _read(self, market: _Market, path: Path, timeframe: str) -> pl.DataFrame:
        """Columns ``day, start`` (local, without zone) and prices of one file, in its order."""
        raw = read_bars(path, market.columns)
        if timeframe == "1m":
            midnight = pl.lit(path.name[:8]).str.to_datetime("%Y%m%d", time_unit="us")
            start = midnight + pl.duration(milliseconds=pl.col("stamp").cast(pl.Int64, strict=False))
        else:
            start = pl.col("stamp").str.to_datetime("%Y%m%d %H:%M", time_unit="us", strict=False)
        bars = raw.with_columns(start=start)
        unread = bars["start"].is_null().arg_max() if bars["start"].null_count() else None
        if unread is not None:
            raise FileError(f"{path} line {unread + 1}: {bars['stamp'][unread]!r} is no time stamp")
        return bars.select(pl.col("start").dt.date().alias("day"), "start", *_prices(market))

    def _actions(self, symbol: str, periods: list[Period]) -> pl.DataFrame:
        path = self._equity.folder / "factor_files" / f"{symbol.lower()}.csv"
        rows: list[tuple[date, str, float | None, str | None]] = [
            (_after(event.eve), event.action, event.value, None)
            for event in events(read_factors(path))
            if periods[0].first <= event.eve < periods[-1].last
        ]
        for before, period in pairwise(periods):
            rows.append((_after(before.last), "rename", None, period.ticker))
        if periods[-1].last < FOR_EVER:
            rows.append((_after(periods[-1].last), "delisting", None, None))
        return pl.DataFrame(
            [(symbol, day, action, value, None, new, "USD", self.name) for day, action, value, new in rows],
            schema=base.CORPORATE_ACTIONS,
            orient="row",
        ).sort("ex_date", maintain_order=True)

    def _instruments(
        self, symbol: str, market: _Market, periods: list[Period], first_bar: date
    ) -> pl.DataFrame:
        rows = []
        for period in periods:
            exchange = _EXCHANGES.get(period.exchange, "XXXX")
            fund = market is self._equity and (exchange in _FUND_EXCHANGES or period.ticker in self._funds)
            rows.append(
                (
                    symbol,
                    period.ticker,
                    "etf" if fund else market.asset_class,
                    exchange,
                    market.calendar,
                    symbol[-3:] if market.asset_class in {"fx", "crypto"} else "USD",
                    None,
                    None,
                    1.0,
                    period.first if period.first > date.min else first_bar,
                    period.last if period.last < FOR_EVER else None,
                    None,
                    self.name,
                )
            )
        return pl.DataFrame(rows, schema=base.INSTRUMENTS, orient="row")

    @cached_property
    def _funds(self) -> set[str]:
        """Tickers whose constituents the folder lists."""
        return {path.name.upper() for path in (self._equity.folder / "universes/etf").glob("*")}


PROVIDER = Lean


def _after(eve: date) -> date:
    return next_session(STOCKS, eve)


def _bounds(period: Period) -> tuple[date, date]:
    return period.first, period.last


def _prices(market: _Market) -> Iterator[pl.Expr]:
    """Open to volume in units of the currency; a quote's mid price."""
    if market.columns is _QUOTES:
        for name in _TRADES[:-1]:
            yield ((pl.col(f"bid_{name}") + pl.col(f"ask_{name}")) / 2).alias(name)
        yield (pl.col("bid_size") + pl.col("ask_size")).alias("volume")
        return
    for name in _TRADES[:-1]:
        # Polars divides by multiplying with the reciprocal; rounding gives the nearest decimal back.
        yield (pl.col(name) / _DECICENT).round(4) if market.asset_class == "stock" else pl.col(name)
    yield pl.col("volume")


def _stamp(bars: pl.DataFrame, market: _Market, timeframe: str) -> pl.DataFrame:
    """Session and close of every bar; bars outside of the opening hours are left out."""
    if market.asset_class == "fx":
        return _fold(bars, market) if timeframe == "1d" else _intraday(bars, market, timeframe)
    if timeframe == "1d":
        return with_closes(bars.rename({"day": "session"}), market.calendar)
    return _intraday(bars, market, timeframe)


def _intraday(bars: pl.DataFrame, market: _Market, timeframe: str) -> pl.DataFrame:
    """Session and close of intraday bars from their local start."""
    start = pl.col("start").dt.replace_time_zone(market.zone, ambiguous="earliest", non_existent="null")
    return with_sessions(
        bars.with_columns(start.dt.convert_time_zone("UTC")), market.calendar, _MINUTES[timeframe]
    )


def _fold(bars: pl.DataFrame, market: _Market) -> pl.DataFrame:
    """Daily bars with those of days that are no session (Sunday evening) made part of the next session."""
    reversed_days = bars.filter(pl.col("day") <= pl.col("day").shift(1))["day"]
    if len(reversed_days):
        raise FileError(f"{market.folder}: the day {reversed_days[0]} comes twice or out of order")
    days = sessions(market.calendar, bars["day"][0], bars["day"][-1] + timedelta(days=7)).select("session")
    return (
        bars.set_sorted("day")
        .join_asof(days, left_on="day", right_on="session", strategy="forward", coalesce=False)
        .group_by("session", maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
        )
        .pipe(with_closes, market.calendar)
    )
