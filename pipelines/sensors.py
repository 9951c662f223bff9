"""Sensors: newly approved orders are placed, and book files become partitions.

A sensor only compares tables and asks for runs; that an order reaches the broker once is the business of
the order job and its ledger, not of run keys.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import takewhile

import dagster as dg

from delta import Lake, pin
from delta.contracts import OrderEvents, Orders, Portfolio
from pipelines.partitions import BACKTEST_BOOKS, DESKS, desk_of
from pipelines.placing import place_orders
from resources.brokers.needs import places_at_broker, placing_needed
from resources.brokers.paper import waiting_orders
from resources.desk import DeskResource
from trading.book import BookConfig

BOOK, DECIDED = "desk/book", "desk/decided_versions"
"""Tags of a run of the order job."""
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 1800.0
"""Seconds between a failed try to place orders and the next one: doubled after each."""


@dg.sensor(
    job=place_orders,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Watches the table of orders: approved orders that wait are placed.",
)
def approved_orders(
    context: dg.SensorEvaluationContext, desk: DeskResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for the order job of every book with waiting orders, and again, later and later, when it fails."""
    lake = desk.lake()
    versions = pin(lake, [Orders, OrderEvents, Portfolio]).versions
    # A session without an order leaves the orders as they were, but is a reason to look at the broker anew.
    decided = f"{versions['orders']}-{versions['portfolio']}"
    seen = f"{versions['orders']}/{versions['order_events']}"
    books = list(desk.books().values())
    if context.cursor == seen and not any(places_at_broker(book) for book in books):
        yield dg.SkipReason("nothing new has been approved")
        return
    waiting = [book.name for book in books if needs_placing(lake, book, desk.now())]
    if not waiting:
        yield dg.SkipReason("no approved order is waiting")
        context.update_cursor(seen)
        return
    asked: list[dg.RunRequest] = []
    held: list[str] = []
    for book in waiting:
        tried = place_runs(context.instance, book, decided)
        wait = wait_before_try(tried, time.time())
        if wait is None:
            held.append(f"orders of {book} are being placed")
        elif wait > 0:
            held.append(f"orders of {book}: not placed after {len(tried)} runs, the next in {wait:.0f} s")
        else:
            asked.append(place_request(book, decided, len(tried)))
    if not asked:
        yield dg.SkipReason("; ".join(held))
    yield from asked


def place_request(book: str, decided: str, tries: int) -> dg.RunRequest:
    """Run of the order job for what a book has decided in versions of its orders and its portfolio."""
    return dg.RunRequest(
        run_key=f"{book}|{decided}|{tries}",
        run_config={"ops": {"place_approved_orders": {"config": {"book": book}}}},
        tags={BOOK: book, DECIDED: decided},
    )


def place_runs(instance: dg.DagsterInstance, book: str, decided: str) -> list[dg.RunRecord]:
    """Runs that were asked for to place what a book has decided in these versions, newest first."""
    tags = {BOOK: book, DECIDED: decided}
    return list(instance.get_run_records(dg.RunsFilter(job_name=place_orders.name, tags=tags)))


def wait_before_try(tried: Sequence[dg.RunRecord], now: float) -> float | None:
    """Seconds until waiting orders are tried again; None while a run is at it.

    Parameters
    ----------
    tried : sequence of RunRecord
        Runs so far, newest first. After each failure in a row the pause doubles, from half a minute to
        half an hour.
    now : float
        Seconds since the epoch.
    """
    if not tried:
        return 0.0
    if not tried[0].dagster_run.is_finished:
        return None
    failed = sum(1 for _ in takewhile(lambda run: not run.dagster_run.is_success, tried))
    pause = min(FIRST_PAUSE * 2 ** max(failed - 1, 0), LONGEST_PAUSE)
    left: float = (tried[0].end_time or now) + pause - now
    return max(0.0, left)


def needs_placing(lake: Lake, book: BookConfig, now: datetime) -> bool:
    """Whether a book's orders need the job: new ones wait, some are in doubt, or a session has closed."""
    if places_at_broker(book):
        return bool(placing_needed(lake, book, now))
    return book.mode == "paper" and not waiting_orders(lake, book.name).is_empty()


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Keeps the partitions of books in step with the book files.",
)
def book_files(context: dg.SensorEvaluationContext, desk: DeskResource) -> dg.SensorResult | dg.SkipReason:
    """Add a partition for every book: all of them for backtests, paper and live ones for the schedule."""
    books = desk.books()
    requests = []
    wanted = {family.prefix: (family.books, list[str]()) for family in DESKS}
    for name, book in books.items():
        if book.mode != "backtest":
            wanted[desk_of(book.calendar).prefix][1].append(name)
    for partitions, names in ((BACKTEST_BOOKS, list(books)), *wanted.values()):
        known = set(context.instance.get_dynamic_partitions(str(partitions.name)))
        new = sorted(set(names) - known)
        if new:
            requests.append(partitions.build_add_request(new))
    if not requests:
        return dg.SkipReason("every book has its partitions")
    return dg.SensorResult(dynamic_partitions_requests=requests)


SENSORS = (approved_orders, book_files)
