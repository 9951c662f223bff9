"""All orders of the gateway: by identity, by client, by bracket and by group."""

from __future__ import annotations

from collections.abc import Iterator

from resources.gateway.orders.ticket import Ticket

FIRST_PERM_ID = 1_100_000_001


class Book:
    """Tickets in the order of their arrival."""

    def __init__(self) -> None:
        self.tickets: dict[int, Ticket] = {}
        self.last_order_id: dict[int, int] = {}
        self._active: dict[int, Ticket] = {}
        self._by_client: dict[tuple[int, int], int] = {}
        self._followers: dict[int, dict[int, Ticket]] = {}
        self._next_perm_id = FIRST_PERM_ID

    def next_perm_id(self) -> int:
        """Take a permanent id."""
        self._next_perm_id += 1
        return self._next_perm_id - 1

    def put(self, ticket: Ticket) -> None:
        """Add a ticket, or one that was read again from the journal."""
        self.tickets[ticket.perm_id] = ticket
        self._active[ticket.perm_id] = ticket
        self._next_perm_id = max(self._next_perm_id, ticket.perm_id + 1)
        if ticket.parent_perm_id and (ticket.order.get("hedgeType") or not ticket.order_id):
            self._followers.setdefault(ticket.parent_perm_id, {})[ticket.perm_id] = ticket
        if ticket.order_id:
            self._by_client[ticket.client_id, ticket.order_id] = ticket.perm_id
            self.use_order_id(ticket.client_id, ticket.order_id)

    def rename(self, ticket: Ticket, client_id: int, order_id: int) -> None:
        """Bind a ticket to a client's order id."""
        ticket.client_id, ticket.order_id = client_id, order_id
        self._by_client[client_id, order_id] = ticket.perm_id

    def forget(self, client_id: int, order_id: int) -> None:
        """Take a client's order id off its ticket, which keeps its permanent id."""
        self._by_client.pop((client_id, order_id), None)

    def use_order_id(self, client_id: int, order_id: int) -> None:
        """Remember that a client has used an order id."""
        self.last_order_id[client_id] = max(self.last_order_id.get(client_id, 0), order_id)

    def find(self, client_id: int, order_id: int) -> Ticket | None:
        """Ticket of a client's order id."""
        perm_id = self._by_client.get((client_id, order_id))
        return None if perm_id is None else self.tickets[perm_id]

    def active(self) -> list[Ticket]:
        """Tickets that are not done; one that is done never comes back."""
        self._active = {number: ticket for number, ticket in self._active.items() if not ticket.done}
        return list(self._active.values())

    def drop(self, ticket: Ticket) -> None:
        """Take out a ticket that was never transmitted; its order id stays used."""
        del self.tickets[ticket.perm_id]
        self._active.pop(ticket.perm_id, None)
        self._followers.get(ticket.parent_perm_id, {}).pop(ticket.perm_id, None)
        self.forget(ticket.client_id, ticket.order_id)

    def family(self, ticket: Ticket) -> Iterator[Ticket]:
        """Bracket of a ticket: its parent and all children of that parent."""
        root = ticket.parent_perm_id or ticket.perm_id
        for other in self.tickets.values():
            if root in {other.perm_id, other.parent_perm_id}:
                yield other

    def followers(self, ticket: Ticket) -> list[Ticket]:
        """Orders whose quantity comes from the fills of another: its hedges and its profit orders."""
        return list(self._followers.get(ticket.perm_id, {}).values())

    def group(self, ticket: Ticket) -> list[Ticket]:
        """Other active tickets of the same one-cancels-all group."""
        name = ticket.work.oca_group
        if name is None:
            return []
        return [other for other in self.active() if other is not ticket and other.work.oca_group == name]
