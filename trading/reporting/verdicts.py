"""Gates' verdicts of an order row, and a sentence for each that stood in the way."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

_SHARES = ("daily_loss", "size", "portfolio_exposure", "sector_exposure")
_SENTENCES = {
    "daily_loss": "daily loss {figure} has reached the limit {limit}",
    "size": "size {figure} of equity is under {limit}",
    "max_positions": "would make {figure} positions, {limit} allowed",
    "portfolio_exposure": "exposure {figure} would exceed {limit}",
    "sector_exposure": "sector exposure {figure} would exceed {limit}",
    "correlation": "{figure} correlated positions already, limit {limit}",
    "second_position": "already held",
    "cash": "cash would fall to {figure}",
    "price": "no price",
    "candidate_list": "not on the candidate list of {limit}",
}


@dataclass(frozen=True)
class Gate:
    """Verdict of one gate, as the ``gates`` column keeps it."""

    gate: str
    passed: bool
    figure: float | None = None
    limit: float | None = None
    note: str = ""


def read_gates(gates: str | None) -> tuple[Gate, ...]:
    """Read a ``gates`` column; what is not a JSON list of verdicts reads as none."""
    try:
        listed = json.loads(gates or "[]")
    except ValueError:
        return ()
    return tuple(
        Gate(
            str(v["gate"]),
            v.get("passed") is True,
            _number(v.get("figure")),
            _number(v.get("limit")),
            _text(v),
        )
        for v in (listed if isinstance(listed, list) else [])
        if isinstance(v, dict) and "gate" in v
    )


def refusal(gates: str | None) -> str:
    """Why an order was rejected: one phrase a failed gate; empty when none failed."""
    return "; ".join(phrase(gate) for gate in read_gates(gates) if not gate.passed)


def phrase(gate: Gate) -> str:
    """Return a gate's verdict in words, with its figures."""
    sentence = _SENTENCES.get(gate.gate, gate.gate.replace("_", " ") + " {figure}, limit {limit}")
    said = sentence.format(figure=_shown(gate.gate, gate.figure), limit=_shown(gate.gate, gate.limit))
    return f"{said} ({gate.note})" if gate.note else said


def _shown(gate: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value * 100:.1f} %" if gate in _SHARES else f"{value:,.6g}"


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _text(verdict: dict[str, object]) -> str:
    return str(verdict.get("note") or "")
