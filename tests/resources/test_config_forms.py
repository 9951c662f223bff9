"""One configuration in every form: TOML, YAML, references, variables, what is shown and what is kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.config import ConfigError, load_book, load_desk
from resources.config.books import default_name, find_book, shown
from resources.config.substitution import substitute
from trading.book import BookConfig, config_hash, resolved
from trading.strategies.momentum.parameters import MomentumParameters

from .test_config_every_key import BOOK, NEEDED, REQUIRED, Row, as_toml, inside, own, placed, table

SCALARS = ("## A book", "## The momentum groups", "## Parameters of the strategy `momentum`")


def scalar(row: Row) -> bool:
    """Whether a key holds a single value that stands in a file as text, too."""
    return not row.allowed.startswith(("a list", "a table", "a path", "text that matches"))


def tried(section: str) -> list[tuple[Row, Any]]:
    """Keys of a section, each with a value that is allowed and is not the first one that comes to mind."""
    found = []
    for row in table(section):
        values = [*inside(row), *(["some text"] if row.allowed.startswith("text") else [])]
        if values and scalar(row) and own(row):
            found.append((row, values[-1]))
    return found


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


# ------------------------------------------------------------------------------------------ TOML and YAML


@pytest.mark.parametrize("section", SCALARS)
def test_toml_and_yaml_of_every_key_are_the_same_book(tmp_path: Path, section: str) -> None:
    content: dict[str, Any] = {"name": "same", **NEEDED[section]}
    for row, value in tried(section):
        if row.dotted not in ("placement.restart_timezone", "calendar", "strategies.momentum.key"):
            content = placed(content, row.path, value)
    toml = load_book(written(tmp_path, "a.toml", as_toml(content)), {}, strategies=False)
    as_yaml = load_book(written(tmp_path, "a.yaml", yaml.safe_dump(content)), {}, strategies=False)
    short = load_book(written(tmp_path, "b.yml", json.dumps(content)), {}, strategies=False)
    assert toml == as_yaml == short
    assert config_hash(toml) == config_hash(as_yaml)


@pytest.mark.parametrize("name", ["momentum", "momentum-demo"])
def test_a_shipped_book_is_the_same_in_yaml(tmp_path: Path, name: str) -> None:
    import tomllib

    source = Path(__file__).resolve().parents[2] / "config/books" / f"{name}.toml"
    content = tomllib.loads(source.read_text(encoding="utf-8"))
    assert load_book(written(tmp_path, "x.yaml", yaml.safe_dump(content)), {}) == load_book(source, {})


def test_what_is_shown_loads_again(tmp_path: Path) -> None:
    """``desk book show NAME --json`` into a file is the book, the addresses of its alerts apart."""
    text = "start = 2020-01-01\nend = 2021-01-04\n[strategies.momentum]\nparams.entry.rsi_max = 75\n[strategies.turtle]\n"
    first = load_book(written(tmp_path, "one.toml", text), {})
    again = load_book(written(tmp_path, "one.yaml", json.dumps(shown(first))), {})
    assert again == first


def test_what_is_kept_in_the_lake_loads_again(tmp_path: Path) -> None:
    for content in (
        BOOK,
        {**BOOK, "stocks": {"IBM": {"shares": 3}}},
        {**BOOK, "wheel": {"enabled": True, "symbols": ["F"]}},
        {**BOOK, "strategies": {"mine": {"class": "a.b:C", "params": {"x": [1, {"y": None}]}}}},
        {**BOOK, "costs": {"crypto": {"participation": 0.5}}},
    ):
        book = BookConfig.model_validate({"name": "b", **content})
        kept = BookConfig.model_validate_json(resolved(book))
        assert kept == book
        assert config_hash(kept) == config_hash(book)
        assert resolved(kept) == resolved(book)


# ------------------------------------------------------------------------------------------ the hash

SAME = {
    "order of keys": 'capital = 5\ncurrency = "EUR"\n',
    "order turned": 'currency = "EUR"\ncapital = 5\n',
    "whole number as a fraction": 'capital = 5.0\ncurrency = "EUR"\n',
    "defaults written out": 'capital = 5\ncurrency = "EUR"\nprices = "raw"\nfill = "next_open"\n',
}


def test_the_hash_follows_what_a_file_means(tmp_path: Path) -> None:
    tail = "start = 2020-01-01\n[strategies.momentum]\n"
    hashes = {config_hash(load_book(written(tmp_path, "b.toml", head + tail), {})) for head in SAME.values()}
    assert len(hashes) == 1
    other = config_hash(load_book(written(tmp_path, "b.toml", "capital = 6\n" + tail), {}))
    assert other not in hashes


def test_every_rule_of_a_book_is_in_its_hash(tmp_path: Path) -> None:
    """Any key that changes what is decided or filled changes the hash; where people are told does not."""
    quiet = {"logging.level", "logging.file", "alerts.urls", "alerts.email"}
    plain = {"name": "b", **BOOK}
    base = BookConfig.model_validate(plain)
    for row, _ in tried("## A book"):
        if row.path[0] == "strategies" and row.path[-1] == "key":
            continue
        changed = {
            config_hash(BookConfig.model_validate(placed(plain, row.path, value)))
            for value in inside(row)
            if row.dotted not in ("placement.restart_timezone",)
        }
        if row.dotted in quiet:
            assert changed <= {config_hash(base)}
        elif len(changed) > 1:
            assert changed - {config_hash(base)}, row.dotted


# ------------------------------------------------------------------------------------------ references


@pytest.mark.parametrize("section", SCALARS)
def test_every_single_value_may_come_from_the_environment(tmp_path: Path, section: str) -> None:
    """Each key as ``${V0}``, ``${V1}``, ... is the same book as with the values written in place."""
    plain: dict[str, Any] = {"name": "same", **NEEDED[section]}
    referring = plain
    environment: dict[str, str] = {}
    for number, (row, value) in enumerate(tried(section)):
        if row.dotted in ("placement.restart_timezone", "calendar", "strategies.momentum.key"):
            continue
        text = json.dumps(value) if isinstance(value, bool) else str(value)
        environment[f"V{number}"] = text
        plain = placed(plain, row.path, value)
        referring = placed(referring, row.path, f"${{V{number}}}")
    assert len(environment) > 15
    expected = load_book(written(tmp_path, "a.toml", as_toml(plain)), {}, strategies=False)
    found = load_book(written(tmp_path, "b.toml", as_toml(referring)), environment, strategies=False)
    if section.startswith("## Parameters"):  # checked by the strategy's own model, which reads the text
        both = [
            MomentumParameters.model_validate(each.strategies["momentum"].params)
            for each in (found, expected)
        ]
        assert both[0] == both[1]
    else:
        assert found == expected
    with pytest.raises(ConfigError) as caught:
        load_book(written(tmp_path, "c.toml", as_toml(referring)), {}, strategies=False)
    missing = [problem for problem in caught.value.problems if "is not set" in problem]
    assert len(missing) == len(environment), "every missing variable is named at once"


plain_text = st.text(st.characters(blacklist_characters="$", blacklist_categories=["Cs"]), max_size=20)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


@given(before=plain_text, name=names, value=st.text(max_size=20), after=plain_text)
def test_a_reference_is_replaced_where_it_stands(before: str, name: str, value: str, after: str) -> None:
    """What the variable holds is not looked at again: a value like ``${X}`` stays as it is."""
    found, problems = substitute({"a": [f"{before}${{{name}}}{after}"]}, {name: value})
    assert found == {"a": [before + value + after]}
    assert problems == {}


@given(
    text=plain_text,
    name=names,
    default=st.text(st.characters(blacklist_characters="}", blacklist_categories=["Cs"]), max_size=10),
)
def test_a_default_stands_in_for_what_is_unset_or_empty(text: str, name: str, default: str) -> None:
    for environment in ({}, {name: ""}):
        found, problems = substitute(f"{text}${{{name}:-{default}}}", environment)
        assert (found, problems) == (text + default, {})
    found, _ = substitute(f"{text}${{{name}:-{default}}}", {name: "x"})
    assert found == text + "x"


@given(
    content=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | plain_text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=12,
    )
)
def test_what_holds_no_reference_stays_as_it_is(content: Any) -> None:
    assert substitute(content, {"A": "b"}) == (content, {})


def test_keys_are_not_replaced_and_an_escape_is_one() -> None:
    assert substitute({"${A}": "$${A}"}, {"A": "x"}) == ({"${A}": "${A}"}, {})
    assert substitute("$A costs $5, not $$", {"A": "x"}) == ("$A costs $5, not $$", {})


# ------------------------------------------------------------------------------------------ variables of the desk


def test_every_key_of_the_desk_has_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``DESK_`` and the path in capitals says the same as the file."""
    monkeypatch.chdir(tmp_path)
    content: dict[str, Any] = {}
    environment: dict[str, str] = {}
    for row, value in tried("## The desk"):
        content = placed(content, row.path, value)
        environment["DESK_" + "__".join(row.path).upper()] = str(value)
    content = placed(content, ("notifications", "urls"), ["slack://a", "mailto://b"])
    environment["DESK_NOTIFICATIONS__URLS"] = "slack://a,mailto://b"
    assert len(environment) > 10
    from_file = load_desk(written(tmp_path, "desk.toml", as_toml(content)), {})
    (tmp_path / "empty").mkdir()
    empty = written(tmp_path / "empty", "desk.toml", "")
    from_variables = load_desk(empty, environment)
    located = ("lake", "dagster_home", "books", "logging")
    for name in type(from_file).model_fields:
        if name not in located:
            assert getattr(from_variables, name) == getattr(from_file, name), name
    assert from_variables.lake == str(tmp_path / "some text")
    overridden = load_desk(
        tmp_path / "desk.toml", {"DESK_BROKER__PORT": "4001", "DESK_LOGGING__LEVEL": "debug"}
    )
    assert (overridden.broker.port, overridden.logging.level) == (4001, "debug")


WRONG_VARIABLES = {
    "DESK_BROKER__PORT": ("70000", "must be a whole number at least 1 and at most 65535"),
    "DESK_BROKER__CONNECT_TIMEOUT": ("never", "must be a number above 0 and at most 300"),
    "DESK_LOGGING__LEVEL": ("loud", "must be one of debug, info, warning, error"),
    "DESK_NOTIFICATIONS__THROTTLE_SECONDS": ("-1", "must be a number at least 0"),
    "DESK_DATA__DISAGREEMENT": ("2", "must be a number above 0 and at most 1 (2 % is written 0.02)"),
}


@pytest.mark.parametrize("name", WRONG_VARIABLES)
def test_a_bad_variable_is_named_and_its_value_is_not(tmp_path: Path, name: str) -> None:
    value, allowed = WRONG_VARIABLES[name]
    file = written(tmp_path, "desk.toml", "")
    with pytest.raises(ConfigError) as caught:
        load_desk(file, {name: value})
    line = caught.value.problems[0]
    assert line.startswith(f"environment: {name}: {allowed.split(' (')[0]}")
    assert len(caught.value.problems) == 1


# ------------------------------------------------------------------------------------------ names of books


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("momentum.toml", "momentum"),
        ("My Book.toml", "my-book"),
        ("A.B_c-d.yaml", "a.b_c-d"),
        ("_hidden.yml", "hidden"),
        ("Über Fünf.toml", "ber-f-nf"),
        ("---.toml", "book"),
        ("日本.toml", "book"),
        ("x" * 80 + ".toml", "x" * 64),
    ],
)
def test_a_book_is_named_after_its_file(tmp_path: Path, file: str, name: str) -> None:
    assert default_name(Path(file)) == name
    form = as_toml if file.endswith(".toml") else json.dumps
    path = written(tmp_path, file, form(BOOK))
    book = load_book(path, {}, strategies=False)
    assert book.name == name
    found = find_book(tmp_path, name, {}, strategies=False)
    assert found == book


@given(
    st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=40)
)
def test_any_file_name_gives_a_name_that_a_book_may_have(stem: str) -> None:
    name = default_name(Path(f"{stem}.toml"))
    BookConfig.model_validate({"name": name, **BOOK})


# ------------------------------------------------------------------------------------------ files that are no files


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(content=st.binary(max_size=200), suffix=st.sampled_from([".toml", ".yaml"]))
def test_any_bytes_are_refused_in_lines_that_name_the_file(
    tmp_path: Path, content: bytes, suffix: str
) -> None:
    file = tmp_path / f"any{suffix}"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_book(file, {}, strategies=False)
    assert caught.value.problems
    for line in caught.value.problems:
        assert line.startswith(str(file))
        assert "\n" not in line


BAD_FILES = {
    "folder": (lambda path: path.mkdir(), "cannot be read"),
    "broken link": (lambda path: path.symlink_to(path.parent / "nowhere"), "no such file"),
    "link to itself": (lambda path: path.symlink_to(path), "cannot be read"),
    "empty": (lambda path: path.write_text(""), "start: missing"),
    "byte order mark": (lambda path: path.write_bytes(b"\xef\xbb\xbfx = 1\n"), "x = 1: unknown key"),
    "UTF-16": (lambda path: path.write_text("start = 1", encoding="utf-16"), "not UTF-8 text at byte 0"),
    "nul": (lambda path: path.write_bytes(b"a = \x00"), "malformed TOML"),
    "windows lines": (lambda path: path.write_bytes(b"x = 1\r\n"), "x = 1: unknown key"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_what_is_no_configuration_is_one_line_each(tmp_path: Path, case: str) -> None:
    make, said = BAD_FILES[case]
    file = tmp_path / "a.toml"
    make(file)
    with pytest.raises(ConfigError) as caught:
        load_book(file, {}, strategies=False)
    assert any(said in line for line in caught.value.problems)
    assert all(line.startswith(str(file)) for line in caught.value.problems)


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = written(tmp_path, "a.toml", "start = 2020-01-01\n")
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load_book(file, {}, strategies=False)


def test_required_keys_are_those_of_the_guide() -> None:
    assert set(REQUIRED) == {"folder", "shares"}
