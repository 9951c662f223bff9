"""The desk's own configuration: where things are kept, where data comes from, which broker, whom to tell."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from resources.config.environment import CONFIG, overlay, overrides
from resources.config.errors import ConfigError
from resources.config.files import read_mapping
from resources.config.problems import SECRET, Source, validated
from resources.config.providers import checked_providers
from resources.config.substitution import substitute
from trading.configuration import AssetClass, Model

Timeframe = Literal["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "default"]
ProviderName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

DEFAULT_FILE = Path("config/desk.toml")
"""Where the desk's file is looked for, from the current folder upwards."""

MASK = "***"


Order = dict[AssetClass, dict[Timeframe, tuple[ProviderName, ...]]]


def _sample_only() -> Order:
    return {"stock": {"default": ("sample",)}}


class DataConfig(Model):
    """Where market data comes from.

    Attributes
    ----------
    order : dict
        Providers by asset class and timeframe, the preferred one first; the key ``default`` of an asset
        class serves the timeframes that are not named.
    disagreement : float
        Two providers further apart than this share of the price flag the symbol's day.
    """

    order: Order = Field(default_factory=_sample_only)
    disagreement: float = Field(default=0.005, gt=0, le=1)

    def providers(self, asset_class: str, timeframe: str) -> tuple[str, ...]:
        """Names of the providers to ask, in order; empty when none is configured.

        Those of ``stock`` serve ``etf``, too, unless it has its own.
        """
        orders = {str(name): order for name, order in self.order.items()}
        order: Mapping[str, tuple[str, ...]] = orders.get(asset_class) or (  # type: ignore[assignment]
            orders.get("stock", {}) if asset_class == "etf" else {}
        )
        return order.get(timeframe, order.get("default", ()))

    def providers_in_use(self) -> tuple[str, ...]:
        """Every provider that some order names."""
        names = (name for orders in self.order.values() for order in orders.values() for name in order)
        return tuple(dict.fromkeys(names))


class BrokerConfig(Model):
    """Where orders go: TWS, IB Gateway or the simulated gateway.

    Attributes
    ----------
    port : int
        4001 IB Gateway live, 4002 IB Gateway paper, 7496 TWS live, 7497 TWS paper.
    account : str
        Account to trade; empty: the only one of the login.
    connect_timeout : float
        Seconds.
    messages_per_second : int
        Most messages that the gateway is sent; IB bears half as many as the account has lines of market data.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=4002, ge=1, le=65535)
    client_id: int = Field(default=17, ge=0, le=2_147_483_647)
    account: str = ""
    connect_timeout: float = Field(default=10.0, gt=0, le=300)
    messages_per_second: int = Field(default=40, ge=1, le=1000)


class NotificationsConfig(Model):
    """Whom to tell.

    Attributes
    ----------
    urls : tuple of str
        Apprise addresses, as ``${VARIABLES}``.
    mail_server : str
        Apprise ``mailtos://`` address through which a book's ``alerts.email`` recipients are reached.
    throttle_seconds : float
        The same alert is not delivered again within this time.
    """

    urls: tuple[str, ...] = Field(default=(), repr=False)
    mail_server: str = Field(default="", repr=False)
    throttle_seconds: float = Field(default=300.0, ge=0)


class LoggingConfig(Model):
    """The desk's log.

    Attributes
    ----------
    format : str
        ``console`` for people, ``json`` for programs.
    file : str
        File that the log is also written to; empty: none.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"
    file: str = ""


class DeskConfig(Model):
    """The desk: one file, the environment over it, defaults under it.

    Attributes
    ----------
    lake : str
        Folder or URL of the Delta lake.
    dagster_home : str
        Folder of the Dagster instance.
    books : str
        Folder of the book files.
    storage_options : dict
        Options of the object store that a lake URL needs, as ``${VARIABLES}``.
    providers : dict
        Settings by provider, such as the folder of ``lean``.
    """

    lake: str = Field(default="./lake", min_length=1)
    dagster_home: str = Field(default="./.dagster", min_length=1)
    books: str = Field(default="./config/books", min_length=1)
    storage_options: dict[str, str] = Field(default_factory=dict, repr=False)
    data: DataConfig = DataConfig()
    providers: dict[ProviderName, dict[str, Any]] = Field(default_factory=dict, repr=False)
    broker: BrokerConfig = BrokerConfig()
    notifications: NotificationsConfig = NotificationsConfig()
    logging: LoggingConfig = LoggingConfig()

    def settings(self, provider: str) -> dict[str, Any]:
        """Settings of one provider; the broker's data comes from where its orders go to."""
        own = dict(self.providers.get(provider, {}))
        if provider == "ib":
            usual = {"host": self.broker.host, "port": self.broker.port, "account": self.broker.account}
            return usual | own
        return own

    def shown(self) -> dict[str, Any]:
        """Configuration for a person's eyes: secrets are masked."""
        masked: dict[str, Any] = _masked(self.model_dump(mode="json"))
        masked["storage_options"] = dict.fromkeys(self.storage_options, MASK)
        return masked


def load_desk(
    path: Path | str | None = None, env: Mapping[str, str] | None = None, *, providers: bool = True
) -> DeskConfig:
    """Read the desk's configuration: defaults, under the file, under ``DESK_*`` variables.

    Parameters
    ----------
    path : path, optional
        The file; else ``DESK_CONFIG``; else ``config/desk.toml`` of the current folder or the nearest one
        above it; else defaults alone.
    env : mapping, optional
        Environment; the process's own when left out.
    providers : bool
        Whether names and settings of providers are checked, too, which imports those with settings.

    Returns
    -------
    DeskConfig
        With absolute paths: those of the file start from the folder that holds ``config/``, those of the
        environment from the current folder.

    Raises
    ------
    ConfigError
        Every problem of the file and the environment, one line each.
    """
    environment = os.environ if env is None else env
    file = file_of(path, environment)
    written = read_mapping(file) if file else {}
    content, unresolved = substitute(written, environment)
    values = overrides(DeskConfig, environment)
    source = Source(
        file=str(file),
        written=written,
        variables={where: variable for where, (variable, _) in values.items()},
        unresolved={where: problem for where, problem in unresolved.items() if where not in values},
    )
    desk = validated(DeskConfig, overlay(content, values), source)
    root = _root(file)
    if providers:
        desk = _with_checked_providers(desk, source, root)
    return _located(desk, root, {str(where[0]) for where in values if len(where) == 1})


def _with_checked_providers(desk: DeskConfig, source: Source, root: Path) -> DeskConfig:
    settings, problems = checked_providers(desk.providers, desk.data.order, source, root)
    if problems:
        raise ConfigError(problems)
    return desk.model_copy(update={"providers": settings} if settings else {})


def file_of(path: Path | str | None, environment: Mapping[str, str]) -> Path | None:
    """File that the desk's configuration is read from; None: there is none, and defaults serve."""
    given = path or environment.get(CONFIG)
    if given:
        return Path(given)
    here = Path.cwd()
    return next(
        (folder / DEFAULT_FILE for folder in (here, *here.parents) if (folder / DEFAULT_FILE).is_file()), None
    )


def _root(file: Path | None) -> Path:
    """Folder that the file's relative paths start from."""
    if file is None:
        return Path.cwd()
    folder = file.resolve().parent
    return folder.parent if folder.name == DEFAULT_FILE.parent.name else folder


def _located(desk: DeskConfig, root: Path, from_environment: set[str]) -> DeskConfig:
    """Desk with absolute paths."""
    folders = {
        name: Path.cwd() if name in from_environment else root for name in ("lake", "dagster_home", "books")
    }
    updates: dict[str, Any] = {
        name: _absolute(getattr(desk, name), folder) for name, folder in folders.items()
    }
    updates["logging"] = desk.logging.model_copy(update={"file": _absolute(desk.logging.file, root)})
    return desk.model_copy(update=updates)


def _absolute(location: str, root: Path) -> str:
    """Absolute form of a path; a URL and an empty text stay as they are."""
    if not location or "://" in location:
        return location
    return os.path.normpath(root / Path(location).expanduser())


def _masked(content: Any) -> Any:
    if isinstance(content, dict):
        return {
            key: MASK if value and SECRET.search(str(key)) else _masked(value)
            for key, value in content.items()
        }
    return content
