"""The job that places a book's approved orders."""

import dagster as dg
from pydantic import Field

from assets.stage import CODE_VERSION
from resources.brokers.needs import places_at_broker
from resources.brokers.paper import place
from resources.desk import DeskResource


class PlaceOrders(dg.Config):
    """Which book's approved orders to place."""

    book: str = Field(description="Name of a paper or live book.")


@dg.op(pool="orders")
def place_approved_orders(context: dg.OpExecutionContext, config: PlaceOrders, desk: DeskResource) -> None:
    """Bring a book's orders in step with its broker; doing it again sends nothing new.

    A paper book without a gateway has its orders acknowledged here and filled by the next session's bar.
    """
    book = desk.book(config.book)
    if book.mode == "backtest":
        raise dg.Failure(f"book {book.name} has mode backtest: it has no broker", allow_retries=False)
    if book.mode == "paper" and not places_at_broker(book):
        events = place(
            desk.lake(), book.name, now=desk.now(), run_id=context.run_id, code_version=CODE_VERSION
        )
        placed = events.filter(events["state"] == "ACKED").height
        context.log.info(f"{placed} orders placed, {events.height - placed} expired")
        context.add_output_metadata({"placed": placed, "expired": events.height - placed})
        return
    from resources.brokers.session import place_book  # noqa: PLC0415 - the client of the gateway is slow to import

    outcome = place_book(
        desk.lake(), desk.config(), book, now=desk.now(), run_id=context.run_id, code_version=CODE_VERSION
    )
    for reason in outcome.waiting:
        context.log.warning(f"orders wait: {reason}")
    if outcome.frozen:
        context.log.error(f"book {book.name} is frozen: {outcome.frozen}")
    states = list(outcome.states.values())
    context.add_output_metadata(
        {
            "placed": outcome.sent,
            "executions": outcome.executions,
            "settled": outcome.settled,
            "frozen": outcome.frozen,
            **{f"orders {state.lower()}": states.count(state) for state in sorted(set(states))},
        }
    )


@dg.job(executor_def=dg.in_process_executor)
def place_orders() -> None:
    """Place the approved orders of one book."""
    place_approved_orders()
