"""Book files: what loads, and the exact line for what does not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from resources.config import ConfigError, load_book, load_books
from resources.config.books import book_files, find_book, shown
from trading.book import BookConfig, config_hash, resolved
from trading.strategies.momentum.parameters import MomentumParameters

ROOT = Path(__file__).resolve().parents[2]
MINIMAL = "start = 2020-01-01\n[strategies.momentum]\n"


def written(folder: Path, content: str, name: str = "book.toml") -> Path:
    file = folder / name
    file.write_text(content, encoding="utf-8")
    return file


def refused(file: Path, env: dict[str, str] | None = None) -> list[str]:
    """Problems of a file, its path shortened to its name."""
    with pytest.raises(ConfigError) as caught:
        load_book(file, env or {})
    assert str(caught.value) == "\n".join(caught.value.problems)
    return [problem.replace(str(file), file.name) for problem in caught.value.problems]


BAD_VALUES = {
    "unknown key": ("capitl = 1\n" + MINIMAL, "capitl = 1: unknown key; did you mean capital?"),
    "key of another table": (
        "max_positions = 3\n" + MINIMAL,
        "max_positions = 3: unknown key; did you mean risk.max_positions?",
    ),
    "unknown key of a strategy": (
        MINIMAL + "wieght = 3\n",
        "strategies.momentum.wieght = 3: unknown key; did you mean weight?",
    ),
    "above the range": (
        MINIMAL + "[risk]\nmax_daily_loss = 3\n",
        "risk.max_daily_loss = 3: must be a number above 0 and at most 1 (3 % is written 0.03)",
    ),
    "below the range": (
        MINIMAL + "[risk]\nmax_positions = 0\n",
        "risk.max_positions = 0: must be a whole number at least 1",
    ),
    "not a number": (
        MINIMAL + '[sizing]\nfraction = "much"\n',
        'sizing.fraction = "much": must be a number above 0 and at most 1',
    ),
    "truth for a number": (
        "capital = true\n" + MINIMAL,
        "capital = true: must be a number, not true or false",
    ),
    "nan": ("capital = nan\n" + MINIMAL, "capital = NaN: must be a number above 0"),
    "infinity": ("capital = inf\n" + MINIMAL, "capital = Infinity: must be a number above 0"),
    "choice": ('mode = "papr"\n' + MINIMAL, 'mode = "papr": must be one of backtest, paper, live'),
    "date": ('start = "soon"\n[strategies.momentum]\n', 'start = "soon": must be a date such as 2020-01-31'),
    "number for a date": (
        "start = 86400\n[strategies.momentum]\n",
        "start = 86400: must be a date such as 2020-01-31",
    ),
    "zone that is none": (
        MINIMAL + '[placement]\nrestart_timezone = "Mars/Olympus"\n',
        'placement.restart_timezone = "Mars/Olympus": must be a time zone such as America/New_York',
    ),
    "no zone at all": (
        MINIMAL + '[placement]\nrestart_timezone = "../etc/passwd"\n',
        'placement.restart_timezone = "../etc/passwd": must be a time zone such as America/New_York',
    ),
    "missing": ("[strategies.momentum]\n", "start: missing; must be a date such as 2020-01-31"),
    "text for a list": (
        MINIMAL + '[universe]\nsymbols = "AAPL"\n',
        'universe.symbols = "AAPL": must be a list such as ["A", "B"]',
    ),
    "entry of a list": (
        MINIMAL + '[universe]\nasset_classes = ["stock", "stonk"]\n',
        'universe.asset_classes[1] = "stonk": must be one of stock, etf, crypto, fx, option, index, future',
    ),
    "value for a table": ("risk = 3\n" + MINIMAL, "risk = 3: must be a table of keys"),
    "name": (
        'name = "My Book"\n' + MINIMAL,
        'name = "My Book": must be text that matches ^[a-z0-9][a-z0-9_.-]{0,63}$',
    ),
    "range of dates": ("end = 2019-01-01\n" + MINIMAL, "end 2019-01-01 lies before start 2020-01-01"),
    "nothing to trade": ("start = 2020-01-01\n", "a book needs a table [strategies.NAME]"),
    "two sources of a strategy": (
        MINIMAL + 'key = "a"\nclass = "b:C"\n',
        "strategies.momentum: give either key or class, not both",
    ),
    "risk outside its bounds": (
        MINIMAL + "[sizing]\nrisk_per_trade = 0.05\n",
        "sizing: risk_per_trade 0.05 lies outside min_risk_per_trade 0.005 .. max_risk_per_trade 0.02",
    ),
    "floor above cap": (
        MINIMAL + "[sizing]\nmax_position = 0.005\n",
        "sizing: min_position 0.01 lies above max_position 0.005",
    ),
    "older form and its migration": (
        "start = 2020-01-01\n[stocks]\nA = { shares = 2 }\n"
        "[strategies.bx_trender_A]\nparams = { shares = 1 }\n",
        "strategies.bx_trender_A is also made by the older form: keep one of the two",
    ),
    "calendar": (
        'calendar = "XNSY"\n' + MINIMAL,
        'calendar = "XNSY": no such calendar; did you mean XNYS?',
    ),
    "unknown strategy": (
        "start = 2020-01-01\n[strategies.momentun]\n",
        "strategies.momentun: no such strategy; did you mean momentum?",
    ),
    "unknown key of a registry": (
        MINIMAL + 'key = "turtel"\n',
        'strategies.momentum.key = "turtel": no such strategy; did you mean turtle?',
    ),
    "unknown parameter": (
        MINIMAL + "params.entry.rsi_mim = 3\n",
        "strategies.momentum.params.entry.rsi_mim = 3: unknown key; did you mean rsi_min?",
    ),
    "parameter out of range": (
        MINIMAL + "params.exit.stop_loss_stock = 8\n",
        "strategies.momentum.params.exit.stop_loss_stock = 8: must be a number above 0 and below 1 "
        "(8 % is written 0.08)",
    ),
    "class that is not there": (
        MINIMAL + 'class = "nowhere:Mine"\n',
        f"strategies.momentum.class: no module nowhere in {Path.cwd()} or on the Python path",
    ),
    "secret is not shown": (MINIMAL + "[alerts]\nurls = [3]\n", "alerts.urls[0] = ***: must be text"),
}


@pytest.mark.parametrize(("content", "line"), BAD_VALUES.values(), ids=BAD_VALUES.keys())
def test_a_bad_value_is_refused_with_its_path_and_what_is_allowed(
    tmp_path: Path, content: str, line: str
) -> None:
    assert refused(written(tmp_path, content)) == [f"book.toml: {line}"]


MALFORMED = {
    "toml value": ("a.toml", "a = 1\nb = \n", "a.toml:2:5: malformed TOML: Invalid value"),
    "toml end": ("a.toml", "a = [1,\n2", "a.toml:2:2: malformed TOML: Unclosed array"),
    "toml double": ("a.toml", "a = 1\na = 2\n", "a.toml:2:6: malformed TOML: Cannot overwrite a value"),
    "yaml double": ("a.yaml", "a: 1\nb: 2\na: 3\n", "a.yaml:3:1: malformed YAML: the key 'a' is given twice"),
    "yaml truth": (
        "a.yaml",
        "a: 1\non: 2\n",
        "a.yaml:2:1: malformed YAML: the key 'on' must be text: put it in quotes",
    ),
    "yaml tab": (
        "a.yml",
        "a:\n\t- 1\n",
        "a.yml:2:1: malformed YAML: found character '\\t' that cannot start any token",
    ),
    "yaml list": ("a.yaml", "- a\n", "a.yaml: must hold keys and values, not a list"),
    "yaml object": (
        "a.yaml",
        "a: !!python/object/apply:os.getcwd []\n",
        "a.yaml:1:4: malformed YAML: could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/object/apply:os.getcwd'",
    ),
    "suffix": ("a.json", "{}", "a.json: a configuration file ends in .toml, .yaml, .yml"),
}


@pytest.mark.parametrize(("name", "content", "line"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_file_is_refused_with_line_and_column(
    tmp_path: Path, name: str, content: str, line: str
) -> None:
    assert refused(written(tmp_path, content, name)) == [line]


def test_a_missing_file_and_a_file_that_is_no_text(tmp_path: Path) -> None:
    assert refused(tmp_path / "a.toml") == ["a.toml: no such file"]
    (tmp_path / "b.toml").write_bytes(b"a = '\xff'")
    assert refused(tmp_path / "b.toml") == ["b.toml: not UTF-8 text at byte 5"]


def test_all_problems_of_a_file_come_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, 'capital = "${MONEY}"\nfoo = 1\n' + MINIMAL + "[risk]\nmax_positions = 0\n")
    assert refused(file) == [
        'book.toml: capital = "${MONEY}": the environment variable MONEY is not set; '
        "set it or write ${MONEY:-default}",
        "book.toml: risk.max_positions = 0: must be a whole number at least 1",
        "book.toml: foo = 1: unknown key; allowed: " + ", ".join(sorted(BookConfig.model_fields)),
    ]


def test_references_are_taken_from_the_environment(tmp_path: Path) -> None:
    content = (
        'capital = "${MONEY}"\nbenchmark = "${INDEX:-SPY}"\ncurrency = "${EMPTY:-EUR}"\n'
        + MINIMAL
        + 'params = { note = "$${x}" }\n[alerts]\nurls = ["slack://${TOKEN}/x"]\n'
    )
    env = {"MONEY": "2500.5", "TOKEN": "s3cret", "EMPTY": ""}
    book = load_book(written(tmp_path, content), env, strategies=False)
    assert (book.capital, book.benchmark, book.currency) == (2500.5, "SPY", "EUR")
    assert book.strategies["momentum"].params == {"note": "${x}"}
    assert book.alerts.urls == ("slack://s3cret/x",)
    for text in (repr(book), resolved(book), str(shown(book))):
        assert "s3cret" not in text


def test_a_substituted_value_is_not_told_when_it_is_wrong(tmp_path: Path) -> None:
    file = written(tmp_path, 'capital = "${MONEY}"\n' + MINIMAL)
    assert refused(file, {"MONEY": "s3cret"}) == ['book.toml: capital = "${MONEY}": must be a number above 0']


@pytest.mark.parametrize("text", ["${", "${1A}", "a ${B", "${A B}"])
def test_a_broken_reference_is_refused(tmp_path: Path, text: str) -> None:
    problems = refused(written(tmp_path, f'benchmark = "{text}"\n' + MINIMAL))
    assert problems == [
        f'book.toml: benchmark = "{text}": write ${{NAME}} or ${{NAME:-default}}; $${{ stands for a plain ${{'
    ]


def test_a_book_is_called_like_its_file_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert load_book(written(tmp_path, MINIMAL, "My Book.toml"), {}).name == "my-book"
    assert load_book(written(tmp_path, 'name = "b"\n' + MINIMAL, "a.toml"), {}).name == "b"


def test_toml_and_yaml_read_into_one_model(tmp_path: Path) -> None:
    toml = load_book(written(tmp_path, 'name = "b"\nbenchmark = "SPY"\n' + MINIMAL, "b.toml"), {})
    yaml = "name: b\nbenchmark: SPY\nstart: 2020-01-01\nstrategies:\n  momentum: {}\n"
    assert load_book(written(tmp_path, yaml, "b.yaml"), {}) == toml


def test_a_cost_table_keeps_what_it_does_not_name(tmp_path: Path) -> None:
    content = MINIMAL + "[costs.crypto]\nparticipation = 0.05\n[costs.crypto.slippage]\nvolume_limit = 0.2\n"
    crypto = load_book(written(tmp_path, content), {}).costs.crypto
    assert (crypto.participation, crypto.slippage.value, crypto.slippage.volume_limit) == (0.05, 0.003, 0.2)
    assert (crypto.commission.model, crypto.commission.value) == ("percent", 0.001)


COSTS_LEFT_OUT = {
    "stock": ("percent", 0.001, "none", 0.0),
    "crypto": ("percent", 0.003, "percent", 0.001),
    "fx": ("percent", 0.0001, "none", 0.0),
    "option": ("percent", 0.0, "none", 0.0),
}


@pytest.mark.parametrize(("asset_class", "expected"), COSTS_LEFT_OUT.items(), ids=COSTS_LEFT_OUT)
def test_what_a_listed_default_is_holds_for_its_own_asset_class(
    asset_class: str, expected: tuple[object, ...]
) -> None:
    """The guide, ``desk book show`` and the model that is used say the same of a key that is left out."""
    from resources.config.keys import keys

    listed = {key.dotted: key.default for key in keys(BookConfig)}
    parts = ("slippage.model", "slippage.value", "commission.model", "commission.value")
    assert tuple(listed[f"costs.{asset_class}.{part}"] for part in parts) == expected
    costs = getattr(
        BookConfig.model_validate({"name": "b", "start": "2020-01-01", "strategies": {"momentum": {}}}).costs,
        asset_class,
    )
    used = (costs.slippage.model, costs.slippage.value, costs.commission.model, costs.commission.value)
    assert used == expected


def test_one_book_is_found_beside_broken_ones(tmp_path: Path) -> None:
    written(tmp_path, "x = ", "a.toml")
    written(tmp_path, 'name = "mine"\n' + MINIMAL, "b.toml")
    assert find_book(tmp_path, "b", {}) is None
    found = find_book(tmp_path, "mine", {})
    assert found is not None
    assert found.name == "mine"
    with pytest.raises(ConfigError, match=r"a\.toml:1:5: malformed TOML"):
        find_book(tmp_path, "a", {})


def test_a_folder_of_books(tmp_path: Path) -> None:
    written(tmp_path, MINIMAL, "a.toml")
    written(tmp_path, "start: 2020-01-01\nstrategies: {momentum: {}}\n", "b.yaml")
    written(tmp_path, "no book", "notes.md")
    written(tmp_path, "no book", ".hidden.toml")
    assert list(load_books(tmp_path, {})) == ["a", "b"]
    assert [file.name for file in book_files(tmp_path)] == ["a.toml", "b.yaml"]
    assert load_books(tmp_path / "nowhere", {}) == {}


def test_a_folder_tells_the_problems_of_all_its_files(tmp_path: Path) -> None:
    written(tmp_path, MINIMAL, "a.toml")
    written(tmp_path, 'name = "a"\n' + MINIMAL, "b.toml")
    written(tmp_path, "x = 1\n" + MINIMAL, "c.toml")
    written(tmp_path, "x = ", "d.toml")
    with pytest.raises(ConfigError) as caught:
        load_books(tmp_path, {})
    problems = [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems]
    assert [problem.split(":")[0] for problem in problems] == ["b.toml", "c.toml", "d.toml"]
    assert problems[0] == 'b.toml: name = "a": a.toml has this name already'


def test_the_hash_follows_the_rules_and_not_where_alerts_and_logs_go(tmp_path: Path) -> None:
    plain = load_book(written(tmp_path, MINIMAL), {})
    told = load_book(
        written(
            tmp_path, MINIMAL + '[alerts]\nurls = ["a://b"]\nemail = ["m"]\n[logging]\nlevel = "debug"\n'
        ),
        {},
    )
    other = load_book(written(tmp_path, MINIMAL + "[risk]\nmax_positions = 7\n"), {})
    assert config_hash(plain) == config_hash(told) != config_hash(other)
    assert BookConfig.model_validate_json(resolved(other)) == other


def test_the_shipped_books_load() -> None:
    books = load_books(ROOT / "config" / "books", {})
    assert {"momentum", "momentum-demo"} <= books.keys()
    demo = books["momentum-demo"]
    assert (demo.start, demo.end, demo.capital) == (date(2000, 3, 1), date(2013, 3, 1), 100_000)
    assert demo.universe.symbols == ("AAPL", "FB", "GOOG", "IBM", "MSFT")


def test_the_momentum_file_shows_every_key_at_its_default() -> None:
    book = load_book(ROOT / "config" / "books" / "momentum.toml", {})
    parameters = book.strategies["momentum"].params
    assert parameters == MomentumParameters().model_dump(mode="json")
    bare = BookConfig.model_validate(
        {"name": "momentum", "start": book.start, "strategies": {"momentum": {"params": parameters}}}
    )
    assert book == bare
    written_out = book.model_fields_set | {"end", "benchmark", "stocks", "wheel"}
    assert written_out == set(BookConfig.model_fields)
    for table in ("sizing", "risk", "alerts", "report", "logging", "universe"):
        value = getattr(book, table)
        assert value.model_fields_set == set(type(value).model_fields)
