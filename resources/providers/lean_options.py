"""Option quotes of a LEAN data folder: the daily files of contracts, and the universe files with greeks.

``option/usa/daily`` has a zip a year and kind (trade, quote, open interest) with a CSV a contract, its name
telling right, strike and expiry; ``option/usa/universes`` a CSV a day with implied volatility, greeks and
open interest. Three things in the universe files are not what they seem:

- The open interest of a day is counted after its close and published the morning after, so it belongs to the
  next session. Daily open interest files have that morning's date already.
- A file may tell the session after its name: its line of the underlying is then the bar of that session. The
  line of the underlying is otherwise no close; the folder's own bars tell the price.
- Contracts that a split has replaced are carried along with their last prices, and a day without data is a
  copy of the day before. Lines without a trade and without an implied volatility, and copies, are left out.

An implied volatility of 0 means that none was found, and that the greeks beside it are nothing.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import polars as pl

from resources.calendar import STOCKS, sessions
from resources.providers import _frames
from resources.providers.lean_files import FileError
from trading.option_symbols import canonical_column

MULTIPLIER = 100.0
"""Units of the underlying in one contract; a split changes number and strike of contracts, not this."""
GREEKS = ("delta", "gamma", "vega", "theta")
CONTRACT = ("expiry", "strike", "right")
_KEY = ("session", *CONTRACT)
_DECICENT = 1e4
_LINES = {
    "trade": ("open", "high", "low", "last", "volume"),
    "quote": tuple(
        f"{side}{name}" for side in ("bid", "ask") for name in ("_open", "_high", "_low", "", "_size")
    ),
    "openinterest": ("open_interest",),
}
_KEPT = {"trade": ("last", "volume"), "quote": ("bid", "ask"), "openinterest": ("open_interest",)}
_PRICES = {"last", "bid", "ask"}
_UNIVERSE = (
    "expiry", "strike", "right", "open", "high", "low", "close", "volume", "open_interest",
    "implied_volatility", "delta", "gamma", "vega", "theta", "rho",
)  # fmt: skip


def option_quotes(
    folder: Path, ticker: str, underlying: str, bars: pl.DataFrame, first: date, last: date, source: str
) -> pl.DataFrame:
    """Quotes of all contracts of an underlying at the close of each session of a range.

    Parameters
    ----------
    folder : Path
        ``option/usa`` of the data folder.
    ticker, underlying : str
        Name of the files, and symbol of the underlying.
    bars : polars.DataFrame
        Raw daily bars of the underlying: ``session, close, volume``.
    source : str
        Name of the provider.

    Returns
    -------
    polars.DataFrame
        The table ``option_quotes`` without ``known_at``, by session and contract; empty where the folder
        has nothing in the range.

    Raises
    ------
    FileError
        On a file that cannot be read.
    """
    traded = _daily(folder / "daily", ticker.lower(), first, last)
    told, interest = _universes(folder / "universes" / ticker.lower(), bars, first, last)
    # Where the daily files tell a session, they say which contracts there were.
    alone = told.join(traded.select("session").unique(), on="session", how="anti", maintain_order="left")
    quoted = traded.join(told.drop("last", "volume"), on=list(_KEY), how="left", maintain_order="left")
    lone = alone.filter((pl.col("volume") > 0) | pl.col("implied_volatility").is_not_null())
    rows = (
        pl.concat([quoted, lone], how="diagonal_relaxed")
        .join(interest, on=list(_KEY), how="left", maintain_order="left")
        .with_columns(open_interest=pl.coalesce("open_interest", "counted"))
        .join(bars.select("session", underlying_price="close"), on="session", how="left")
    )
    closes = sessions(STOCKS, first, last).select("session", quoted_at="closes_at")
    day = pl.col("expiry").dt.strftime("%y%m%d")
    thousandths = (pl.col("strike") * 1000).round().cast(pl.Int64).cast(pl.String).str.zfill(8)
    return (
        rows.join(closes, on="session")
        .with_columns(
            symbol=canonical_column(pl.format("{}{}{}{}", pl.lit(ticker.upper()), day, "right", thousandths)),
            underlying=pl.lit(underlying),
            right=pl.col("right").replace_strict({"C": "call", "P": "put"}),
            multiplier=pl.lit(MULTIPLIER),
            source=pl.lit(source),
        )
        .pipe(_frames.filled, _frames.OPTION_QUOTES)
        .sort("session", "symbol")
    )


def _daily(folder: Path, ticker: str, first: date, last: date) -> pl.DataFrame:
    """Last trade, volume, bid, ask and open interest of every contract and session of the daily files."""
    kinds = []
    for kind, columns in _KEPT.items():
        years = range(first.year, last.year + 1)
        paths = [path for year in years for path in sorted(folder.glob(f"{ticker}_{year}_{kind}_*.zip"))]
        parts = [_contracts(path, kind) for path in paths]
        schema = {
            "session": pl.Date,
            "expiry": pl.Date,
            "strike": pl.Float64,
            "right": pl.String,
            **dict.fromkeys(columns, pl.Float64),
        }
        kinds.append(
            pl.concat([pl.DataFrame(schema=schema), *parts]).filter(
                pl.col("session").is_between(first, last), pl.col("session") <= pl.col("expiry")
            )
        )
    rows = kinds[0]
    for other in kinds[1:]:
        rows = rows.join(other, on=list(_KEY), how="full", coalesce=True)
    # A contract that a split has replaced is counted once more, but nobody quotes it.
    quoted = pl.any_horizontal(pl.col("bid", "ask", "last").is_not_null())
    return rows.filter(quoted | quoted.any().over("session").not_()).sort(_KEY)


def _contracts(path: Path, kind: str) -> pl.DataFrame:
    """Lines of all contracts of one zip."""
    names, lines = [], []
    for name, text in _members(path):
        for line in text.splitlines():
            if line.strip():
                names.append(name)
                lines.append(line)
    columns = ["stamp", *_LINES[kind]]
    cells = pl.DataFrame({"name": names, "line": lines}, schema={"name": pl.String, "line": pl.String})
    split = cells.with_columns(
        pl.col("line").str.split_exact(",", len(columns) - 1).struct.rename_fields(columns).alias("cells")
    ).unnest("cells")
    contract = pl.col("name").str.extract_groups(
        r"_(?<side>call|put)_(?<decicents>\d+)_(?<until>\d{8})\.csv$"
    )
    parsed = (
        split.with_columns(contract.alias("contract"))
        .unnest("contract")
        .with_columns(
            session=pl.col("stamp").str.slice(0, 8).str.to_date("%Y%m%d", strict=False),
            expiry=pl.col("until").str.to_date("%Y%m%d", strict=False),
            strike=pl.col("decicents").cast(pl.Float64) / _DECICENT,
            right=pl.col("side").replace({"call": "C", "put": "P"}),
        )
    )
    wrong = parsed.filter(pl.any_horizontal(pl.col("session", "expiry", "strike", columns[-1]).is_null()))
    if wrong.height:
        raise FileError(f"{path}: {wrong['name'][0]}: cannot read {wrong['line'][0][:80]!r}")
    return parsed.select(*_KEY, *(_number(path, parsed, name) for name in _KEPT[kind]))


def _number(path: Path, rows: pl.DataFrame, name: str) -> pl.Series:
    """A column of numbers, empty cells as null, prices in units of the currency."""
    values = rows[name].cast(pl.Float64, strict=False)
    wrong = (values.is_null() & (rows[name] != "")).arg_true()
    if len(wrong):
        raise FileError(f"{path}: {rows['name'][wrong[0]]}: {rows[name][wrong[0]]!r} is no number")
    return (values / _DECICENT).round(4).alias(name) if name in _PRICES else values.alias(name)


def _members(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield name, archive.read(name).decode("utf-8")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path} is truncated or no zip ({error})") from error


def _universes(
    folder: Path, bars: pl.DataFrame, first: date, last: date
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines of the universe files by session, and the open interest by the session that could read it."""
    paths = sorted(folder.glob("[0-9]*.csv"))
    days = dict(zip(bars["session"], bars["volume"], strict=True))
    order = sorted(days)
    after = dict(pairwise(order))
    parts, seen = [], b""
    for path in paths:
        body = path.read_bytes()
        named = _day_of(path)
        if body == seen or not first <= after.get(named, named) or named > last:
            continue
        seen = body
        volume, lines = _universe(path, body)
        following = after.get(named)
        early = following is not None and volume is not None and days[following] == volume
        parts.append(lines.with_columns(session=pl.lit(following if early else named, pl.Date)))
    whole = pl.concat(parts) if parts else _no_lines()
    whole = whole.filter(pl.col("session") <= pl.col("expiry")).unique(_KEY, maintain_order=True)
    morning = pl.col("session").replace_strict(after, default=None, return_dtype=pl.Date)
    counted = whole.select(*CONTRACT, session=morning, counted="open_interest")
    found = pl.col("implied_volatility") != 0
    values = whole.with_columns(
        pl.when(pl.col("volume") > 0).then("close").alias("last"),
        *(pl.when(found).then(name).alias(name) for name in ("implied_volatility", *GREEKS)),
    ).select(*_KEY, "last", "volume", "implied_volatility", *GREEKS)
    inside = pl.col("session").is_between(first, last)
    return values.filter(inside), counted.filter(pl.col("counted").is_not_null(), inside)


def _universe(path: Path, body: bytes) -> tuple[float | None, pl.DataFrame]:
    """Volume of the underlying's line, and the lines of the contracts."""
    try:
        raw = pl.read_csv(io.BytesIO(body), has_header=False, infer_schema=False, skip_rows=1)
        raw.columns = list(_UNIVERSE)
        lines = raw.with_columns(
            pl.col("expiry").str.to_date("%Y%m%d"), pl.col(*_UNIVERSE[3:], "strike").cast(pl.Float64)
        )
    except (pl.exceptions.PolarsError, ValueError) as error:
        raise FileError(f"{path}: {str(error).splitlines()[0]}") from error
    own = lines.filter(pl.col("expiry").is_null())
    contracts = lines.filter(pl.col("expiry").is_not_null())
    strange = contracts.filter(pl.col("right").is_in(["C", "P"]).fill_null(value=False).not_())
    if strange.height:
        raise FileError(f"{path}: the right {strange['right'][0]!r} is neither C nor P")
    return (own["volume"][0] if own.height else None), contracts


def _no_lines() -> pl.DataFrame:
    schema = {
        "expiry": pl.Date,
        "strike": pl.Float64,
        "right": pl.String,
        **dict.fromkeys(_UNIVERSE[3:], pl.Float64),
        "session": pl.Date,
    }
    return pl.DataFrame(schema=schema)


def _day_of(path: Path) -> date:
    try:
        return date.fromisoformat(path.stem)
    except ValueError:
        raise FileError(f"{path}: the name is no date") from None
