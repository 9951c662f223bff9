"""What every test may use."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from _pytest.assertion import rewrite
from hypothesis import settings

from tests.dagster_storage import remember

# Examples may take long on a busy machine; what decides a landing draws the same ones every time.
settings.register_profile("desk", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("desk")

ROOT = Path(__file__).resolve().parents[1]
LONGEST = (
    "faults/test_placing_campaign.py",
    "integration/test_page_backfill.py",
    "assets/test_backfill_equals_schedule.py",
    "validation/test_gateway_equals_backfill.py",
    "integration/test_documents.py",
    "validation/test_whole_machinery.py",
    "validation/test_paper_book.py",
    "assets/test_concurrent_walks.py",
    "cli/test_cli_bad_input.py",
    "faults/test_placing_kills.py",
    "faults/test_interrupted_backtest.py",
    "trading/repair/test_repair_scores.py",
    "trading/strategies/test_truncation.py",
    "faults/test_placing_bytes.py",
    "brokers/test_placing_codes.py",
    "faults/test_placing_ticks.py",
)
"""Files that keep a worker busy for longest: they begin first, so that none is left alone in the end.

The campaign, the page, the kills and what is interrupted wait most of their time: they begin at different
times, so that the processor has work all the time.
"""


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Let the workers share the work of rewriting the asserts, which takes longer than all other collecting.

    Each begins with files of its own and keeps what it made, as pytest does where Python may write bytecode;
    the others then read it. Hardly anything that is made here is ever garbage, so that none is looked for.
    """
    worker, count = (os.environ.get(f"PYTEST_XDIST_WORKER{end}") for end in ("", "_COUNT"))
    gc.disable()
    try:
        if worker and count and session.config.args == ["tests"]:
            files = sorted(ROOT.glob("tests/**/test_*.py"))
            for file in files[int(worker.removeprefix("gw")) :: int(count)]:
                with contextlib.suppress(SyntaxError, OSError):  # told when it is collected
                    _keep_rewritten(file, session.config)
        return (yield)
    finally:
        from pipelines.cli.main import SELDOM

        gc.freeze()
        gc.set_threshold(SELDOM)
        gc.enable()


def _keep_rewritten(file: Path, config: pytest.Config) -> None:
    kept = rewrite.get_cache_dir(file) / f"{file.stem}{rewrite.PYC_TAIL}"
    if rewrite._read_pyc(file, kept) is None:
        digest, code = rewrite._rewrite_test(file, config)
        kept.parent.mkdir(exist_ok=True)
        rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, digest, kept)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the order within a file, and of the others, stays."""
    rank = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.fixture(scope="session", autouse=True)
def _quick_storage() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        remember(patch)
        yield


@pytest.fixture(autouse=True)
def _no_storage_of_another_test() -> Iterator[None]:
    """What Dagster loads asks the instance entered last, and one that a test never left may be gone by now."""
    from dagster._core.storage.defs_state.base import set_defs_state_storage

    with set_defs_state_storage(None):
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of third-party test data that is kept beside the checkout, never in it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the third-party test data is not beside this checkout")
    return folder
