"""Names of option contracts: one form, reached from every other and kept by itself."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.ledger.contracts import split_contract, underlying_of
from trading.option_symbols import OptionTerms, canonical, canonical_column, option_symbol, option_terms

CASES = {
    "AAPL240216C00102500": "AAPL  240216C00102500",
    "AAPL  240216C00102500": "AAPL  240216C00102500",
    "AAPL 240216C00102500": "AAPL  240216C00102500",
    " SPY240216P00400000 ": "SPY   240216P00400000",
    "X240315P00061000": "X     240315P00061000",
    "X1240315P00060000": "X1    240315P00060000",
    "BRK.B240315P00060000": "BRK.B 240315P00060000",
    "GOOGL1240315P00060000": "GOOGL1240315P00060000",
    "SPXW261218C05000000": "SPXW  261218C05000000",
    # No names of this form stay as they are.
    "BTC-27JUN25-100000-C": "BTC-27JUN25-100000-C",
    "AAPL": "AAPL",
    "": "",
    "AAPL240216X00102500": "AAPL240216X00102500",
    "TOOLONGROOT240216C00102500": "TOOLONGROOT240216C00102500",
}


@pytest.mark.parametrize("told", CASES)
def test_every_form_becomes_the_one_of_the_tables(told: str) -> None:
    assert canonical(told) == CASES[told]


def test_a_column_becomes_what_its_names_become() -> None:
    found = pl.DataFrame({"told": list(CASES)}).select(canonical_column(pl.col("told")))["told"]
    assert found.to_list() == list(CASES.values())


def test_the_terms_are_those_of_the_name() -> None:
    assert option_terms("BRK.B240315P00060500") == OptionTerms("BRK.B", date(2024, 3, 15), "P", 60.5)
    assert option_terms("AAPL241315C00102500") is None, "there is no thirteenth month"
    assert option_terms("AAPL") is None


@pytest.mark.parametrize("terms", [("TOOLONG", 100.0), ("AAPL", 100_000.0), ("aapl", 100.0), ("", 100.0)])
def test_what_does_not_fit_is_refused(terms: tuple[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{terms[0]} .*does not fit an OCC symbol"):
        option_symbol(OptionTerms(terms[0], date(2024, 3, 15), "C", terms[1]))


ROOTS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ.", min_size=1, max_size=5).flatmap(
    lambda root: st.sampled_from([root, f"{root}1"])
)
TERMS = st.builds(
    OptionTerms,
    ROOTS,
    st.dates(date(2000, 1, 1), date(2068, 12, 31)),
    st.sampled_from("CP"),
    st.integers(1, 99_999_999).map(lambda thousandths: thousandths / 1000),
)


@given(TERMS, st.integers(0, 5))
def test_names_lead_back_to_their_terms_and_padding_is_no_part_of_them(
    terms: OptionTerms, blanks: int
) -> None:
    name = option_symbol(terms)
    other = terms.root + " " * min(blanks, 6 - len(terms.root)) + name[6:]
    assert (len(name), canonical(name), canonical(other)) == (21, name, name)
    assert option_terms(name) == option_terms(other) == terms


@given(TERMS)
def test_the_ledger_names_adjusted_contracts_in_the_same_form(terms: OptionTerms) -> None:
    name = option_symbol(terms)
    if underlying_of(name) is None:
        return
    for ratio in (1.5, 0.5):
        after = split_contract(name, ratio)
        assert after is not None
        assert canonical(after.symbol) == after.symbol
