"""The momentum groups: a user's file loads as it stands into the one model of a book."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from resources.config import ConfigError, load_book
from resources.config.momentum_yaml import Groups
from trading.book import BookConfig, config_hash
from trading.strategies.momentum.parameters import MomentumParameters

FIXTURE = Path(__file__).with_name("momentum.yaml")
ENVIRONMENT = {"DATA_KEY": "k3y", "SLACK_WEBHOOK": "https://hooks.slack.com/services/A/B/s3cret"}


def changed(tmp_path: Path, path: str, value: object) -> Path:
    """The fixture with one value changed."""
    content = yaml.safe_load(FIXTURE.read_text(encoding="utf-8"))
    table = content
    *parents, last = path.split(".")
    for part in parents:
        table = table[part]
    table[last] = value
    file = tmp_path / "momentum.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def test_the_file_loads_as_it_stands() -> None:
    book = load_book(FIXTURE, ENVIRONMENT)
    assert (book.name, book.mode, book.capital) == ("momentum", "paper", 100_000)
    parameters = MomentumParameters.model_validate(book.strategies["momentum"].params)
    assert parameters == MomentumParameters()
    defaults = BookConfig.model_validate({"name": "x", "start": book.start, "strategies": {"momentum": {}}})
    assert (book.sizing, book.costs) == (defaults.sizing, defaults.costs)
    assert book.risk.liquidity == defaults.risk.liquidity
    plain = [risk.model_dump(exclude={"liquidity"}) for risk in (book.risk, defaults.risk)]
    assert plain[0] == pytest.approx(plain[1])
    assert book.alerts.urls == (ENVIRONMENT["SLACK_WEBHOOK"],)
    assert book.alerts.email == ("desk@example.org",)
    assert (book.report.directory, book.logging.file, book.logging.level) == (
        "snapshots",
        "logs/momentum.log",
        "info",
    )
    assert "s3cret" not in repr(book)
    assert "k3y" not in repr(book)


def test_the_fixture_has_every_key_of_every_group() -> None:
    content = yaml.safe_load(FIXTURE.read_text(encoding="utf-8"))
    for name, field in Groups.model_fields.items():
        if name not in ("api", "signals"):
            missing = set(field.annotation.model_fields) - set(content[name])
            assert missing <= {"initial_capital"}, name
    for name, group in content["signals"].items():
        assert set(group) == set(
            Groups.model_fields["signals"].annotation.model_fields[name].annotation.model_fields
        )


EFFECTS = [
    ("scanner.stock_min_market_cap", 1e9, "scanner.stock_min_market_cap"),
    ("scanner.stock_min_volume", 1e6, "scanner.stock_min_volume"),
    ("scanner.crypto_top_n", 10, "scanner.crypto_top_n"),
    ("scanner.momentum_threshold", 80.0, "scanner.momentum_threshold"),
    ("scanner.momentum_threshold", 60.0, "entry.score_high"),
    ("scanner.max_candidates", 5, "scanner.max_candidates"),
    ("scanner.rescan_interval_days", 2, "scanner.rescan_interval_days"),
    ("signals.entry.rsi_min", 45.0, "entry.rsi_min"),
    ("signals.entry.rsi_min", 45.0, "scanner.rsi_min"),
    ("signals.entry.rsi_max", 75.0, "entry.rsi_max"),
    ("signals.entry.require_volume_surge", False, "entry.require_volume_surge"),
    ("signals.entry.volume_surge_threshold", 2.0, "entry.volume_surge_threshold"),
    ("signals.exit.profit_target_stock", 0.25, "exit.profit_target_stock"),
    ("signals.exit.profit_target_crypto", 0.4, "exit.profit_target_crypto"),
    ("signals.exit.stop_loss_stock", 0.07, "exit.stop_loss_stock"),
    ("signals.exit.stop_loss_crypto", 0.15, "exit.stop_loss_crypto"),
    ("signals.exit.trailing_stop_activation", 0.05, "exit.trailing_stop_activation"),
    ("signals.exit.trailing_stop_distance", 0.06, "exit.trailing_stop_distance"),
    ("signals.exit.max_holding_days", 20, "exit.max_holding_days"),
    ("risk.initial_capital", 5_000.0, "book.capital"),
    ("risk.risk_per_trade", 0.015, "book.sizing.risk_per_trade"),
    ("risk.max_positions", 4, "book.risk.max_positions"),
    ("risk.max_portfolio_exposure", 0.5, "book.risk.max_portfolio_exposure"),
    ("risk.max_sector_exposure", 0.3, "book.risk.max_sector_exposure"),
    ("risk.max_daily_loss", 0.01, "book.risk.max_daily_loss"),
    ("trading.initial_capital", 7_000.0, "book.capital"),
    ("trading.mode", "backtest", "book.mode"),
    ("trading.slippage_stock", 0.002, "book.costs.stock.slippage.value"),
    ("trading.slippage_crypto", 0.004, "book.costs.crypto.slippage.value"),
    ("trading.commission_stock", 0.001, "book.costs.stock.commission.value"),
    ("trading.commission_crypto", 0.002, "book.costs.crypto.commission.value"),
    ("alerts.alert_on_entry", False, "book.alerts.on_entry"),
    ("alerts.alert_on_exit", False, "book.alerts.on_exit"),
    ("alerts.alert_on_risk_limit", False, "book.alerts.on_risk_limit"),
    ("logging.log_file", "x.log", "book.logging.file"),
    ("logging.snapshot_dir", "elsewhere", "book.report.directory"),
]


@pytest.mark.parametrize(
    ("path", "value", "where"), EFFECTS, ids=[f"{path}-{where}" for path, _, where in EFFECTS]
)
def test_each_key_has_its_effect(tmp_path: Path, path: str, value: object, where: str) -> None:
    file = changed(tmp_path, path, value)
    if path == "trading.initial_capital":  # in one group or the other, or the same in both
        file = changed(tmp_path, "risk", {})
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        content["trading"]["initial_capital"] = value
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
    book = load_book(file, ENVIRONMENT)
    parameters = MomentumParameters.model_validate(book.strategies["momentum"].params)
    found: object = book if where.startswith("book.") else parameters
    for part in where.removeprefix("book.").split("."):
        found = getattr(found, part)
    assert found == value
    assert config_hash(book) != config_hash(load_book(FIXTURE, ENVIRONMENT)) or where == "book.logging.file"


BAD = [
    ("scanner.max_candidate", 3, "scanner.max_candidate = 3: unknown key; did you mean max_candidates?"),
    ("scanner.rsi_min", 40, "scanner.rsi_min = 40: unknown key; did you mean signals.entry.rsi_min?"),
    (
        "scanner.momentum_threshold",
        101,
        "scanner.momentum_threshold = 101: must be a number at least 0 and at most 100",
    ),
    ("signals.entry.rsi_max", 40, "signals.entry: rsi_min 50 must lie below rsi_max 40"),
    (
        "signals.exit.stop_loss_stock",
        8,
        "signals.exit.stop_loss_stock = 8: must be a number above 0 and below 1 (8 % is written 0.08)",
    ),
    (
        "signals.exit.profit_target_stock",
        20,
        "signals.exit.profit_target_stock = 20: must be a number above 0 and at most 10 "
        "(20 % is written 0.2)",
    ),
    (
        "risk.risk_per_trade",
        0.05,
        "risk.risk_per_trade = 0.05: must be a number at least 0.005 and at most 0.02",
    ),
    ("trading.mode", "papr", 'trading.mode = "papr": must be one of backtest, paper, live'),
    ("trading.initial_capital", 1, "risk.initial_capital 100000 and trading.initial_capital 1 differ"),
    ("alerts.email_address", "", "alerts: email_enabled needs an email_address"),
    ("alerts.slack_webhook", 3, "alerts.slack_webhook = ***: must be text"),
    ("logging.snapshot_dir", None, "logging: save_daily_snapshots needs a snapshot_dir"),
    ("logging.level", "loud", 'logging.level = "loud": must be one of debug, info, warning, error'),
]


@pytest.mark.parametrize(("path", "value", "line"), BAD, ids=[path for path, _, _ in BAD])
def test_a_bad_key_is_refused(tmp_path: Path, path: str, value: object, line: str) -> None:
    file = changed(tmp_path, path, value)
    with pytest.raises(ConfigError) as caught:
        load_book(file, ENVIRONMENT)
    assert caught.value.problems == (f"{file}: {line}",)


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        load_book(FIXTURE, {"DATA_KEY": "k"})
    assert caught.value.problems == (
        f'{FIXTURE}: alerts.slack_webhook = "${{SLACK_WEBHOOK}}": the environment variable SLACK_WEBHOOK '
        "is not set; set it or write ${SLACK_WEBHOOK:-default}",
    )


def test_groups_may_be_left_out_or_empty(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("scanner:\ntrading: {mode: LIVE}\nbenchmark: SPY\nstart: 2015-01-02\n", encoding="utf-8")
    book = load_book(file, {})
    assert (book.name, book.mode, book.benchmark, str(book.start)) == ("small", "live", "SPY", "2015-01-02")
    assert not book.allow_live
    assert book.strategies["momentum"].params == {}
