"""Documents as Markdown, for the metadata of a run."""

from __future__ import annotations

import re

from trading.reporting.document import Block, Cell, Document, Facts, Notes, Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~$&])")


def render_markdown(document: Document) -> str:
    """Show a document as Markdown with tables; every text is escaped, curves are left out.

    Losses and gains keep their signs, so nothing depends on colour.
    """
    parts = [f"# {escaped(document.title)}", escaped(document.subtitle)]
    for section in document.sections:
        shown = [text for block in section.blocks if (text := _block(block))]
        if shown:
            parts += [f"## {escaped(section.title)}", *shown]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, also at the start of a line."""
    shown = _SPECIAL.sub(r"\\\1", text)
    return re.sub(r"^(\s*)([-+]|\d+[.)])(?=\s|$)", r"\1\\\2", shown)


def _block(block: Block) -> str:
    if isinstance(block, Facts):
        rows = [f"| {escaped(name)} | {_shown(cell)} |" for name, cell in block.items]
        return "\n".join(["| | |", "|---|---:|", *rows]) if rows else ""
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Notes):
        return "\n".join(f"- {_shown(line)}" for line in block.lines) or f"*{escaped(block.empty)}*"
    return ""


def _table(table: Table) -> str:
    if not table.rows:
        return f"*{escaped(table.empty)}*"
    heads = " | ".join(escaped(column.title) for column in table.columns)
    rules = "|".join("---:" if column.align == "right" else "---" for column in table.columns)
    rows = ("| " + " | ".join(_shown(cell) for cell in row) + " |" for row in table.rows)
    return "\n".join([f"| {heads} |", f"|{rules}|", *rows])


def _shown(cell: Cell) -> str:
    text = escaped(cell.text)
    return f"**{text}**" if cell.tone in ("bad", "warn") and text else text
