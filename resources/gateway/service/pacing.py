"""The limits on requests for historical data that a gateway enforces."""

from __future__ import annotations

from resources.gateway.service.session import HistoryRequest, Session
from resources.gateway.wire.layout.fields import Values

WINDOW = 600.0
MAX_IN_WINDOW = 60
BURST = 2.0
MAX_IN_BURST = 6
IDENTICAL = 15.0
MAX_OPEN = 50
PACING = "Historical data request pacing violation"


def historical_violation(session: Session, values: Values, now: float) -> str | None:
    """Count a request and say which limit it breaks, if any.

    At most 60 requests in ten minutes (bid and ask count twice), fewer than six of the same contract and
    data in two seconds, not the same request twice within 15 seconds, and not more than 50 that are
    kept up to date at one time.

    Parameters
    ----------
    now : float
        Seconds of a clock that does not go back.
    """
    seen = session.history
    while seen and now - seen[0].at > WINDOW:
        seen.popleft()
    identity = "|".join(str(value) for name, value in values.items() if name != "reqId")
    contract = "|".join(str(values[name]) for name in ("conId", "symbol", "exchange", "whatToShow"))
    weight = 2.0 if values["whatToShow"] == "BID_ASK" else 1.0
    used = sum(entry.weight for entry in seen)
    same = any(now - entry.at < IDENTICAL and entry.identity == identity for entry in seen)
    burst = sum(now - entry.at < BURST and entry.contract == contract for entry in seen)
    opened = sum(kind == "history" for kind, _ in session.streams)
    if used + weight > MAX_IN_WINDOW or same or burst + 1 >= MAX_IN_BURST or opened >= MAX_OPEN:
        return PACING
    seen.append(HistoryRequest(now, identity, contract, weight))
    return None
