"""Processes for tests that kill them, forked from one that has their imports already.

There is one such process for all tests, and what it imports is said once: the last to say so counts.
"""

from __future__ import annotations

import multiprocessing

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["dagster", "pydantic", "sqlalchemy", "typer", "resources.brokers.session", "tests.brokers.world"]
)
"""A fork loses threads: those that these start belong to the allocator of polars, and only tidy up."""
