"""Documents as self-contained HTML pages: one file, no script, nothing fetched, light and dark."""

from __future__ import annotations

from html import escape
from importlib import resources

from trading.reporting.document import Block, Cell, Curve, Document, Facts, Notes, Section, Table
from trading.reporting.svg import curve_svg


def render_html(document: Document) -> str:
    """Show a document as a page.

    Every text is escaped. The page follows the reader's choice of light or dark, prints in black on
    white, and scrolls wide tables sideways on a narrow screen.
    """
    title, subtitle = escape(document.title), escape(document.subtitle)
    body = "\n".join(_section(section) for section in document.sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n<main>\n"
        f"<header>\n<h1>{title}</h1>\n<p>{subtitle}</p>\n</header>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _style() -> str:
    return resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")


def _section(section: Section) -> str:
    shown = "\n".join(_block(block) for block in section.blocks)
    return f"<section>\n<h2>{escape(section.title)}</h2>\n{shown}\n</section>"


def _block(block: Block) -> str:
    if isinstance(block, Facts):
        return _facts(block)
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Notes):
        return _notes(block)
    return _curve(block)


def _facts(facts: Facts) -> str:
    items = "\n".join(
        f"<div><dt>{escape(name)}</dt><dd{_class(cell)}>{escape(cell.text)}</dd></div>"
        for name, cell in facts.items
    )
    return f'<dl class="facts">\n{items}\n</dl>'


def _notes(notes: Notes) -> str:
    if not notes.lines:
        return f'<p class="dim">{escape(notes.empty)}</p>'
    lines = "\n".join(f"<li{_class(line)}>{escape(line.text)}</li>" for line in notes.lines)
    return f'<ul class="notes">\n{lines}\n</ul>'


def _table(table: Table) -> str:
    if not table.rows:
        return f'<p class="dim">{escape(table.empty)}</p>'
    heads = "".join(
        f'<th scope="col" class="{column.align}">{escape(column.title)}</th>' for column in table.columns
    )
    rows = "\n".join(
        "<tr>"
        + "".join(_cell(cell, column.align) for cell, column in zip(row, table.columns, strict=True))
        + "</tr>"
        for row in table.rows
    )
    head = f"<thead><tr>{heads}</tr></thead>"
    return f'<div class="scroll"><table>\n{head}\n<tbody>\n{rows}\n</tbody>\n</table></div>'


def _cell(cell: Cell, align: str) -> str:
    style = ""
    if cell.heat is not None:
        colour = "good" if cell.heat > 0 else "bad"
        strength = round(abs(cell.heat) * 45)
        style = f' style="background:color-mix(in srgb, var(--{colour}) {strength}%, transparent)"'
    return f'<td class="{align} {cell.tone}"{style}>{escape(cell.text)}</td>'


def _class(cell: Cell) -> str:
    return "" if cell.tone == "plain" else f' class="{cell.tone}"'


def _curve(curve: Curve) -> str:
    picture = curve_svg(curve)
    if not picture:
        return '<p class="dim">no equity curve yet: fewer than two sessions</p>'
    if not curve.benchmark:
        return f"<figure>{picture}</figure>"
    name = escape(curve.benchmark_name)
    legend = f'<span class="key-equity">equity</span> <span class="key-benchmark">{name}</span>'
    return f"<figure>{picture}<figcaption>{legend}</figcaption></figure>"
