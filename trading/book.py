"""The configuration of a book: what it trades, with which money, rules, limits and costs.

Pure models: reading files and the environment is the business of ``resources.config``.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from trading.configuration import AssetClass, Model

Fraction = Annotated[float, Field(gt=0, le=1)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3,5}$")]
"""ISO 4217 code, or a token's ticker."""


class UniverseConfig(Model):
    """Which instruments a book may trade.

    Attributes
    ----------
    symbols : tuple of str
        Symbols by name; empty: every instrument of the asset classes that the lake knows.
    asset_classes : tuple of str
        Asset classes taken when no symbols are named.
    classes : dict
        Asset class of named symbols that are of another class than the first of ``asset_classes``
        (``BTCUSD = "crypto"``): it tells whom to ask for their bars before the lake knows them.
    """

    symbols: tuple[str, ...] = ()
    asset_classes: tuple[AssetClass, ...] = ("stock", "etf")
    classes: dict[str, AssetClass] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _classes_of_its_own(self) -> UniverseConfig:
        strange = sorted(self.classes.keys() - set(self.symbols))
        if strange:
            raise ValueError(f"classes names {', '.join(strange)}, which symbols does not")
        return self


class StrategyConfig(Model):
    """One strategy of a book.

    Attributes
    ----------
    key : str, optional
        Key of a built-in or registered strategy; the section's own name when neither is given.
    class_ : str, optional
        ``module:Class`` of a user's own strategy (key ``class`` in the file).
    params : dict
        Parameters, checked by the strategy's own model.
    symbols : tuple of str
        Symbols the strategy keeps to; empty: the whole universe of the book.
    enabled : bool
        Whether the strategy takes part.
    weight : float
        Share of the capital before normalisation over the enabled strategies.
    priority : int
        Higher wins a conflict.
    """

    key: str | None = None
    class_: str | None = Field(default=None, alias="class", pattern=r"^[\w.]+:\w+$")
    params: dict[str, Any] = Field(default_factory=dict)
    symbols: tuple[str, ...] = ()
    enabled: bool = True
    weight: float = Field(default=1.0, gt=0)
    priority: int = 0

    @model_validator(mode="after")
    def _one_source(self) -> StrategyConfig:
        if self.key and self.class_:
            raise ValueError("give either key or class, not both")
        return self


class StockConfig(Model):
    """A stock of the older ``[stocks] SYMBOL = { shares = N }`` form, traded by ``bx_trender``."""

    shares: float = Field(gt=0)


class WheelConfig(Model):
    """The wheel of a book: the strategy ``enhanced_wheel``, run beside any others when enabled."""

    enabled: bool = False
    symbols: tuple[str, ...] = ()
    params: dict[str, Any] = Field(default_factory=dict)


class SizingConfig(Model):
    """How large an entry is.

    Attributes
    ----------
    mode : str
        ``risk`` (equity x risk_per_trade / distance to the stop), ``fraction`` (equity x fraction) or
        ``target_weight`` (the strategy's weights, less the cash buffer).
    risk_per_trade, min_risk_per_trade, max_risk_per_trade : float
        Share of equity lost at the stop; streaks move it within the bounds.
    max_position, min_position : float
        Cap and floor of a position as a share of equity; below the floor an entry is skipped.
    cash_buffer : float
        Share of equity that target weights leave in cash.
    whole_shares : bool
        Round quantities down to whole units (crypto and fx are always fractional).
    crypto_factor : float
        Factor on the size of crypto entries.
    conviction : bool
        Scale by score: 90 and above full, 80 to 89 80 %, 70 to 79 60 %.
    """

    mode: Literal["risk", "fraction", "target_weight"] = "risk"
    risk_per_trade: float = Field(default=0.01, gt=0, le=0.1)
    min_risk_per_trade: float = Field(default=0.005, gt=0, le=0.1)
    max_risk_per_trade: float = Field(default=0.02, gt=0, le=0.1)
    streak_length: int = Field(default=5, ge=1)
    winning_streak_risk: float = Field(default=0.012, gt=0, le=0.1)
    losing_streak_risk: float = Field(default=0.007, gt=0, le=0.1)
    fraction: Fraction = 0.05
    max_position: float = Field(default=0.05, gt=0, le=1)
    min_position: float = Field(default=0.01, ge=0, le=1)
    cash_buffer: float = Field(default=0.0, ge=0, lt=1)
    whole_shares: bool = True
    crypto_factor: float = Field(default=0.7, gt=0, le=1)
    conviction: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> SizingConfig:
        if self.min_position > self.max_position:
            raise ValueError(f"min_position {self.min_position} lies above max_position {self.max_position}")
        if not self.min_risk_per_trade <= self.risk_per_trade <= self.max_risk_per_trade:
            raise ValueError(
                f"risk_per_trade {self.risk_per_trade} lies outside min_risk_per_trade "
                f"{self.min_risk_per_trade} .. max_risk_per_trade {self.max_risk_per_trade}"
            )
        return self


class LiquidityConfig(Model):
    """Limits of the order book that an entry is held against before it is approved.

    Attributes
    ----------
    enabled : bool
        Whether the book is looked at.
    max_spread : float
        Largest spread over the mid price.
    min_depth : float
        Least cash value offered within ``levels`` on the side that the order takes from.
    levels : int
        Levels that count towards the depth.
    max_impact : float
        Largest distance of the average price from the mid price when the order walks the book.
    max_age : float
        Seconds after which a snapshot says nothing any more.
    missing : str
        What happens to an entry without a fresh snapshot: ``pass`` or ``refuse``.
    """

    enabled: bool = False
    max_spread: float = Field(default=0.005, gt=0, le=1)
    min_depth: float = Field(default=0.0, ge=0)
    levels: int = Field(default=10, ge=1, le=100)
    max_impact: float = Field(default=0.01, gt=0, le=1)
    max_age: float = Field(default=900.0, gt=0)
    missing: Literal["pass", "refuse"] = "pass"


class RiskConfig(Model):
    """Limits that every entry is checked against; an exit is never blocked.

    Attributes
    ----------
    max_daily_loss, warn_daily_loss : float
        Loss against the day's opening equity at which entries stop, and at which a warning is raised.
    max_positions : int
        Open positions, entries of the same decision included.
    max_portfolio_exposure, max_sector_exposure : float
        Share of equity.
    max_correlated, correlation_limit, correlation_window : int, float, int
        At most so many positions correlated above the limit with a new one over the window.
    regime : bool
        Scale size and positions by the benchmark's regime (needs ``benchmark``).
    liquidity : LiquidityConfig
        Limits of the order book that an entry would meet, where the lake has snapshots of it.
    """

    max_daily_loss: float = Field(default=0.03, gt=0, le=1)
    warn_daily_loss: float = Field(default=0.02, gt=0, le=1)
    max_positions: int = Field(default=8, ge=1)
    max_portfolio_exposure: float = Field(default=0.25, gt=0, le=10)
    max_sector_exposure: float = Field(default=0.15, gt=0, le=10)
    max_correlated: int = Field(default=3, ge=0)
    correlation_limit: float = Field(default=0.7, ge=-1, le=1)
    correlation_window: int = Field(default=60, ge=5)
    regime: bool = True
    liquidity: LiquidityConfig = LiquidityConfig()


class SlippageConfig(Model):
    """Slippage model and its one or two figures (see ``trading.slippage``)."""

    model: Literal["none", "fixed", "percent", "volume_share", "square_root"] = "percent"
    value: float = Field(default=0.001, ge=0)
    volume_limit: Fraction = 0.1


class CommissionConfig(Model):
    """Commission model and its figures (see ``trading.commissions``)."""

    model: Literal["none", "percent", "ib_fixed", "ib_tiered"] = "none"
    value: float = Field(default=0.0, ge=0)


class CostConfig(Model):
    """Costs of one asset class.

    Attributes
    ----------
    participation : float
        Largest share of a bar's volume that one order may take.
    """

    slippage: SlippageConfig = SlippageConfig()
    commission: CommissionConfig = CommissionConfig()
    participation: Fraction = 0.1


class CostsConfig(Model):
    """Costs by asset class; ``stock`` also serves etf and index.

    A table that names only some keys keeps the asset class's own defaults for the others; naming a
    ``model`` starts from that model's defaults.
    """

    stock: CostConfig = CostConfig()
    crypto: CostConfig = CostConfig(
        slippage=SlippageConfig(value=0.003), commission=CommissionConfig(model="percent", value=0.001)
    )
    fx: CostConfig = CostConfig(slippage=SlippageConfig(value=0.0001))
    option: CostConfig = CostConfig(slippage=SlippageConfig(value=0.0))

    @field_validator("*", mode="before")
    @classmethod
    def _keep_defaults(cls, value: Any, info: ValidationInfo) -> Any:
        """Fill what a table leaves out from the default of its own asset class."""
        if not isinstance(value, dict):
            return value
        merged = dict(value)
        for part, default in cls.model_fields[str(info.field_name)].default.model_dump().items():
            given = merged.setdefault(part, default)
            if isinstance(given, dict) and isinstance(default, dict) and "model" not in given:
                merged[part] = {**default, **given}
        return merged


class PlacementConfig(Model):
    """How approved orders reach the broker, and what is checked at the last moment.

    Attributes
    ----------
    broker : str
        ``simulated``: a paper book's orders fill in process from the next session's bar; ``ib``: orders go
        to the gateway or TWS of the desk's configuration, and its executions are booked.
    read_only : bool
        Look and reconcile, send nothing.
    price_collar : float
        Share of the last quote beyond which an entry's price, or the price it was decided at, is stale.
    require_quote : bool
        Wait without a quote; else the close of the decision stands in.
    max_quantity, max_notional : float
        Limits of one opening order; 0: none.
    orders_per_minute, orders_per_day : int
        Orders that may be sent; what is above waits.
    refuse_duplicates : bool
        Refuse an opening order that equals another one of its decision.
    hours : str
        ``any``: orders may rest at the broker before the open; ``regular``: sent in the session only.
    look_seconds : float
        Time between the two looks that confirm that an order never arrived.
    follow_seconds : float
        How long a run waits for orders that should fill at once.
    cash_tolerance : float
        Difference to the broker's cash that does not freeze the book.
    restart_time, restart_timezone, restart_minutes : str, str, int
        Daily restart of the gateway, in its zone, and the minutes before and after it without orders.
    """

    broker: Literal["simulated", "ib"] = "simulated"
    read_only: bool = False
    price_collar: Fraction = 0.1
    require_quote: bool = False
    max_quantity: float = Field(default=0.0, ge=0)
    max_notional: float = Field(default=0.0, ge=0)
    orders_per_minute: int = Field(default=60, ge=1)
    orders_per_day: int = Field(default=1000, ge=1)
    refuse_duplicates: bool = True
    hours: Literal["any", "regular"] = "any"
    look_seconds: float = Field(default=30.0, ge=0, le=600)
    follow_seconds: float = Field(default=60.0, ge=0, le=3600)
    cash_tolerance: float = Field(default=1.0, ge=0)
    restart_time: str = Field(default="23:45", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    restart_timezone: str = "America/New_York"
    restart_minutes: int = Field(default=10, ge=0, le=120)

    @field_validator("restart_timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be a time zone such as America/New_York") from None
        return value


class AlertsConfig(Model):
    """Which events raise an alert and where it goes; secrets come from the environment.

    Attributes
    ----------
    urls : tuple of str
        Apprise addresses, usually ``${VARIABLES}``; never written to a table or a log.
    email : tuple of str
        Recipients; the desk's own mail server (``notifications.mail_server``) delivers.
    """

    on_entry: bool = True
    on_exit: bool = True
    on_risk_limit: bool = True
    on_performance: bool = True
    urls: tuple[str, ...] = Field(default=(), repr=False)
    email: tuple[str, ...] = ()


class ReportConfig(Model):
    """Where the daily report files go; empty: nowhere but the run's metadata."""

    directory: str = ""


class BookLoggingConfig(Model):
    """A book's own log: level, and a file beside the desk's (empty: none)."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    file: str = ""


class BookConfig(Model):
    """A book: a named strategy set with capital, risk, costs and a mode.

    Attributes
    ----------
    start, end : date
        First and last session; without an end a book goes on.
    prices : str
        ``raw`` (splits change the holding, dividends pay cash), ``split`` (prices adjusted for splits
        since the start of the book, dividends pay cash) or ``total_return`` (adjusted for both).
    fill : str
        ``next_open`` fills a decision at the next session's open, ``same_close`` at the close decided on.
    calendar : str
        Sessions on which the book decides. It must contain the sessions of everything that the book trades:
        ``24/7`` for crypto, ``24/5`` for foreign exchange, beside stocks or alone.
    benchmark : str, optional
        Symbol that the regime is measured on and the report compares with.
    conversion : dict
        How other currencies are converted: the pair whose bars give the rate (``EUR = "EURUSD"``), or a fixed
        rate (``USDT = 1.0``).
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    mode: Literal["backtest", "paper", "live"] = "backtest"
    start: date
    end: date | None = None
    capital: float = Field(default=100_000.0, gt=0)
    currency: Currency = "USD"
    calendar: str = "XNYS"
    timeframe: Literal["1d"] = "1d"
    prices: Literal["raw", "split", "total_return"] = "raw"
    fill: Literal["next_open", "same_close"] = "next_open"
    benchmark: str | None = None
    conversion: dict[Currency, Annotated[float, Field(gt=0, strict=True)] | str] = Field(default_factory=dict)
    universe: UniverseConfig = UniverseConfig()
    strategies: dict[str, StrategyConfig] = Field(default_factory=dict)
    stocks: dict[str, StockConfig] = Field(default_factory=dict)
    wheel: WheelConfig = WheelConfig()
    sizing: SizingConfig = SizingConfig()
    risk: RiskConfig = RiskConfig()
    costs: CostsConfig = CostsConfig()
    placement: PlacementConfig = PlacementConfig()
    alerts: AlertsConfig = AlertsConfig()
    report: ReportConfig = ReportConfig()
    logging: BookLoggingConfig = BookLoggingConfig()
    allow_live: bool = False

    @model_validator(mode="before")
    @classmethod
    def _older_forms(cls, content: Any) -> Any:
        """Read ``[stocks]`` and ``[wheel]`` as strategies, so that the rest knows one form only."""
        if not isinstance(content, dict) or not isinstance(content.get("strategies", {}), dict):
            return content
        added = _stock_strategies(content.get("stocks")) | _wheel_strategy(content.get("wheel"))
        written = content.get("strategies", {})
        for name in sorted(added.keys() & written.keys()):
            if not _same_strategy(written[name], added[name]):
                raise ValueError(f"strategies.{name} is also made by the older form: keep one of the two")
        return {**content, "strategies": {**added, **written}}

    @model_validator(mode="after")
    def _range(self) -> BookConfig:
        if self.end is not None and self.end < self.start:
            raise ValueError(f"end {self.end} lies before start {self.start}")
        if not self.strategies:
            raise ValueError("a book needs a table [strategies.NAME]")
        if self.currency in self.conversion:
            raise ValueError(f"conversion.{self.currency}: the book's own currency is not converted")
        if self.conversion and self.placement.broker == "ib":
            raise ValueError(
                'conversion and placement.broker = "ib" do not go together: the broker keeps a balance in '
                "each currency, this book one in its own"
            )
        if self.placement.broker == "ib" and self.fill == "same_close":
            raise ValueError(
                'placement.broker = "ib" needs fill = "next_open": the close decided on has passed'
            )
        return self


def _stock_strategies(stocks: Any) -> dict[str, Any]:
    """Strategies that stand for the older ``[stocks]`` table; malformed ones are left to the model."""
    if not isinstance(stocks, dict):
        return {}
    shares = {symbol: _field(entry, "shares") for symbol, entry in stocks.items()}
    return {
        f"bx_trender_{symbol}": {"key": "bx_trender", "symbols": [symbol], "params": {"shares": count}}
        for symbol, count in shares.items()
    }


def _wheel_strategy(wheel: Any) -> dict[str, Any]:
    """Strategy that stands for an enabled ``[wheel]`` table."""
    if _field(wheel, "enabled") is not True:
        return {}
    symbols, params = _field(wheel, "symbols") or (), _field(wheel, "params") or {}
    return {"wheel": {"key": "enhanced_wheel", "symbols": symbols, "params": params}}


def _field(entry: Any, name: str) -> Any:
    return entry.get(name) if isinstance(entry, dict) else getattr(entry, name, None)


def _same_strategy(written: Any, added: dict[str, Any]) -> bool:
    """Whether a written strategy says the same as the one made from the older form."""
    try:
        return StrategyConfig.model_validate(written) == StrategyConfig.model_validate(added)
    except ValidationError:
        return True  # the field's own check tells what is wrong with it


def resolved(book: BookConfig) -> str:
    """Resolved configuration as canonical JSON: sorted keys; delivery addresses and logging left out."""
    content = book.model_dump(
        mode="json", by_alias=True, exclude={"logging": True, "alerts": {"urls", "email"}}
    )
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def config_hash(book: BookConfig) -> str:
    """Hash of the resolved configuration: twelve hexadecimal digits of SHA-256."""
    return hashlib.sha256(resolved(book).encode()).hexdigest()[:12]
