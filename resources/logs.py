"""The desk's log: what its own loggers say, on standard error and in a file, as lines or as JSON.

Both ways of logging in use end here: ``structlog`` and the standard library under the name ``desk``.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import structlog
from structlog.typing import Processor

from resources.config.desk import LoggingConfig

ROOT = "desk"
"""Every logger of the desk is below this name; those of libraries are left alone."""

_SHARED: tuple[Processor, ...] = (
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.PositionalArgumentsFormatter(),
)


def configure(config: LoggingConfig) -> None:
    """Send the desk's log where the configuration says; calling it again replaces what was set.

    Raises
    ------
    OSError
        When the log file cannot be opened.
    """
    logger = logging.getLogger(ROOT)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.addHandler(_handler(logging.StreamHandler(sys.stderr), config.format, colour=sys.stderr.isatty()))
    if config.file:
        Path(config.file).parent.mkdir(parents=True, exist_ok=True)
        to_file = logging.FileHandler(config.file, encoding="utf-8", delay=True)
        logger.addHandler(_handler(to_file, config.format, colour=False))
    logger.setLevel(config.level.upper())
    logger.propagate = False
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _handler(handler: logging.Handler, form: str, *, colour: bool) -> logging.Handler:
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=colour)
    )
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    return handler
