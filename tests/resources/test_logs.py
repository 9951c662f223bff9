"""The desk's log goes where the configuration says, in the form it says, and not below its level."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from resources.config.desk import LoggingConfig
from resources.logs import configure


@pytest.fixture(autouse=True)
def _as_before():
    logger = logging.getLogger("desk")
    before = (list(logger.handlers), logger.level, logger.propagate)
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers, logger.propagate = before[0], before[2]
    logger.setLevel(before[1])
    structlog.reset_defaults()


def test_json_lines_of_both_ways_of_logging(tmp_path, capsys):
    file = tmp_path / "logs" / "desk.log"
    configure(LoggingConfig(level="info", format="json", file=str(file)))
    structlog.get_logger("desk.alerts").warning("alert", book="demo", message="stop hit")
    logging.getLogger("desk.broker").info("message %d of %s", 2104, "the farm")
    logging.getLogger("desk.broker").debug("left out")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["event"], line["level"], line["logger"]) for line in lines] == [
        ("alert", "warning", "desk.alerts"),
        ("message 2104 of the farm", "info", "desk.broker"),
    ]
    assert lines[0]["book"] == "demo"
    assert capsys.readouterr().err.count("\n") == 2


def test_the_level_and_the_console_form(capsys):
    configure(LoggingConfig(level="error"))
    structlog.get_logger("desk.alerts").warning("left out")
    structlog.get_logger("desk.alerts").error("halted", book="demo")
    said = capsys.readouterr().err
    assert "left out" not in said
    assert "halted" in said
    assert "\x1b" not in said  # no colours where nobody looks


def test_configuring_again_replaces_and_libraries_are_left_alone(tmp_path):
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    for file in (first, second):
        configure(LoggingConfig(format="json", file=str(file)))
    logging.getLogger("desk").info("once")
    logging.getLogger("other").error("not ours")
    assert not first.exists()
    assert second.read_text().count("\n") == 1
