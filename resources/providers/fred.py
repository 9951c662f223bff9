"""FRED: interest rates, the Treasury curve and volatility indices, with a key or without.

With ``FRED_API_KEY`` the interface for programs is asked, without it the download behind the charts.
Values are as FRED has them now, in percent or index points; a series that was revised has its new values.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from datetime import date
from typing import ClassVar

import polars as pl

from resources.http import Client, HttpProvider, HttpSettings, Pace
from resources.http_errors import LATER, excerpt, json_of
from resources.keys import Key
from resources.providers import _frames
from resources.providers.base import (
    Answer,
    BadKey,
    Capabilities,
    MalformedAnswer,
    NoData,
    ProviderError,
    Request,
    UnknownSymbol,
    Unsupported,
)
from resources.raw_answers import RawAnswers

NAME = "fred"
PAGE = 100_000
CURVE = ("DGS1MO", "DGS3MO", "DGS6MO", "DGS1", "DGS2", "DGS3", "DGS5", "DGS7", "DGS10", "DGS20", "DGS30")
"""Treasury yields at constant maturity, one month to thirty years, in percent."""
VIX = "VIXCLS"
MISSING = frozenset({".", ""})
KEY = Key("FRED_API_KEY", parameter="api_key")


class FredSettings(HttpSettings):
    """Settings of FRED.

    Attributes
    ----------
    charts_url : str
        Address of the download that needs no key.
    """

    base_url: str = "https://api.stlouisfed.org"
    charts_url: str = "https://fred.stlouisfed.org"


class Fred(HttpProvider):
    """Provider of FRED's series; it has rates and no bars."""

    name: ClassVar[str] = NAME
    Settings: ClassVar[type[FredSettings]] = FredSettings
    capabilities: ClassVar[Capabilities] = Capabilities(asset_classes=(), timeframes=())
    pace = (Pace(100, 60.0),)
    settings: FredSettings

    def __init__(self, settings: FredSettings) -> None:
        super().__init__(settings)
        self.keyed = Client(NAME, settings, key=KEY, pace=self.pace, refusals=self.refusal)

    def keep_answers(self, store: RawAnswers | None) -> None:
        """Keep the answers of both ways to ask."""
        self.client.store = self.keyed.store = store

    def symbols(self) -> list[str]:
        """The series of the Treasury curve and the VIX; others can be asked for by name."""
        return sorted((*CURVE, VIX))

    def fetch(self, request: Request) -> Answer:
        """Refuse: the series are rates, see :meth:`rates`."""
        raise Unsupported(
            NAME,
            "no bars",
            symbol=request.symbols[0],
            remedy="it serves rates; take bars from another provider",
        )

    def rates(self, series: Iterable[str], first: date, last: date) -> pl.DataFrame:
        """Values of series from the first to the last date, both included.

        Parameters
        ----------
        series : iterable of str
            Names such as DGS10 or VIXCLS; :data:`CURVE` has the Treasury curve.
        first, last : date
            Range of observation dates.

        Returns
        -------
        polars.DataFrame
            Columns of the table ``rates`` without ``known_at``; dates without a value are left out.

        Raises
        ------
        ProviderError
            When any series cannot be served or has no value in the range.
        """
        return pl.concat([_frames.RATES.to_frame(), *(self._one(name, first, last) for name in series)])

    @staticmethod
    def refusal(status: int, body: str) -> type[ProviderError] | None:
        """FRED answers 400 to a wrong key and to an unknown series alike, and says which."""
        if status != 400:
            return None
        if "api_key" in body:
            return BadKey
        return UnknownSymbol if "does not exist" in body else None

    def _one(self, series: str, first: date, last: date) -> pl.DataFrame:
        frame = (
            self._keyed(series, first, last)
            if os.environ.get(KEY.variable)
            else self._free(series, first, last)
        )
        if frame.is_empty():
            raise NoData(
                NAME, f"no value from {first} to {last}", symbol=series, remedy="ask for another range"
            )
        return frame

    def _keyed(self, series: str, first: date, last: date) -> pl.DataFrame:
        pages: list[pl.DataFrame] = []
        offset, count = 0, 1
        while offset < count:
            page, count = self.keyed.fetch(
                "/fred/series/observations",
                lambda body: parse_observations(body, series),
                parameters={
                    "series_id": series,
                    "file_type": "json",
                    "observation_start": first,
                    "observation_end": last,
                    "limit": PAGE,
                    "offset": offset or None,
                },
                symbol=series,
                valid_for=_frames.validity(last, _frames.now()),
            )
            pages.append(page)
            offset += PAGE
        return pl.concat(pages)

    def _free(self, series: str, first: date, last: date) -> pl.DataFrame:
        return self.client.fetch(
            "/graph/fredgraph.csv",
            lambda body: parse_chart(body, series),
            parameters={"id": series, "cosd": first, "coed": last},
            symbol=series,
            valid_for=_frames.validity(last, _frames.now()),
            base_url=self.settings.charts_url,
        )


def parse_observations(body: bytes, series: str) -> tuple[pl.DataFrame, int]:
    """Rates out of one page, and how many observations there are in all."""
    document = json_of(body, NAME, series, dict)
    if "error_message" in document:
        said = str(document["error_message"])
        kind = Fred.refusal(400, said) or MalformedAnswer
        raise kind(NAME, f"it said: {said[:200]}", symbol=series, remedy=f"check series and {KEY.variable}")
    pairs = [(row["date"], row["value"]) for row in document["observations"]]
    return _rates(series, pairs), int(document["count"])


def parse_chart(body: bytes, series: str) -> pl.DataFrame:
    """Rates out of the download behind a chart: a date and a value a line, under a header."""
    lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    if not lines or len(lines[0]) != 2 or lines[0][1] != series:
        problem = f"no table of {series}: {excerpt(body) or 'empty'}"
        raise MalformedAnswer(NAME, problem, symbol=series, remedy=LATER)
    return _rates(series, [(day, value) for day, value in lines[1:]])


def _rates(series: str, pairs: list[tuple[str, str]]) -> pl.DataFrame:
    kept = [(date.fromisoformat(day), float(value)) for day, value in pairs if value not in MISSING]
    return pl.DataFrame(kept, schema={"observed": pl.Date, "value": pl.Float64}, orient="row").select(
        pl.lit(series).alias("series"), "observed", "value", pl.lit(NAME).alias("source")
    )


PROVIDER = Fred
