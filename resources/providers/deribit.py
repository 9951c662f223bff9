"""Deribit: options on coins with volatility and greeks, futures bars and volatility indices; no key.

Options that settle in the coin are quoted in the coin; here bid, offer and last are converted to dollars
with the price of the underlying future, so that they are in the unit of strike and greeks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar, NamedTuple, TypeVar

import polars as pl

from resources.calendar import ALL_DAY
from resources.http import HttpProvider, HttpSettings, Pace
from resources.http_errors import json_of
from resources.providers import _frames
from resources.providers.base import (
    Answer,
    Capabilities,
    MalformedAnswer,
    NoData,
    ProviderError,
    RateLimited,
    Request,
    UnknownSymbol,
    Unsupported,
    require_timeframe,
)
from trading.resampling import SPANS

T = TypeVar("T")
NAME = "deribit"
STEPS = {"1m": "1", "5m": "5", "15m": "15", "30m": "30", "1h": "60", "1d": "1D"}
PAGE = 5000
COINS = ("BTC", "ETH")
TOO_MANY = 10028
AT_ONCE = 4
FRESH = timedelta(minutes=1)
PERCENT = 100.0


class Contract(NamedTuple):
    """An option that is listed: its coin, expiry and strike, and all that the service says of it."""

    coin: str
    expiry: date
    strike: float
    terms: dict[str, Any]


class DeribitSettings(HttpSettings):
    """Settings of Deribit.

    Attributes
    ----------
    most_contracts : int
        Contracts that one chain may ask for, each of them one request; a larger chain is refused.
    """

    base_url: str = "https://www.deribit.com"
    most_contracts: int = 400


class Deribit(HttpProvider):
    """Provider of Deribit's options, futures and volatility indices."""

    name: ClassVar[str] = NAME
    Settings: ClassVar[type[DeribitSettings]] = DeribitSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        asset_classes=("option", "future"), timeframes=tuple(STEPS), chains=True
    )
    pace = (Pace(20, 1.0),)
    at_once = AT_ONCE
    settings: DeribitSettings

    def symbols(self) -> list[str]:
        """Futures and perpetuals of the coins."""
        return sorted(name for coin in COINS for name in self._contracts(coin, "future", parse_names, None))

    def fetch(self, request: Request) -> Answer:
        """Bars of futures, such as BTC-PERPETUAL; chains come from :meth:`chain`."""
        require_timeframe(self, request)
        return _frames.joined([self._one(symbol, request) for symbol in request.symbols])

    def chain(
        self,
        underlying: str,
        *,
        expiries: Iterable[date] | None = None,
        strikes: tuple[float, float] | None = None,
    ) -> pl.DataFrame:
        """Quotes of the options on a coin, one request a contract.

        Parameters
        ----------
        underlying : str
            Coin: BTC and ETH settle in themselves, others in USDC.
        expiries : iterable of date, optional
            Only these.
        strikes : tuple of float, optional
            Lowest and highest strike.

        Returns
        -------
        polars.DataFrame
            Columns of the table ``option_quotes`` without ``known_at``.

        Raises
        ------
        ProviderError
            When the bounds leave no contract, or more than ``most_contracts``.
        """
        coin = self.ticker(underlying)
        settles_in = coin if coin in COINS else "USDC"
        contracts = self._contracts(settles_in, "option", parse_contracts, underlying)
        wanted = None if expiries is None else set(expiries)
        kept = [
            contract.terms
            for contract in contracts
            if contract.coin == coin
            and (wanted is None or contract.expiry in wanted)
            and (strikes is None or strikes[0] <= contract.strike <= strikes[1])
        ]
        if not kept:
            raise NoData(
                NAME, "no option in the chain asked for", symbol=underlying, remedy="widen the bounds"
            )
        if len(kept) > self.settings.most_contracts:
            problem = f"{len(kept)} contracts, more than the {self.settings.most_contracts} of most_contracts"
            raise Unsupported(NAME, problem, symbol=underlying, remedy="narrow expiries or strikes")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            rows = list(pool.map(lambda row: self._quote(row, underlying), kept))
        return pl.DataFrame(rows, schema=_frames.OPTION_QUOTES, orient="row")

    def volatility(self, coins: Iterable[str], first: date, last: date) -> pl.DataFrame:
        """Closing values of the volatility index of coins, in percent.

        Returns
        -------
        polars.DataFrame
            Columns of the table ``rates`` without ``known_at``; the series is named ``BTC_DVOL``.
        """
        return pl.concat([_frames.RATES.to_frame(), *(self._volatility(coin, first, last) for coin in coins)])

    @staticmethod
    def refusal(status: int, body: str) -> type[ProviderError] | None:
        """Deribit gives a code of its own in the body."""
        del status
        try:
            error = json.loads(body)["error"]
        except (ValueError, KeyError, TypeError):
            return None
        return _kind(error)

    def _ask(
        self,
        method: str,
        parse: Callable[[Any], T],
        symbol: str | None,
        valid_for: timedelta | None,
        **query: Any,
    ) -> T:
        return self.client.fetch(
            f"/api/v2/public/{method}",
            lambda body: parse(result_of(body, symbol)),
            parameters=query,
            symbol=symbol,
            valid_for=valid_for,
        )

    def _contracts(
        self, coin: str, kind: str, parse: Callable[[Any], list[T]], symbol: str | None
    ) -> list[T]:
        return self._ask("get_instruments", parse, symbol, timedelta(hours=1), currency=coin, kind=kind)

    def _quote(self, contract: dict[str, Any], underlying: str) -> dict[str, Any]:
        name = contract["instrument_name"]
        return self._ask(
            "ticker",
            lambda ticker: parse_quote(ticker, contract, underlying),
            name,
            FRESH,
            instrument_name=name,
        )

    def _one(self, symbol: str, request: Request) -> Answer:
        at, step = _frames.now(), SPANS[request.timeframe]
        # Its days begin at eight in the morning, so that the first session's bar begins the day before.
        start = datetime.combine(request.first, datetime.min.time(), UTC) - step
        end = min(datetime.combine(request.last, datetime.min.time(), UTC) + timedelta(days=1), at)
        pages = []
        while start < end:
            until = min(start + PAGE * step, end)
            pages.append(
                self._ask(
                    "get_tradingview_chart_data",
                    parse_chart,
                    symbol,
                    _frames.validity(request.last, at),
                    instrument_name=self.ticker(symbol),
                    start_timestamp=_milliseconds(start),
                    end_timestamp=_milliseconds(until) - 1,
                    resolution=STEPS[request.timeframe],
                )
            )
            start = until
        candles = pl.concat(pages) if pages else parse_chart({"status": "no_data"})
        bars = _frames.intraday(candles, symbol, request.timeframe, ALL_DAY, NAME)
        bars = _frames.required(_frames.within(bars, request, at), NAME, symbol, request)
        listing = _frames.instrument(
            symbol,
            source=NAME,
            ticker=self.ticker(symbol),
            asset_class="future",
            exchange="DRBT",
            trading_calendar=ALL_DAY,
            currency="USD",
        )
        return Answer(bars, instruments=listing)

    def _volatility(self, coin: str, first: date, last: date) -> pl.DataFrame:
        at, series = _frames.now(), f"{coin}_DVOL"
        start = datetime.combine(first, datetime.min.time(), UTC)
        end = min(datetime.combine(last, datetime.min.time(), UTC) + timedelta(days=1), at)
        rows: list[tuple[int, float]] = []
        until: int | None = _milliseconds(end) - 1
        while until is not None:
            page, further = self._ask(
                "get_volatility_index_data",
                parse_page,
                coin,
                _frames.validity(last, at),
                currency=coin,
                start_timestamp=_milliseconds(start),
                end_timestamp=until,
                resolution="1D",
            )
            rows = page + rows
            until = further if page and further is not None and further < until else None
        frame = parse_volatility(rows, series)
        complete = frame.filter(pl.col("observed").is_between(first, last), pl.col("observed") < at.date())
        if complete.is_empty():
            raise NoData(
                NAME, f"no value from {first} to {last}", symbol=series, remedy="ask for another range"
            )
        return complete


def result_of(body: bytes, symbol: str | None) -> Any:
    """The result inside an answer; an error that came with status 200 is raised."""
    document = json_of(body, NAME, symbol, dict)
    if "error" in document:
        kind = _kind(document["error"]) or MalformedAnswer
        problem = f"it said: {json.dumps(document['error'])[:200]}"
        raise kind(NAME, problem, symbol=symbol, remedy="check the symbol and the request")
    return document["result"]


def parse_quote(ticker: dict[str, Any], contract: dict[str, Any], underlying: str) -> dict[str, Any]:
    """Row of the table ``option_quotes`` out of a ticker and the contract it belongs to.

    Vega is per point of volatility and theta per day, as the service gives them; a price of 0 means that
    there is none.
    """
    at = datetime.fromtimestamp(ticker["timestamp"] / 1000, UTC)
    forward = float(ticker["underlying_price"])
    unit = forward if contract["instrument_type"] == "reversed" else 1.0
    greeks = ticker["greeks"]
    return {
        "symbol": contract["instrument_name"],
        "underlying": underlying,
        "session": at.date(),
        "quoted_at": at,
        "expiry": _day(contract["expiration_timestamp"]),
        "strike": float(contract["strike"]),
        "right": contract["option_type"],
        "multiplier": float(contract["contract_size"]),
        "bid": _price(ticker["best_bid_price"], unit),
        "ask": _price(ticker["best_ask_price"], unit),
        "last": _price(ticker["last_price"], unit),
        "volume": ticker["stats"]["volume"],
        "open_interest": ticker["open_interest"],
        "implied_volatility": ticker["mark_iv"] / PERCENT if ticker["mark_iv"] else None,
        **{name: greeks[name] for name in ("delta", "gamma", "vega", "theta")},
        "underlying_price": forward,
        "source": NAME,
    }


def parse_chart(result: dict[str, Any]) -> pl.DataFrame:
    """Bars by opening time out of chart columns."""
    names = ("ticks", *_frames.PRICES)
    columns = {name: result[name] if result["status"] == "ok" else [] for name in names}
    frame = pl.DataFrame(columns, schema={"ticks": pl.Int64, **dict.fromkeys(_frames.PRICES, pl.Float64)})
    starts = pl.from_epoch("ticks", "ms").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return frame.with_columns(starts.alias("starts_at")).drop("ticks")


def parse_names(contracts: list[dict[str, Any]]) -> list[str]:
    """Names of contracts."""
    return [str(row["instrument_name"]) for row in contracts]


def parse_contracts(contracts: list[dict[str, Any]]) -> list[Contract]:
    """Options out of a list of contracts."""
    return [
        Contract(
            str(row["base_currency"]), _day(row["expiration_timestamp"]), float(row["strike"]), dict(row)
        )
        for row in contracts
    ]


def parse_page(page: dict[str, Any]) -> tuple[list[tuple[int, float]], int | None]:
    """Time and closing value of one page of a volatility index, and where the page before it ends."""
    further = page["continuation"]
    rows = [(int(row[0]), float(row[4])) for row in page["data"]]
    return rows, None if further is None else int(further)


def parse_volatility(rows: list[tuple[int, float]], series: str) -> pl.DataFrame:
    """Last value of each UTC day out of rows of time and close."""
    frame = pl.DataFrame(rows, schema={"at": pl.Int64, "value": pl.Float64}, orient="row")
    days = frame.sort("at").with_columns(pl.from_epoch("at", "ms").dt.date().alias("observed"))
    return (
        days.group_by("observed", maintain_order=True)
        .agg(pl.col("value").last())
        .select(pl.lit(series).alias("series"), "observed", "value", pl.lit(NAME).alias("source"))
    )


def _kind(error: dict[str, Any]) -> type[ProviderError] | None:
    if error.get("code") == TOO_MANY:
        return RateLimited
    return UnknownSymbol if "not_found" in json.dumps(error).replace(" ", "_") else None


def _price(quoted: float | None, unit: float) -> float | None:
    return quoted * unit if quoted else None


def _day(milliseconds: int) -> date:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


PROVIDER = Deribit
