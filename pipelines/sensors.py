"""Sensors: newly approved orders are placed, and book files become partitions.

A sensor only compares tables and asks for runs; that an order reaches the broker once is the business of
the order job and its ledger, not of run keys.
"""

from collections.abc import Iterator

import dagster as dg

from delta import pin
from delta.contracts import OrderEvents, Orders
from pipelines.jobs import place_orders
from pipelines.partitions import BACKTEST_BOOKS, SCHEDULED_BOOKS
from resources.brokers.paper import waiting_orders
from resources.desk import DeskResource


@dg.sensor(
    job=place_orders,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Watches the table of orders: approved orders that wait are placed.",
)
def approved_orders(
    context: dg.SensorEvaluationContext, desk: DeskResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for the order job of every book with waiting orders, once for a version of the tables."""
    lake = desk.lake()
    versions = pin(lake, [Orders, OrderEvents]).versions
    seen = f"{versions['orders']}/{versions['order_events']}"
    if context.cursor == seen:
        yield dg.SkipReason("nothing new has been approved")
        return
    asked = False
    for book in desk.books().values():
        if book.mode == "paper" and not waiting_orders(lake, book.name).is_empty():
            asked = True
            yield dg.RunRequest(
                run_key=f"{book.name}|{versions['orders']}",
                run_config={"ops": {"place_approved_orders": {"config": {"book": book.name}}}},
                tags={"desk/book": book.name},
            )
    if not asked:
        yield dg.SkipReason("no approved order is waiting")
    context.update_cursor(seen)


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Keeps the partitions of books in step with the book files.",
)
def book_files(context: dg.SensorEvaluationContext, desk: DeskResource) -> dg.SensorResult:
    """Add a partition for every book: all of them for backtests, paper and live ones for the schedule."""
    books = desk.books()
    requests = []
    for partitions, names in (
        (BACKTEST_BOOKS, sorted(books)),
        (SCHEDULED_BOOKS, sorted(name for name, book in books.items() if book.mode != "backtest")),
    ):
        known = set(context.instance.get_dynamic_partitions(str(partitions.name)))
        new = [name for name in names if name not in known]
        if new:
            requests.append(partitions.build_add_request(new))
    return dg.SensorResult(dynamic_partitions_requests=requests)


SENSORS = (approved_orders, book_files)
