"""The picture of a board that is shown where somebody shares a link to it: SVG from a template, drawn to PNG.

It has a font of its own, so that it looks the same on every machine, and reads nothing from anywhere else.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from font_source_serif_pro import (  # type: ignore[import-untyped]  # it has no annotations
    SourceSerifPro,
    SourceSerifProBold,
    SourceSerifProSemibold,
)

from competition.models import Season
from competition.pages.board import standings_of
from competition.pages.curves import Curves, read_curves
from competition.pages.figures import NOTHING, Figure, signed_percent
from competition.pages.frame import SeasonHead, head_of
from competition.pages.lead import lead_of
from competition.pages.names import contestants_of, names_by_slug
from competition.pages.pictures import drawable, polyline
from competition.pages.progress import Progress

ROWS, FIRST_ROW_Y, ROW_HEIGHT = 5, 276, 54
CHART_WIDTH, CHART_HEIGHT = 500, 270
HEADLINE_LENGTH, HEADLINE_LINES = 50, 2
NAME_LENGTH = 24
FONT = "Source Serif Pro"
FONT_FILES = [SourceSerifPro, SourceSerifProSemibold, SourceSerifProBold]


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One of the first on the board, `y` from the top; `points` is its curve, `hue` numbers the colour of it."""

    y: int
    rank: str
    name: str
    net_return: Figure
    points: str
    hue: int


@dataclass(frozen=True, slots=True)
class SharedPicture:
    season: SeasonHead
    week: int
    headline: tuple[str, ...]
    rows: tuple[PictureRow, ...]
    benchmark: str
    benchmark_name: str


def shared_picture(season: Season, progress: Progress) -> SharedPicture:
    """What the picture shows: who leads in words, the first with their curves, and the benchmark's: 3 queries."""
    rules, entries = season.rule_book, contestants_of(season)
    names = names_by_slug(entries)
    board = standings_of(progress.closed, entries, rules)
    portfolios = {entry.slug: entry.portfolio_id for entry in entries}
    shown = [row.entry for row in board[:ROWS]]
    drawn = [portfolios[slug] for slug in dict.fromkeys([*shown, rules.benchmark]) if slug in portfolios]
    points = _points(read_curves(drawn, progress.week, rules.capital), drawn)
    rows = tuple(
        PictureRow(
            y=FIRST_ROW_Y + index * ROW_HEIGHT,
            rank=NOTHING if row.rank is None else str(row.rank),
            name=textwrap.shorten(names[row.entry].name, NAME_LENGTH, placeholder="…"),
            net_return=signed_percent(row.net_return),
            points=points[portfolios[row.entry]],
            hue=index + 1,
        )
        for index, row in enumerate(board[:ROWS])
    )
    headline = f"{lead_of(board, names, rules, progress.week, (), is_over=not head_of(season).is_open).headline}."
    lines = textwrap.wrap(headline, HEADLINE_LENGTH, max_lines=HEADLINE_LINES, placeholder="…")
    benchmark = points.get(portfolios.get(rules.benchmark, 0), "")
    name = names[rules.benchmark].name if rules.benchmark in names else ""
    return SharedPicture(head_of(season), progress.week, tuple(lines), rows, benchmark, name)


def _points(curves: Curves, drawn: Sequence[int]) -> dict[int, str]:
    lines = {key: drawable(curves.of(key)) for key in drawn}
    known = [value for line in lines.values() for value in line if value is not None]
    if not known:
        return dict.fromkeys(drawn, "")
    low, high = min(known), max(known)
    return {key: polyline(line, CHART_WIDTH, CHART_HEIGHT, low, high) for key, line in lines.items()}


def png_of(svg: str) -> bytes:
    """A drawing as PNG, with our font and no other."""
    from resvg_py import svg_to_bytes  # here, because only this page needs it

    drawn: bytes = svg_to_bytes(svg_string=svg, skip_system_fonts=True, font_files=FONT_FILES, serif_family=FONT)
    return drawn
