"""Ctrl-C ends a run wherever it falls: raised, dropped in a destructor, or turned into Dagster's own error."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from typing import Any

import dagster as dg
import pytest

from pipelines.interrupts import interrupts_kept


class Thing:
    """Something with a destructor."""


def dropped_by(error: BaseException) -> None:
    """Raise an error where Python can only print it: in the callback of a weak reference."""

    def callback(_: Any) -> None:
        raise error

    thing = Thing()
    reference = weakref.ref(thing, callback)
    del thing
    gc.collect()
    assert reference() is None


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """What reaches the hook that was there before."""
    seen: list[BaseException] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: seen.append(lost.exc_value))
    return seen


@pytest.mark.parametrize("error", [KeyboardInterrupt(), dg.DagsterExecutionInterruptedError()], ids=repr)
def test_a_dropped_interrupt_comes_again(unraisable: list[BaseException], error: BaseException) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted_by(error)
    assert unraisable == []


def interrupted_by(error: BaseException) -> None:
    """Run something in which an interrupt is dropped, and wait."""
    with interrupts_kept():
        dropped_by(error)
        threading.Event().wait(10)  # nothing ends it early but the signal that is sent again


def test_dagsters_own_interrupt_ends_as_the_one_of_python() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, interrupts_kept():
        raise dg.DagsterExecutionInterruptedError
    assert caught.value.__suppress_context__


def test_an_interrupt_that_is_raised_passes_as_it_is() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts_kept():
        raise KeyboardInterrupt


def test_other_errors_go_where_they_went_before(unraisable: list[BaseException]) -> None:
    lost = ValueError("dropped")
    with interrupts_kept():
        dropped_by(lost)
    assert unraisable == [lost]
    with pytest.raises(ZeroDivisionError), interrupts_kept():
        raise ZeroDivisionError


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), SystemExit()], ids=repr)
def test_the_hook_is_put_back_however_it_ends(error: BaseException) -> None:
    before = sys.unraisablehook
    with interrupts_kept():
        assert sys.unraisablehook is not before
    assert sys.unraisablehook is before
    with pytest.raises(type(error)), interrupts_kept():
        raise error
    assert sys.unraisablehook is before
