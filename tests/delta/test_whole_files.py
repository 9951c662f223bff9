"""Files appear whole or not at all: under an interrupt, on a full disk, through a link."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from delta.whole_files import whole_file, write_text
from tests.full_disk import no_room_beyond


def test_an_interrupt_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "settings.yaml"
    write_text(target, "before\n")
    with pytest.raises(KeyboardInterrupt), whole_file(target) as draft:  # noqa: PT012 - it comes in between
        draft.write_text("half", encoding="utf-8")
        assert target.read_text(encoding="utf-8") == "before\n"
        raise KeyboardInterrupt
    assert [(file.name, file.read_text(encoding="utf-8")) for file in tmp_path.iterdir()] == [
        ("settings.yaml", "before\n")
    ]


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    with no_room_beyond(4), pytest.raises(OSError, match="File too large"):
        write_text(tmp_path / "new" / "settings.yaml", "longer than there is room for\n")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("target")
    for text in ("first\n", "second\n"):
        write_text(link, text)
        assert link.is_symlink()
        assert (tmp_path / "target").read_text(encoding="utf-8") == text


def test_a_pipe_is_written_to_as_it_is() -> None:
    code = (
        "from pathlib import Path; from delta.whole_files import write_text as w; w(Path('/dev/stdout'), 'é')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30)
    assert done.stdout == "é".encode()
