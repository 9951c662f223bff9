"""Ingest into a real lake: incremental, corrected, refused, repeated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from assets.actions import correct_action
from assets.observations import Observing
from delta import Lake, Provenance, create_lake, history, read
from resources.calendar import session_close, sessions, with_closes
from resources.config import DeskConfig
from resources.ingest import IngestError, fetching, ingest
from resources.providers import base
from resources.providers.fallback import in_order
from resources.providers.sample import Sample
from trading.corporate_actions import standing
from trading.history import newest

FIRST, LAST = date(2020, 1, 2), date(2020, 12, 31)
DAYS = sessions("XNYS", FIRST, LAST)["session"].to_list()
RUN = Provenance("run-1", "market/bars", "1")


def evening(session: date) -> datetime:
    return session_close("XNYS", session) + timedelta(hours=2)


class Source:
    """A provider over frames in memory that remembers what it was asked."""

    name = "memory"
    capabilities = base.Capabilities(("stock",), ("1d",), corporate_actions=True)
    Settings = base.Settings

    def __init__(self, *symbols: str, days: Sequence[date] = DAYS, described: bool = True) -> None:
        self.bars = pl.concat([prices(symbol, days) for symbol in symbols])
        self.actions = base.CORPORATE_ACTIONS.to_frame()
        self.listed = dict.fromkeys(symbols, (days[0], None)) if described else {}
        self.currency = "USD"
        self.errors: dict[str, Exception] = {}
        self.asked: list[base.Request] = []

    def symbols(self) -> list[str]:
        return sorted(self.bars["symbol"].unique())

    def fetch(self, request: base.Request) -> base.Answer:
        self.asked.append(request)
        if request.symbols[0] in self.errors:
            raise self.errors[request.symbols[0]]
        here = pl.col("symbol").is_in(list(request.symbols))
        bars = self.bars.filter(here, pl.col("session").is_between(request.first, request.last))
        if bars.is_empty():
            raise base.NoData(self.name, "no bars", symbol=request.symbols[0])
        return base.Answer(bars, self.actions.filter(here), self._instruments(request.symbols))

    def _instruments(self, symbols: Sequence[str]) -> pl.DataFrame:
        rows = [
            (
                name,
                name,
                "stock",
                "XNYS",
                "XNYS",
                self.currency,
                None,
                None,
                1.0,
                *self.listed[name],
                None,
                self.name,
            )
            for name in symbols
            if name in self.listed
        ]
        return pl.DataFrame(rows, schema=base.INSTRUMENTS, orient="row")

    def change(self, symbol: str, session: date, **values: float) -> None:
        there = (pl.col("symbol") == symbol) & (pl.col("session") == session)
        self.bars = self.bars.with_columns(
            pl.when(there).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)
            for name, value in values.items()
        )


def prices(symbol: str, days: Sequence[date]) -> pl.DataFrame:
    closes = [100 + (i * 7 % 5) / 10 for i in range(len(days))]
    frame = pl.DataFrame(
        {"session": days, "close": closes}, schema_overrides={"session": pl.Date, "close": pl.Float64}
    )
    close = pl.col("close")
    return (
        with_closes(frame, "XNYS")
        .with_columns(
            symbol=pl.lit(symbol), timeframe=pl.lit("1d"), source=pl.lit("memory"),
            open=close, high=close + 1, low=close - 1,
        )
        .with_columns(volume=1000.0 + pl.int_range(pl.len()) % 13)
        .select(base.BARS.names())
    )  # fmt: skip


@pytest.fixture
def lake(tmp_path) -> Lake:
    return create_lake(str(tmp_path / "lake"))


def run(lake, source, last: date, *symbols: str, first=FIRST, now: datetime | None = None, **named):
    request = base.Request(symbols or tuple(source.symbols()), first, last)
    return ingest(lake, source, request, now=now or evening(last), provenance=RUN, **named)


def table(lake, name: str) -> pl.DataFrame:
    return read(lake, name).collect()


def test_everything_is_written_once(lake):
    result = run(lake, Source("A", "B"), DAYS[99])
    assert (result.new, result.corrected, result.unchanged) == (200, 0, 0)
    assert result.problems() == []
    assert table(lake, "bars").height == 200
    assert table(lake, "bars")["known_at"].unique().to_list() == [evening(DAYS[99])]
    assert table(lake, "instruments")["symbol"].sort().to_list() == ["A", "B"]
    assert table(lake, "sessions")["session"].sort().to_list() == DAYS[:100]
    assert [commit.table for commit in result.commits] == ["sessions", "instruments", "bars"]


def test_bars_of_one_ingest_are_one_commit_with_its_provenance(lake):
    result = run(lake, Source("A", "B", "C"), DAYS[99])
    commits = [commit for commit in result.commits if commit.table == "bars"]
    assert [commit.rows for commit in commits] == [300]
    assert history(lake, "bars").filter(version=commits[0].version)["run_id"].to_list() == ["run-1"]


NAMES = ("A", "B", "C", "D", "E")


class Interrupted(Source):
    """A provider during whose answer the program is interrupted."""

    at: str | None = "D"

    def fetch(self, request: base.Request) -> base.Answer:
        if request.symbols[0] == self.at:
            raise KeyboardInterrupt
        return super().fetch(request)


@pytest.fixture
def small_parts(monkeypatch):
    """Parts of two symbols of a hundred sessions."""
    monkeypatch.setattr(fetching, "PART", 150)


def test_very_much_is_written_in_parts_of_whole_symbols(lake, small_parts):
    told: list[str] = []
    result = run(lake, Source(*NAMES), DAYS[99], tell=told.append)
    assert (result.new, result.problems(), told) == (500, [], list(NAMES))
    assert [commit.rows for commit in result.commits if commit.table == "bars"] == [200, 200, 100]


def test_an_interrupted_ingest_keeps_its_parts_and_goes_on_where_it_was(lake, tmp_path, small_parts):
    source = Interrupted(*NAMES)
    source.actions = pl.concat([split(name, DAYS[50], 2.0) for name in NAMES])
    with pytest.raises(KeyboardInterrupt):
        run(lake, source, DAYS[99])
    assert table(lake, "bars")["symbol"].unique().sort().to_list() == ["A", "B"]
    assert table(lake, "corporate_actions")["symbol"].to_list() == ["A", "B"]
    source.at = None
    source.asked.clear()
    result = run(lake, source, DAYS[99], now=evening(DAYS[99]) + timedelta(hours=1))
    spans = {request.symbols[0]: (request.last - request.first).days for request in source.asked}
    assert (result.new, result.unchanged) == (300, 20)
    assert all((spans[name] < 20) == (name in "AB") for name in NAMES)
    whole = create_lake(tmp_path / "whole")
    run(whole, source, DAYS[99])
    for name in ("bars", "corporate_actions", "instruments", "sessions"):
        keys = [column for column in table(lake, name).columns if column != "known_at"]
        assert (
            table(lake, name)
            .select(keys)
            .sort(keys[:4])
            .equals(table(whole, name).select(keys).sort(keys[:4]))
        )


def test_a_part_with_a_bad_symbol_leaves_the_other_parts(lake, small_parts):
    source = Source(*NAMES)
    source.change("B", DAYS[50], close=-1.0)
    source.errors["D"] = base.UnknownSymbol("memory", "not there", symbol="D")
    result = run(lake, source, DAYS[99])
    assert (result.new, list(result.blocked), list(result.failed)) == (300, ["B"], ["D"])
    assert table(lake, "bars")["symbol"].unique().sort().to_list() == ["A", "C", "E"]


def test_repeating_an_ingest_writes_nothing(lake):
    source = Source("A", "B")
    run(lake, source, DAYS[99])
    before = {name: table(lake, name) for name in ("bars", "sessions", "instruments")}
    result = run(lake, source, DAYS[99], now=evening(DAYS[99]) + timedelta(hours=1))
    assert (result.rows, result.commits) == (0, ())
    assert all(table(lake, name).equals(frame) for name, frame in before.items())


def test_the_next_day_asks_for_the_overlap_and_writes_what_is_new(lake):
    source = Source("A", "B")
    run(lake, source, DAYS[99])
    source.asked.clear()
    result = run(lake, source, DAYS[100])
    assert [(request.symbols, request.first, request.last) for request in source.asked] == [
        (("A",), DAYS[90], DAYS[100]),
        (("B",), DAYS[90], DAYS[100]),
    ]
    assert (result.new, result.unchanged) == (2, 20)
    assert table(lake, "sessions")["session"].n_unique() == table(lake, "sessions").height == 101


def test_days_one_by_one_leave_what_one_ingest_leaves(lake, tmp_path):
    source = Source("A")
    for session in DAYS[:15]:
        run(lake, source, session)
    other = create_lake(str(tmp_path / "other"))
    run(other, source, DAYS[14])
    figures = ["symbol", "session", "closes_at", "open", "high", "low", "close", "volume"]
    assert (
        table(lake, "bars")
        .select(figures)
        .sort("session")
        .equals(table(other, "bars").select(figures).sort("session"))
    )
    assert table(lake, "sessions").sort("session").equals(table(other, "sessions").sort("session"))


def test_a_changed_bar_is_a_new_version_and_the_old_one_stays(lake):
    source = Source("A", "B")
    run(lake, source, DAYS[99])
    source.change("A", DAYS[97], close=100.9)
    result = run(lake, source, DAYS[100])
    assert (result.new, result.corrected, result.unchanged) == (2, 1, 19)
    versions = table(lake, "bars").filter(symbol="A", session=DAYS[97]).sort("known_at")
    assert versions.select("close", "known_at").rows() == [
        (100.4, evening(DAYS[99])),
        (100.9, evening(DAYS[100])),
    ]
    for when, close in ((evening(DAYS[99]), 100.4), (evening(DAYS[100]), 100.9)):
        known = newest(table(lake, "bars"), ("symbol", "timeframe", "closes_at"), when)
        assert known.filter(symbol="A", session=DAYS[97])["close"].to_list() == [close]


def test_a_correction_is_written_once(lake):
    source = Source("A")
    run(lake, source, DAYS[99])
    source.change("A", DAYS[97], volume=5.0)
    assert run(lake, source, DAYS[100]).corrected == 1
    assert run(lake, source, DAYS[101]).corrected == 0


def test_a_correction_cannot_be_dated_before_what_it_corrects(lake):
    source = Source("A")
    run(lake, source, DAYS[99], now=evening(DAYS[120]))
    source.change("A", DAYS[99], close=100.7)
    with pytest.raises(IngestError, match=r"would be dated before the row it corrects .*; check the clock"):
        run(lake, source, DAYS[100], now=evening(DAYS[100]))


def test_older_corrections_are_found_when_the_range_is_fetched_again(lake):
    source = Source("A")
    run(lake, source, DAYS[99])
    source.change("A", DAYS[5], close=100.9)
    assert run(lake, source, DAYS[100]).corrected == 0
    assert run(lake, source, DAYS[101], refetch=True).corrected == 1


@pytest.mark.parametrize("described", [True, False])
def test_an_earlier_beginning_is_asked_for_once(lake, described):
    source = Source("A", described=described)
    run(lake, source, DAYS[120], first=DAYS[60])
    source.asked.clear()
    result = run(lake, source, DAYS[121])
    assert [(request.first, request.last) for request in source.asked] == [
        (FIRST, DAYS[60] - timedelta(days=1)),
        (DAYS[111], DAYS[121]),
    ]
    assert result.new == 61
    assert result.warnings.is_empty()
    source.asked.clear()
    assert run(lake, source, DAYS[122]).new == 1
    assert [request.first for request in source.asked] == [DAYS[112]]


def test_a_late_listing_is_not_asked_for_its_past_every_day(lake):
    late = DAYS[60:]
    source = Source("NEW", days=late)
    run(lake, source, DAYS[120])
    source.asked.clear()
    run(lake, source, DAYS[121])
    assert [request.first for request in source.asked] == [DAYS[111]]


def test_a_new_symbol_joins_known_ones(lake):
    source = Source("A", "B")
    run(lake, source, DAYS[99], "A")
    source.asked.clear()
    result = run(lake, source, DAYS[100], "A", "B")
    assert [(request.symbols[0], request.first) for request in source.asked] == [
        ("A", DAYS[90]),
        ("B", FIRST),
    ]
    assert result.new == 1 + 101


def test_a_delisted_symbol_is_not_missed(lake):
    source = Source("A", "GONE")
    source.bars = source.bars.filter((pl.col("symbol") == "A") | (pl.col("session") <= DAYS[50]))
    source.listed["GONE"] = (FIRST, DAYS[50])
    run(lake, source, DAYS[99])
    result = run(lake, source, DAYS[100])
    assert (result.new, result.failed) == (1, {})


def test_a_listing_that_ends_before_its_own_bars_is_not_believed(lake):
    source = Source("A")
    source.listed["A"] = (FIRST, DAYS[50])
    run(lake, source, DAYS[99])
    assert run(lake, source, DAYS[100]).new == 1


def test_a_symbol_nobody_describes_gets_a_plain_instrument(lake):
    run(lake, Source("A", described=False), DAYS[99])
    row = table(lake, "instruments").row(0, named=True)
    assert (row["asset_class"], row["calendar"], row["valid_from"], row["source"]) == (
        "stock",
        "XNYS",
        FIRST,
        "ingest",
    )


# ----------------------------------------------------------------------------------------- open sessions


def test_a_session_that_has_not_closed_is_refused(lake):
    source = Source("A")
    with pytest.raises(IngestError) as caught:
        run(lake, source, DAYS[50], now=session_close("XNYS", DAYS[50]) - timedelta(minutes=1))
    assert (
        "2020-03-16 of XNYS closes at 2020-03-16 20:00 UTC and it is 2020-03-16 19:59; ask up to 2020-03-13"
        in str(caught.value)
    )
    assert source.asked == []
    assert table(lake, "bars").is_empty()


def test_a_half_day_is_closed_at_its_early_close(lake):
    christmas_eve = date(2020, 12, 24)
    result = run(lake, Source("A"), christmas_eve, now=datetime(2020, 12, 24, 18, 0, tzinfo=UTC))
    assert table(lake, "bars")["session"].max() == christmas_eve
    assert result.new == DAYS.index(christmas_eve) + 1


def test_a_weekend_asks_up_to_friday(lake):
    saturday = date(2020, 3, 14)
    run(lake, Source("A"), saturday, now=datetime(2020, 3, 14, 12, tzinfo=UTC))
    assert table(lake, "bars")["session"].max() == date(2020, 3, 13)


def test_a_naive_clock_is_refused(lake):
    with pytest.raises(IngestError, match="no time zone"):
        run(lake, Source("A"), DAYS[9], now=datetime(2020, 12, 31))  # noqa: DTZ001


# -------------------------------------------------------------------------------------------- quarantine


def test_a_bad_bar_blocks_its_symbol_and_no_other(lake):
    source = Source("A", "B")
    source.change("A", DAYS[40], low=-1.0)
    result = run(lake, source, DAYS[99])
    assert result.new == 100
    assert table(lake, "bars")["symbol"].unique().to_list() == ["B"]
    assert "A" not in table(lake, "instruments")["symbol"]
    assert result.withheld == 99
    assert result.problems() == [
        "A: nothing written: bars 2020-03-02 break the rule 'positive price': low -1.0 is not above 0"
    ]
    kept = table(lake, "quarantine").row(0, named=True)
    names = ("target", "provider", "symbol", "session", "rule", "run_id")
    assert [kept[name] for name in names] == ["bars", "memory", "A", DAYS[40], "positive price", "run-1"]
    assert json.loads(kept["row"])["low"] == -1.0


def test_the_same_bad_row_is_kept_once(lake):
    source = Source("A", "B")
    source.change("A", DAYS[40], low=-1.0)
    for last in DAYS[99:102]:
        assert run(lake, source, last).quarantined == 1
    assert table(lake, "quarantine").height == 1


def test_a_repaired_symbol_is_written_whole(lake):
    source = Source("A", "B")
    source.change("A", DAYS[40], low=-1.0)
    run(lake, source, DAYS[99])
    source.change("A", DAYS[40], low=99.0)
    result = run(lake, source, DAYS[100])
    assert result.new == 101 + 1
    assert result.problems() == []


def test_when_nothing_can_be_written_the_error_says_why_and_the_rows_are_kept(lake):
    source = Source("A")
    source.change("A", DAYS[40], high=1.0)
    with pytest.raises(IngestError) as caught:
        run(lake, source, DAYS[99])
    assert "A: nothing written: bars 2020-03-02 break the rule 'low <= open, close <= high'" in str(
        caught.value
    )
    assert table(lake, "quarantine").height == 1
    assert table(lake, "bars").is_empty()


def test_a_jump_against_known_bars_is_flagged_in_the_table(lake):
    source = Source("A")
    source.change("A", DAYS[100], open=130.0, high=131.0, low=129.0, close=130.0)
    run(lake, source, DAYS[99])
    result = run(lake, source, DAYS[100])
    assert result.warnings.select("rule", "session").rows() == [("jump", DAYS[100])]
    assert table(lake, "bars").filter(session=DAYS[100])["flags"].to_list() == [["jump"]]
    assert run(lake, source, DAYS[101]).warnings.filter(pl.col("session") == DAYS[100]).is_empty()


def test_a_change_of_currency_blocks(lake):
    source = Source("A", "B")
    run(lake, source, DAYS[99])
    source.currency = "GBX"
    with pytest.raises(
        IngestError, match=r"A: nothing written: instruments .* 'one currency': prices in GBX, known in USD"
    ):
        run(lake, source, DAYS[100])
    assert table(lake, "bars")["session"].max() == DAYS[99]


# ----------------------------------------------------------------------------------- corporate actions


def split(symbol: str, session: date, value: float) -> pl.DataFrame:
    row = (symbol, session, "split", value, None, None, "USD", "memory")
    return pl.DataFrame([row], schema=base.CORPORATE_ACTIONS, orient="row")


def test_corporate_actions_are_written_once_and_corrected_as_versions(lake):
    source = Source("A")
    source.actions = split("A", DAYS[50], 2.0)
    run(lake, source, DAYS[99])
    run(lake, source, DAYS[100])
    assert table(lake, "corporate_actions")["value"].to_list() == [2.0]
    source.actions = split("A", DAYS[50], 3.0)
    run(lake, source, DAYS[101])
    rows = table(lake, "corporate_actions").sort("known_at")
    assert rows.select("value", "known_at").rows() == [(2.0, evening(DAYS[99])), (3.0, evening(DAYS[101]))]


def test_a_split_that_the_source_does_not_tell_any_more_is_withdrawn_and_told_again_stands(lake):
    source = Source("A", "B")
    source.actions = pl.concat([split("A", DAYS[95], 2.0), split("B", DAYS[95], 3.0)])
    run(lake, source, DAYS[99])
    source.actions = split("B", DAYS[95], 3.0)
    told = run(lake, source, DAYS[100])
    assert told.summary() == (
        "2 new, 0 corrected, 20 unchanged bars, corporate actions corrected: "
        f"A split of {DAYS[95]} (memory does not tell it any more)"
    )
    rows = table(lake, "corporate_actions")
    assert standing(rows)["symbol"].to_list() == ["B"]
    assert standing(rows, evening(DAYS[99]))["symbol"].sort().to_list() == ["A", "B"]
    assert run(lake, source, DAYS[101]).actions.is_empty()
    source.actions = pl.concat([split("A", DAYS[95], 2.0), source.actions])
    run(lake, source, DAYS[102])
    rows = table(lake, "corporate_actions").filter(symbol="A").sort("known_at")
    assert rows.select("withdrawn", "reason").rows() == [
        (False, None),
        (True, "memory does not tell it any more"),
        (False, "memory tells that it was, withdrawn before"),
    ]


def test_a_split_that_moves_is_on_one_day_only(lake):
    source = Source("A")
    source.actions = split("A", DAYS[95], 2.0)
    run(lake, source, DAYS[99])
    source.actions = split("A", DAYS[96], 2.0)
    run(lake, source, DAYS[100])
    assert standing(table(lake, "corporate_actions"))["ex_date"].to_list() == [DAYS[96]]


def test_a_blocked_symbol_keeps_its_actions(lake):
    source = Source("A")
    source.actions = split("A", DAYS[95], 2.0)
    run(lake, source, DAYS[99])
    source.actions = source.actions.clear()
    source.change("A", DAYS[100], close=-1.0)
    with pytest.raises(IngestError, match="A: nothing written"):
        run(lake, source, DAYS[100])
    assert standing(table(lake, "corporate_actions")).height == 1


def test_what_a_person_withdrew_is_not_told_again_by_a_provider(lake):
    source = Source("A")
    source.actions = split("A", DAYS[95], 2.0)
    run(lake, source, DAYS[99])
    desk = Observing(lake, DeskConfig(), evening(DAYS[99]) + timedelta(hours=1), "by hand")
    correct_action(desk, "A", DAYS[95], "split", reason="a rename, no split")
    told = run(lake, source, DAYS[100], refetch=True)
    assert standing(table(lake, "corporate_actions")).is_empty()
    assert told.warnings.select("rule", "reason").rows() == [
        (
            "split told otherwise by a person",
            f"memory tells that it was, withdrawn before; what a person told on {DAYS[99]} stands",
        )
    ]


def test_an_action_that_cannot_be_right_blocks_its_symbol(lake):
    source = Source("A", "B")
    source.actions = split("A", DAYS[50], 0.0)
    result = run(lake, source, DAYS[99])
    assert list(result.blocked) == ["A"]
    assert table(lake, "quarantine").select("target", "rule").rows() == [
        ("corporate_actions", "positive value")
    ]
    assert table(lake, "corporate_actions").is_empty()


def test_a_delisting_learned_later_closes_the_period(lake):
    source = Source("A")
    run(lake, source, DAYS[99])
    source.listed["A"] = (FIRST, DAYS[105])
    run(lake, source, DAYS[100])
    rows = newest(table(lake, "instruments"), ("symbol", "valid_from"))
    assert rows.select("valid_from", "valid_to").rows() == [(FIRST, DAYS[105])]


# ----------------------------------------------------------------------------------- failing providers


def test_a_symbol_that_fails_leaves_the_others(lake):
    source = Source("A", "B", "C")
    source.errors["B"] = base.MalformedAnswer("memory", "line 7 is garbled", symbol="B")
    result = run(lake, source, DAYS[99])
    assert result.new == 200
    assert result.problems() == ["memory: B: line 7 is garbled"]


def test_an_unreachable_provider_is_not_asked_again_and_again(lake):
    source = Source("A", "B", "C", "D")
    source.errors["B"] = base.Unreachable("memory", "no route", symbol="B")
    result = run(lake, source, DAYS[99])
    assert [request.symbols[0] for request in source.asked] == ["A", "B"]
    assert list(result.failed) == ["B", "C", "D"]
    assert result.new == 100


def test_a_refused_key_stops_at_once(lake):
    source = Source("A", "B")
    source.errors["A"] = base.BadKey("memory", "refused", remedy="set MEMORY_KEY")
    with pytest.raises(base.BadKey):
        run(lake, source, DAYS[99])
    assert len(source.asked) == 1


def test_no_answer_at_all_is_an_error_with_what_each_said(lake):
    source = Source("A")
    source.errors["A"] = base.UnknownSymbol("memory", "not known", symbol="A", remedy="ask for B")
    with pytest.raises(IngestError, match="memory: A: not known; ask for B"):
        run(lake, source, DAYS[99])


def test_the_first_provider_stays_and_a_differing_one_is_a_warning(lake):
    source, other = Source("A"), Source("A")
    run(lake, source, DAYS[99])
    other.bars = other.bars.with_columns(source=pl.lit("other"))
    other.change("A", DAYS[95], close=100.9)
    other.change("A", DAYS[96], volume=1.0)
    result = run(lake, other, DAYS[100])
    assert (result.new, result.corrected) == (1, 0)
    assert result.warnings.select("rule", "session").rows() == [("providers disagree", DAYS[95])]
    assert run(lake, other, DAYS[101], refetch=True).corrected == 2


def test_providers_in_order_complete_and_flag_each_other(lake):
    first, second = Source("A"), Source("A")
    second.name = "second"
    second.bars = second.bars.with_columns(source=pl.lit("second"))
    first.bars = first.bars.filter(pl.col("session") != DAYS[50])
    second.change("A", DAYS[49], close=103.0, high=104.0)
    result = run(lake, in_order([first, second], "stock"), DAYS[99], "A")
    rows = table(lake, "bars").sort("session")
    assert rows.height == 100
    assert rows.filter(source="second")["session"].to_list() == [DAYS[50]]
    assert rows.filter(pl.col("flags").list.len() > 0)["session"].to_list() == [DAYS[49]]
    assert result.warnings.select("rule", "session").rows() == [("providers disagree", DAYS[49])]


def test_a_session_that_no_provider_has_is_told(lake):
    source = Source("A")
    source.bars = source.bars.filter(pl.col("session") != DAYS[50])
    result = run(lake, in_order([source], "stock"), DAYS[99], "A")
    found = dict(result.warnings.select("rule", "session").rows())
    assert found == {"missing sessions": DAYS[51], "no provider has the session": DAYS[50]}


# ------------------------------------------------------------------------------------------ real sources


def test_the_sample_comes_in_whole_and_day_by_day(lake):
    source = Sample()
    symbols = tuple(source.symbols())
    first = run(lake, source, date(2013, 2, 27), *symbols, first=date(2000, 1, 1))
    assert first.new == 12154 - 2 * 5
    assert first.problems() == []
    assert set(first.warnings["rule"]) == {"jump"}
    for session in (date(2013, 2, 28), date(2013, 3, 1)):
        assert run(lake, source, session, *symbols, first=date(2000, 1, 1)).new == 5
    assert table(lake, "bars").height == 12154
    assert table(lake, "corporate_actions").height == 96
