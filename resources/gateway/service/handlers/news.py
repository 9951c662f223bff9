"""Requests for news: the gateway has none, and says so as a gateway without news subscriptions does."""

from __future__ import annotations

from resources.gateway.service.handlers.registry import handles
from resources.gateway.service.hub import Hub
from resources.gateway.service.session import Session
from resources.gateway.wire.layout.fields import Values


@handles("reqNewsProviders")
def providers(hub: Hub, session: Session, values: Values) -> None:
    """Tell the news providers: none."""
    del hub, values
    session.send("newsProviders", providers=[])


@handles("reqHistoricalNews")
def historical(hub: Hub, session: Session, values: Values) -> None:
    """Tell past headlines: none."""
    del hub
    session.send("historicalNewsEnd", reqId=values["reqId"], hasMore=False)


@handles("reqNewsArticle")
def article(hub: Hub, session: Session, values: Values) -> None:
    """Refuse an article: there is none."""
    del hub
    session.error(values["reqId"], 10172, "Failed to request news article: not available")


@handles("reqNewsBulletins", "cancelNewsBulletins")
def bulletins(hub: Hub, session: Session, values: Values) -> None:
    """Listen to bulletins, which come through the control channel."""
    del hub
    session.streams.pop(("bulletins", 0), None)
    if "allMessages" in values:
        session.streams["bulletins", 0] = {}
