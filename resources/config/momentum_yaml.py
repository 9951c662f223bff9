"""The momentum groups of a book file: ``api, scanner, signals, risk, trading, alerts, logging``.

A file with any of the groups that only this form has is read into the same ``BookConfig`` as the desk's
own form. Keys that are left out keep the book's defaults; other keys of a book (``name``, ``start``,
``benchmark``, ``universe``, ...) may stand beside the groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, create_model, model_validator

from resources.config.errors import ConfigError
from resources.config.problems import Source, validated
from trading.book import BookConfig
from trading.configuration import Model

GROUPS = frozenset({"api", "scanner", "signals", "risk", "trading", "alerts", "logging"})
BESIDE = (
    "name",
    "start",
    "end",
    "currency",
    "calendar",
    "fill",
    "prices",
    "benchmark",
    "universe",
    "allow_live",
)
"""Keys of a book that may stand beside the groups."""

STRATEGY = "momentum"
FIRST_SESSION = date(2000, 1, 1)
"""Start of a book that gives none: all the history there is."""

DEFAULT_THRESHOLD = 70.0

Fraction = Annotated[float, Field(gt=0, lt=1)]
Gain = Annotated[float, Field(gt=0, le=10)]
Cost = Annotated[float, Field(ge=0, lt=1)]
Lower = BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class ScannerGroup(Model):
    """Which names are candidates."""

    stock_min_market_cap: float = Field(default=500_000_000, ge=0)
    stock_min_volume: float = Field(default=5_000_000, ge=0)
    crypto_top_n: int = Field(default=50, ge=0)
    momentum_threshold: float = Field(default=DEFAULT_THRESHOLD, ge=0, le=100)
    max_candidates: int = Field(default=15, ge=1)
    rescan_interval_days: int = Field(default=5, ge=1)


class EntryGroup(Model):
    """When a candidate is bought."""

    rsi_min: float = Field(default=50, ge=0, le=100)
    rsi_max: float = Field(default=70, ge=0, le=100)
    require_volume_surge: bool = True
    volume_surge_threshold: float = Field(default=1.5, gt=0)

    @model_validator(mode="after")
    def _range(self) -> EntryGroup:
        if self.rsi_min >= self.rsi_max:
            raise ValueError(f"rsi_min {self.rsi_min:g} must lie below rsi_max {self.rsi_max:g}")
        return self


class ExitGroup(Model):
    """When a position is sold."""

    profit_target_stock: Gain = 0.20
    profit_target_crypto: Gain = 0.30
    stop_loss_stock: Fraction = 0.08
    stop_loss_crypto: Fraction = 0.12
    trailing_stop_activation: Gain = 0.10
    trailing_stop_distance: Fraction = 0.08
    max_holding_days: int = Field(default=30, ge=1)


class SignalsGroup(Model):
    """Entry and exit."""

    entry: EntryGroup = EntryGroup()
    exit: ExitGroup = ExitGroup()


class RiskGroup(Model):
    """Capital and limits."""

    initial_capital: float = Field(default=100_000, gt=0)
    risk_per_trade: float = Field(default=0.01, ge=0.005, le=0.02)
    max_positions: int = Field(default=8, ge=1)
    max_portfolio_exposure: float = Field(default=0.25, gt=0, le=1)
    max_sector_exposure: float = Field(default=0.15, gt=0, le=1)
    max_daily_loss: float = Field(default=0.03, gt=0, le=1)


class TradingGroup(Model):
    """Mode and costs."""

    mode: Annotated[Literal["backtest", "paper", "live"], Lower] = "backtest"
    initial_capital: float = Field(default=100_000, gt=0)
    slippage_stock: Cost = 0.001
    slippage_crypto: Cost = 0.003
    commission_stock: Cost = 0.0
    commission_crypto: Cost = 0.001


class AlertsGroup(Model):
    """Whom to tell what."""

    email_enabled: bool = False
    email_address: Text = ""
    slack_webhook: Text = Field(default="", repr=False)
    alert_on_entry: bool = True
    alert_on_exit: bool = True
    alert_on_risk_limit: bool = True

    @model_validator(mode="after")
    def _address(self) -> AlertsGroup:
        if self.email_enabled and not self.email_address:
            raise ValueError("email_enabled needs an email_address")
        return self


class LoggingGroup(Model):
    """Log and daily snapshots."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Lower] = "info"
    log_file: Text = ""
    save_daily_snapshots: bool = False
    snapshot_dir: Text = ""

    @model_validator(mode="after")
    def _directory(self) -> LoggingGroup:
        if self.save_daily_snapshots and not self.snapshot_dir:
            raise ValueError("save_daily_snapshots needs a snapshot_dir")
        return self


class Groups(Model):
    """The groups; ``api`` holds keys of providers, which the desk takes from the environment itself."""

    api: dict[str, str | int | float | bool | None] = Field(default_factory=dict, repr=False)
    scanner: ScannerGroup = ScannerGroup()
    signals: SignalsGroup = SignalsGroup()
    risk: RiskGroup = RiskGroup()
    trading: TradingGroup = TradingGroup()
    alerts: AlertsGroup = AlertsGroup()
    logging: LoggingGroup = LoggingGroup()

    @model_validator(mode="after")
    def _one_capital(self) -> Groups:
        given = [
            group.initial_capital for group in (self.risk, self.trading) if _given(group, "initial_capital")
        ]
        if len(set(given)) > 1:
            raise ValueError(
                f"risk.initial_capital {given[0]:g} and trading.initial_capital {given[1]:g} differ"
            )
        return self


_beside: dict[str, Any] = {
    name: (BookConfig.model_fields[name].annotation, BookConfig.model_fields[name])
    for name in BESIDE
    if name not in ("name", "start")
}
MomentumFile = create_model(
    "MomentumFile",
    __base__=Groups,
    __doc__="A whole file: the groups and the keys that may stand beside them.",
    name=(str, BookConfig.model_fields["name"]),
    start=(date, FIRST_SESSION),
    **_beside,
)
"""Model of a whole file of this form."""


def read_momentum_form(content: Mapping[str, Any], source: Source) -> BookConfig:
    """Book of a file of this form.

    Raises
    ------
    ConfigError
        Every problem, each with its path in the file.
    """
    without_empty = {key: value for key, value in content.items() if not (key in GROUPS and value is None)}
    groups = validated(MomentumFile, without_empty, source)
    try:
        return validated(BookConfig, book_content(groups), Source(file=source.file, written={}))
    except ConfigError as error:
        raise ConfigError(error.problems) from None


def book_content(file: Groups) -> dict[str, Any]:
    """Content of a book in the desk's own form that means the same as a file of this form."""
    beside = {name: getattr(file, name) for name in BESIDE if _given(file, name) or name == "start"}
    beside.setdefault("universe", {"asset_classes": ["stock", "crypto"]})
    risk, trading = file.risk, file.trading
    capital = trading.initial_capital if _given(trading, "initial_capital") else risk.initial_capital
    return {
        **beside,
        "mode": trading.mode,
        "capital": capital,
        "strategies": {STRATEGY: {"params": strategy_parameters(file)}},
        "sizing": {"risk_per_trade": risk.risk_per_trade},
        "risk": {
            "max_daily_loss": risk.max_daily_loss,
            "warn_daily_loss": risk.max_daily_loss * 2 / 3,
            "max_positions": risk.max_positions,
            "max_portfolio_exposure": risk.max_portfolio_exposure,
            "max_sector_exposure": risk.max_sector_exposure,
        },
        "costs": {
            "stock": _costs(trading.slippage_stock, trading.commission_stock),
            "crypto": _costs(trading.slippage_crypto, trading.commission_crypto),
        },
        "alerts": _alerts(file.alerts),
        "report": {"directory": file.logging.snapshot_dir if file.logging.save_daily_snapshots else ""},
        "logging": {"level": file.logging.level, "file": file.logging.log_file},
    }


def strategy_parameters(file: Groups) -> dict[str, Any]:
    """Parameters of the momentum strategy that the file gives.

    The bounds of the relative strength index hold for scan and entry alike, and an entry never asks for a
    higher score than the scan does.
    """
    scanner = file.scanner.model_dump(exclude_unset=True)
    entry = file.signals.entry.model_dump(exclude_unset=True)
    leave = file.signals.exit.model_dump(exclude_unset=True)
    bounds = {name: entry[name] for name in ("rsi_min", "rsi_max") if name in entry}
    if file.scanner.momentum_threshold < DEFAULT_THRESHOLD:
        entry["score_high"] = file.scanner.momentum_threshold
    groups = {"scanner": scanner | bounds, "entry": entry, "exit": leave}
    return {name: group for name, group in groups.items() if group}


def _costs(slippage: float, commission: float) -> dict[str, Any]:
    model = "percent" if commission else "none"
    return {
        "slippage": {"model": "percent", "value": slippage},
        "commission": {"model": model, "value": commission},
    }


def _alerts(group: AlertsGroup) -> dict[str, Any]:
    return {
        "on_entry": group.alert_on_entry,
        "on_exit": group.alert_on_exit,
        "on_risk_limit": group.alert_on_risk_limit,
        "urls": [group.slack_webhook] if group.slack_webhook else [],
        "email": [group.email_address] if group.email_enabled else [],
    }


def _given(model: Model, name: str) -> bool:
    return name in model.model_fields_set
