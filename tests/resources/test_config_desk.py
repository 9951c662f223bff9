"""The desk's file and the environment over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.config import ConfigError, DeskConfig, load_desk
from resources.config.environment import misspelt

ROOT = Path(__file__).resolve().parents[2]


def written(folder: Path, content: str) -> Path:
    (folder / "config").mkdir(exist_ok=True)
    file = folder / "config" / "desk.toml"
    file.write_text(content, encoding="utf-8")
    return file


def refused(file: Path, env: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_desk(file, env)
    return [problem.replace(str(file), "desk.toml") for problem in caught.value.problems]


def test_without_a_file_defaults_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    desk = load_desk(None, {})
    assert desk == DeskConfig(
        lake=str(tmp_path / "lake"),
        dagster_home=str(tmp_path / ".dagster"),
        books=str(tmp_path / "config" / "books"),
    )


def test_the_file_is_found_from_a_folder_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, 'lake = "./elsewhere"\n')
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert load_desk(None, {}).lake == str(tmp_path / "elsewhere")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path, 'lake = "./a"\n[broker]\nport = 7497\nhost = "h"\n')
    other = tmp_path / "other.toml"
    other.write_text('lake = "s3://bucket/desk"\n', encoding="utf-8")
    env = {
        "DESK_LAKE": "b",
        "DESK_BROKER__PORT": "4001",
        "DESK_NOTIFICATIONS__URLS": "slack://a, mailto://b",
        "DESK_DATA__ORDER__STOCK__DEFAULT": '["lean", "sample"]',
        "DESK_PROVIDERS__LEAN__FOLDER": "/data/lean",
        "DAGSTER_HOME": "/var/dagster",
        "OTHER": "x",
    }
    desk = load_desk(file, env)
    assert (desk.lake, desk.dagster_home) == (str(tmp_path / "b"), "/var/dagster")
    assert (desk.broker.host, desk.broker.port) == ("h", 4001)
    assert desk.notifications.urls == ("slack://a", "mailto://b")
    assert desk.data.providers("stock", "1d") == ("lean", "sample")
    assert desk.settings("lean") == {"folder": "/data/lean"}
    assert load_desk(file, {"DESK_LAKE": ""}).lake == str(tmp_path / "a")
    assert load_desk(None, {"DESK_CONFIG": str(other)}).lake == "s3://bucket/desk"
    assert load_desk(file, env | {"DESK_DAGSTER_HOME": "/own"}).dagster_home == "/own"


def test_providers_by_asset_class_and_timeframe(tmp_path: Path) -> None:
    content = (
        '[data.order]\nstock = { default = ["sample"] }\nfx = { "1h" = ["dukascopy"], default = ["files"] }\n'
    )
    data = load_desk(written(tmp_path, content), {}).data
    assert data.providers("fx", "1h") == ("dukascopy",)
    assert data.providers("fx", "1d") == ("files",)
    assert data.providers("crypto", "1d") == ()
    assert data.providers_in_use() == ("sample", "dukascopy", "files")


BAD = {
    "unknown key": ("lakee = 1\n", {}, "desk.toml: lakee = 1: unknown key; did you mean lake?"),
    "port": (
        "[broker]\nport = 0\n",
        {},
        "desk.toml: broker.port = 0: must be a whole number at least 1 and at most 65535",
    ),
    "empty": ('lake = ""\n', {}, 'desk.toml: lake = "": must be text, and not empty'),
    "asset class": (
        '[data.order]\nbonds = { default = ["x"] }\n',
        {},
        "desk.toml: data.order.bonds: the key must be one of stock, etf, crypto, fx, option, index, future",
    ),
    "timeframe": (
        '[data.order]\nstock = { "2d" = ["x"] }\n',
        {},
        "desk.toml: data.order.stock.2d: the key must be one of 1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w, default",
    ),
    "variable of the environment": (
        "",
        {"DESK_BROKER__PORT": "many"},
        "environment: DESK_BROKER__PORT: must be a whole number at least 1 and at most 65535",
    ),
    "reference": (
        'lake = "${WHERE}"\n',
        {},
        'desk.toml: lake = "${WHERE}": the environment variable WHERE is not set; '
        "set it or write ${WHERE:-default}",
    ),
    "provider": (
        '[data.order]\nstock = { default = ["sampel"] }\n',
        {},
        'desk.toml: data.order.stock.default[0] = "sampel": no such provider; did you mean sample?',
    ),
    "table of a provider": (
        "[providers.leen]\n",
        {},
        "desk.toml: providers.leen: no such provider; did you mean lean?",
    ),
    "setting of a provider": (
        '[providers.lean]\nfoldr = "x"\nfolder = "y"\n',
        {},
        'desk.toml: providers.lean.foldr = "x": unknown key; did you mean folder?',
    ),
    "value of a setting": (
        "[providers.tiingo]\nattempts = 99\n",
        {},
        "desk.toml: providers.tiingo.attempts = 99: must be a whole number at least 1 and at most 10",
    ),
    "missing setting": (
        "[providers.files]\n",
        {},
        "desk.toml: providers.files.folder: missing; must be a path",
    ),
    "secret": (
        "[notifications]\nmail_server = 3\n",
        {},
        "desk.toml: notifications.mail_server = ***: must be text",
    ),
}


@pytest.mark.parametrize(("content", "env", "line"), BAD.values(), ids=BAD.keys())
def test_a_bad_desk_is_refused(tmp_path: Path, content: str, env: dict[str, str], line: str) -> None:
    assert refused(written(tmp_path, content), env) == [line]


def test_folders_of_providers_start_from_the_root(tmp_path: Path) -> None:
    desk = load_desk(written(tmp_path, '[providers.lean]\nfolder = "./data"\nforex_market = "fxcm"\n'), {})
    assert desk.settings("lean") == {"folder": str(tmp_path / "data"), "forex_market": "fxcm"}
    assert desk.settings("sample") == {}


def test_the_environment_heals_a_missing_reference(tmp_path: Path) -> None:
    file = written(tmp_path, 'lake = "${WHERE}"\n')
    assert load_desk(file, {"DESK_LAKE": "/lake"}).lake == "/lake"


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    content = (
        '[storage_options]\nAWS_SECRET_ACCESS_KEY = "${S}"\n[providers.tiingo]\nbase_url = "https://u:${S}@h"\n'
        '[notifications]\nurls = ["slack://${S}"]\nmail_server = "mailtos://u:${S}@h"\n'
    )
    desk = load_desk(written(tmp_path, content), {"S": "s3cret"})
    assert desk.storage_options == {"AWS_SECRET_ACCESS_KEY": "s3cret"}
    assert "s3cret" not in repr(desk)
    assert "s3cret" not in str(desk.shown())


@pytest.mark.parametrize(
    ("name", "meant"),
    [("DESK_LAEK", "DESK_LAKE"), ("DESK_BROKER_PORT", "DESK_BROKER__PORT"), ("DESK_CONFG", "DESK_CONFIG")],
)
def test_a_misspelt_variable_is_noticed(name: str, meant: str) -> None:
    assert misspelt(DeskConfig, {name: "x", "DESK_LAKE": "y", "DESK_ALERT_URL": "z"}) == {name: meant}


def test_the_shipped_file_shows_every_key_at_its_default() -> None:
    desk = load_desk(ROOT / "config" / "desk.toml", {})
    plain = DeskConfig(lake=desk.lake, dagster_home=desk.dagster_home, books=desk.books)
    assert desk == plain
    assert desk.lake == str(ROOT / "lake")
    assert desk.model_fields_set == set(DeskConfig.model_fields) - {"providers"}
    for table in ("data", "broker", "notifications", "logging"):
        value = getattr(desk, table)
        assert value.model_fields_set == set(type(value).model_fields)
