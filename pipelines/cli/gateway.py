"""``desk gateway``: the simulated gateway in a process of its own, on this machine only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli import context
from pipelines.cli.exits import InputError
from pipelines.cli.forms import AsJson

if TYPE_CHECKING:
    from resources.config import DeskConfig
    from resources.gateway.settings import Settings

app = typer.Typer(
    help="The simulated gateway: speaks the TWS protocol on 127.0.0.1, fills from the lake.",
    no_args_is_help=True,
)

FOLDER = ".gateway"
State = Annotated[
    Path | None, typer.Option("--state", help="Folder of its state; else .gateway beside the lake.")
]


@app.command()
def start(
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Port; else the desk's; 0: any free one.")
    ] = None,
    state: State = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay, and end with Ctrl-C.")] = False,
    capital: Annotated[
        float | None, typer.Option("--capital", min=0.01, help="Cash of a new account; else the book's.")
    ] = None,
    book: Annotated[
        str | None, typer.Option("--book", help="Book whose costs and capital the gateway takes.")
    ] = None,
    accounts: Annotated[
        int, typer.Option("--accounts", min=1, max=50, help="So many accounts, each with the capital.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Start a gateway; orders, executions and positions of its state folder go on."""
    from resources.gateway import process

    folder, settings = state_folder(state), _settings(capital, book)
    chosen = port if port is not None else context.desk().broker.port
    if foreground:
        _stay(folder, settings, chosen, accounts)
        return
    where = process.start(folder, settings, port=chosen, accounts=accounts)
    shown = {"state": str(folder), "host": process.HOST, "port": where.port, "pid": where.pid}
    _say(shown, f"gateway on {process.HOST}:{where.port}, process {where.pid}, state {folder}", as_json)


@app.command()
def stop(state: State = None, as_json: AsJson = False) -> None:
    """Stop the gateway and wait for its end; stopping one that is not running is no error."""
    from resources.gateway import process

    folder = state_folder(state)
    stopped = process.stop(folder)
    text = f"the gateway of {folder} has ended" if stopped else f"no gateway is running on {folder}"
    _say({"state": str(folder), "stopped": stopped}, text, as_json)


@app.command()
def status(state: State = None, as_json: AsJson = False) -> None:
    """Show whether a gateway runs, its clients, clock, orders and executions."""
    from pipelines.cli.output import print_json, print_table
    from resources.gateway import process

    folder = state_folder(state)
    found = process.status(folder)
    if as_json:
        print_json({"running": found is not None, "state": str(folder), **_shown(found or {})})
    elif found is None:
        typer.echo(f"no gateway is running on {folder}")
    else:
        print_table(["what", "value"], [(name, str(value)) for name, value in _shown(found).items()])


@app.command()
def fault(
    names: Annotated[list[str], typer.Argument(help="Faults or notices by name; or: list, clear.")],
    values: Annotated[
        list[str] | None,
        typer.Option("--set", help="What differs from the fault as listed, as KEY=VALUE (JSON)."),
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Put faults in force, or send notices to every client; `list` shows them, `clear` ends them."""
    from resources.gateway import process
    from resources.gateway.service.faults import NOTICES, SCENARIOS

    if names == ["list"]:
        _list(process.status(state_folder(state)) is not None, state_folder(state), as_json=as_json)
        return
    wanted = [] if names == ["clear"] else names
    _refuse_unknown(wanted, [*SCENARIOS, *NOTICES])
    differing = _pairs(values or [])
    answers: list[dict[str, Any]] = []
    with process.control(state_folder(state)) as control:
        if not wanted:
            control.ask("faults", clear=True)
        for name in wanted:
            command = "fault" if name in SCENARIOS else "notice"
            answers.append({"name": name, **control.ask(command, name=name, **differing)})
    done = "in force: " + ", ".join(wanted) if wanted else "no fault is in force any more"
    _say({"faults": answers}, done, as_json)


def state_folder(given: Path | None = None, config: DeskConfig | None = None) -> Path:
    """Folder of a gateway's state: as given, else beside the lake, else in the current folder."""
    if given is not None:
        return given.absolute()
    lake = (config or context.desk(providers=False)).lake
    beside = Path() if "://" in lake else Path(lake).parent
    return (beside / FOLDER).absolute()


def _settings(capital: float | None, book: str | None) -> Settings:
    """Settings of a gateway that is always open: the lake's prices where there is one, a book's costs."""
    from contextlib import suppress
    from dataclasses import replace

    from delta.errors import LakeError
    from resources.gateway.settings import Settings

    settings = Settings()
    with suppress(LakeError):  # else a gateway without prices: they come through its control channel
        settings = replace(settings, lake=str(context.lake().uri))
    if book is not None:
        config = context.book(book, strategies=False)
        settings = replace(settings, capital=config.capital, currency=config.currency, costs=config.costs)
    return settings if capital is None else replace(settings, capital=capital)


def _stay(folder: Path, settings: Settings, port: int, accounts: int) -> None:
    """Run the gateway in this process until it is told to end."""
    from resources.gateway import process
    from resources.gateway.__main__ import main

    process.configure(folder, settings, accounts)
    code = main([str(folder), str(port), "0"])
    if code:
        raise process.GatewayError(f"a gateway is running on {folder} already; stop it first")


def _list(running: bool, folder: Path, *, as_json: bool) -> None:
    from pipelines.cli.output import print_json, print_table
    from resources.gateway import process
    from resources.gateway.service.faults import ACTIONS, NOTICES, SCENARIOS

    known = [(name, _action(ACTIONS, content)) for name, content in SCENARIOS.items()]
    known += [(name, f"notice {code}: {text}") for name, (code, text) in NOTICES.items()]
    active: dict[str, Any] = {}
    if running:
        with process.control(folder) as control:
            active = control.ask("faults")
    if as_json:
        print_json({"known": dict(known), "active": active.get("active"), "struck": active.get("struck")})
        return
    print_table(["fault", "what it does"], known)
    for one in active.get("active", ()):
        typer.echo(f"in force: {one['on']} {one['what']} {one['do']}, struck {one['struck']} times")


def _action(actions: Any, content: dict[str, Any]) -> str:
    place = content["on"]
    what = content.get("what", "")
    return f"{what or place}: {actions[place][content['do']]}"


def _refuse_unknown(names: list[str], known: list[str]) -> None:
    from difflib import get_close_matches

    for name in names:
        if name not in known:
            near = ", ".join(get_close_matches(name, known, n=2))
            meant = f"; did you mean {near}?" if near else ""
            raise InputError(f"no fault {name!r}{meant}; desk gateway fault list shows all")


def _pairs(values: list[str]) -> dict[str, Any]:
    """KEY=VALUE options; a value that is no JSON is taken as text."""
    import json

    pairs = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise InputError(f"--set {value}: write KEY=VALUE")
        try:
            pairs[name] = json.loads(text)
        except ValueError:
            pairs[name] = text
    return pairs


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in ("ok", "requests")}


def _say(values: dict[str, Any], text: str, as_json: bool) -> None:
    from pipelines.cli.output import print_json

    if as_json:
        print_json(values)
    else:
        typer.echo(text)
