"""Every number of the momentum rules, by name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trading.strategies.base import Parameters

Window = Annotated[int, Field(ge=1, le=2_000)]
Average = Annotated[int, Field(ge=2, le=2_000)]
Points = Annotated[float, Field(ge=0, le=100)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Ratio = Annotated[float, Field(ge=0, le=1_000)]
Index = Annotated[float, Field(ge=0, le=100)]

STABLECOINS = ("USDT", "USDC", "DAI", "BUSD", "UST", "TUSD", "PAX", "GUSD")


def _in_order(low: float, high: float) -> None:
    if low > high:
        raise ValueError(f"rsi_min {low:g} lies above rsi_max {high:g}")


class IndicatorParameters(Parameters):
    """Windows in bars of the symbol.

    Attributes
    ----------
    slope : int
        How many bars back an average is compared with itself.
    channel : int
        Bars of the prior high and low.
    dollar_volume : int
        Bars of the average dollar volume.
    """

    sma_short: Average = 20
    sma_medium: Average = 50
    sma_long: Average = 200
    ema_fast: Average = 12
    ema_slow: Average = 26
    macd_signal: Window = 9
    rsi: Average = 14
    atr: Window = 14
    volume: Average = 20
    roc_short: Window = 20
    roc_long: Window = 50
    channel: Window = 20
    dollar_volume: Average = 30
    slope: Window = 5

    @model_validator(mode="after")
    def _ordered(self) -> IndicatorParameters:
        if not self.sma_short < self.sma_medium < self.sma_long:
            raise ValueError("sma_short < sma_medium < sma_long must hold")
        if not self.ema_fast < self.ema_slow:
            raise ValueError("ema_fast < ema_slow must hold")
        return self


class TrendPoints(Parameters):
    """Points of each part of the trend strength."""

    above_short: Points = 20
    above_medium: Points = 20
    above_long: Points = 20
    short_above_medium: Points = 15
    medium_above_long: Points = 15
    short_rising: Points = 10


class Brackets(Parameters):
    """Three brackets of a figure and their points.

    Above ``high`` the figure has ``high_points``; from ``middle`` to ``high``, both included,
    ``middle_points``; from ``low`` up to ``middle`` ``low_points``; below ``low`` none.
    """

    high: float
    high_points: Points
    middle: float
    middle_points: Points
    low: float
    low_points: Points

    @model_validator(mode="after")
    def _ordered(self) -> Brackets:
        if not self.low <= self.middle <= self.high:
            raise ValueError("low <= middle <= high must hold")
        return self


class ChangeBrackets(Brackets):
    """Brackets of the rate of change, in per cent."""

    high: float = 20
    high_points: Points = 30
    middle: float = 10
    middle_points: Points = 20
    low: float = 0
    low_points: Points = 10


class RsiBrackets(Brackets):
    """Brackets of the relative strength index."""

    high: float = 70
    high_points: Points = 25
    middle: float = 50
    middle_points: Points = 20
    low: float = 30
    low_points: Points = 10


class VolumeBrackets(Brackets):
    """Brackets of the volume over its average."""

    high: float = 2.0
    high_points: Points = 15
    middle: float = 1.5
    middle_points: Points = 10
    low: float = 1.0
    low_points: Points = 5


class ScoreParameters(Parameters):
    """The momentum score: points of three brackets, and ``trend_weight`` times the trend strength."""

    trend: TrendPoints = TrendPoints()
    trend_weight: float = Field(default=0.30, ge=0, le=1)
    rate_of_change: ChangeBrackets = ChangeBrackets()
    rsi: RsiBrackets = RsiBrackets()
    volume_ratio: VolumeBrackets = VolumeBrackets()


class ScannerParameters(Parameters):
    """Universe gates, filters and the scan rhythm.

    Attributes
    ----------
    stock_min_market_cap : float
        Smallest market capitalisation, where it is known on the day.
    stock_min_volume, crypto_min_volume : float
        Smallest average dollar volume.
    stock_min_price, crypto_min_price : float
        Smallest raw close.
    min_bars : int
        Bars a symbol must have.
    crypto_top_n : int
        Crypto names kept by dollar volume, stablecoins left out before.
    momentum_threshold, min_trend_strength : float
        Smallest score and trend strength.
    max_candidates, max_per_sector : int
        Length of the list, and names of one sector on it, once held names are left out.
    rescan_interval_days : int
        Sessions from one full scan to the next; between them the names of the last scan are scored again.
    """

    stock_min_market_cap: float = Field(default=500_000_000, ge=0)
    stock_min_volume: float = Field(default=5_000_000, ge=0)
    crypto_min_volume: float = Field(default=1_000_000, ge=0)
    stock_min_price: float = Field(default=5.0, ge=0)
    crypto_min_price: float = Field(default=5.0, ge=0)
    min_bars: int = Field(default=250, ge=1, le=5_000)
    crypto_top_n: int = Field(default=50, ge=0)
    stablecoins: tuple[str, ...] = STABLECOINS
    momentum_threshold: Points = 70
    rsi_min: Index = 50
    rsi_max: Index = 70
    min_trend_strength: Points = 60
    max_per_sector: int = Field(default=3, ge=1)
    max_candidates: int = Field(default=15, ge=1)
    rescan_interval_days: int = Field(default=5, ge=1, le=1_000)

    @model_validator(mode="after")
    def _ordered(self) -> ScannerParameters:
        _in_order(self.rsi_min, self.rsi_max)
        return self


class EntryPoints(Parameters):
    """Points of each entry condition in the strength."""

    breakout: Points = 20
    volume_high: Points = 15
    volume_middle: Points = 10
    volume_low: Points = 5
    macd: Points = 15
    above_average: Points = 15
    average_rising: Points = 15
    score_high: Points = 20
    score_middle: Points = 15
    score_low: Points = 10


class EntryParameters(Parameters):
    """The entry signal.

    Attributes
    ----------
    mode : str
        ``all``: every condition; ``strength``: the sum of points reaches ``strength_threshold``.
    require_volume_surge : bool
        Whether ``all`` asks for the volume.
    volume_surge_threshold, volume_middle, volume_low : float
        Volume over its average; the first is the condition, the others earn part of the points.
    score_high, score_middle, score_low : float
        Likewise for the momentum score.
    """

    mode: Literal["all", "strength"] = "all"
    strength_threshold: Points = 70
    rsi_min: Index = 50
    rsi_max: Index = 70
    require_volume_surge: bool = True
    volume_surge_threshold: Ratio = 1.5
    volume_middle: Ratio = 1.3
    volume_low: Ratio = 1.1
    score_high: Points = 70
    score_middle: Points = 60
    score_low: Points = 50
    points: EntryPoints = EntryPoints()

    @model_validator(mode="after")
    def _ordered(self) -> EntryParameters:
        _in_order(self.rsi_min, self.rsi_max)
        return self


class StopParameters(Parameters):
    """Where the protective stop goes.

    Attributes
    ----------
    mode : str
        ``percent``: the percentage of the asset class; ``atr``: the wider of that and ``atr_multiple``
        average true ranges, and never above the prior low times ``low_factor``.
    """

    mode: Literal["percent", "atr"] = "percent"
    atr_multiple: float = Field(default=2.5, gt=0, le=20)
    low_factor: float = Field(default=0.99, gt=0, le=1)


class ExitParameters(Parameters):
    """Exits; percentages as fractions of the entry price or of the highest high.

    Attributes
    ----------
    momentum_failure : bool
        Whether the fourth exit is on; it asks for ``failure_volume_ratio`` and one of the histogram below
        zero, RSI below ``failure_rsi``, score below ``failure_score``.
    """

    stop_loss_stock: Fraction = 0.08
    stop_loss_crypto: Fraction = 0.12
    profit_target_stock: float = Field(default=0.20, gt=0, le=10)
    profit_target_crypto: float = Field(default=0.30, gt=0, le=10)
    trailing_stop_activation: float = Field(default=0.10, ge=0, le=10)
    trailing_stop_distance: Fraction = 0.08
    max_holding_days: int = Field(default=30, ge=1, le=10_000)
    momentum_failure: bool = True
    failure_volume_ratio: Ratio = 1.5
    failure_rsi: Index = 40
    failure_score: Points = 50


class MomentumParameters(Parameters):
    """All parameters of the momentum strategy, by group."""

    indicators: IndicatorParameters = IndicatorParameters()
    score: ScoreParameters = ScoreParameters()
    scanner: ScannerParameters = ScannerParameters()
    entry: EntryParameters = EntryParameters()
    stop: StopParameters = StopParameters()
    exit: ExitParameters = ExitParameters()
