"""The rows of a board, the legend of its chart and the lines of its latest week, each of which it has dozens.

They are markup and would be templates, if each of those did not take ten times as long.
"""

from collections.abc import Sequence
from html import escape

from django import template
from django.utils.safestring import SafeString, mark_safe

from competition.pages.addresses import address
from competition.pages.charts import Chart, Line
from competition.pages.latest import EntryDeed
from competition.pages.names import EntryName
from competition.pages.table import BoardRow
from competition.templatetags.drawings import allocation_bar, sparkline
from competition.templatetags.labels import SIMULATED, labels, mark

register = template.Library()

_LEGEND = """\
<li data-slug="{slug}">
<svg class="swatch" viewBox="0 0 24 8" aria-hidden="true">
<path class="line-{line.tone} hue-{line.hue}" d="M0 4H24" />
</svg>
<span>{who}</span>
<output>{line.last}</output>
</li>
"""
_DEED = """\
<li>
<div>{who}</div>
{mark}
<p>{did}.{quote}</p>
</li>
"""


@register.simple_tag
def standings(rows: Sequence[BoardRow], season: str) -> SafeString:
    """Entries as rows of the leaderboard of a season."""
    drawn = "".join([_standing(row, season) for row in rows])
    return mark_safe(drawn)  # noqa: S308  # names and reasons are escaped, and all else is figures


def _standing(row: BoardRow, season: str) -> str:
    why = f'<span class="why">{escape(row.unranked)}</span>\n' if row.unranked else ""
    return f"""\
<tr>
<td class="col-rank">{row.rank}</td>
<th scope="row" class="col-entry">
<a href="{address("entry", season, row.entry.slug)}">{escape(row.entry.name)}</a>
{labels(row.entry)}
{why}</th>
<td class="num wide">{row.value}</td>
<td class="num sign-{row.net_return.sign}">{row.net_return.text}</td>
<td class="num sign-{row.excess.sign}">{row.excess.text}</td>
<td class="num wide">{row.drawdown}</td>
<td class="num wide">{row.turnover}</td>
<td class="num wide">{row.fees}</td>
<td class="num wide">{row.ai_cost}</td>
<td class="num">{row.coverage}</td>
<td class="wide">{allocation_bar(row.bar)}</td>
<td>{sparkline(row.spark)}</td>
</tr>
"""


@register.simple_tag
def curves(chart: Chart) -> SafeString:
    """The lines of a chart as its still picture has them."""
    return mark_safe(  # noqa: S308  # numbers, and tones are ours
        "".join([f'<path class="line-{line.tone} hue-{line.hue}" d="{line.path}" />\n' for line in chart.lines])
    )


@register.simple_tag
def legend(chart: Chart, season: str = "") -> SafeString:
    """What the lines of a chart are; those of entries of a season lead to them."""
    told = [_LEGEND.format(line=line, slug=escape(line.slug), who=_of_line(line, season)) for line in chart.lines]
    return mark_safe("".join(told))  # noqa: S308  # names are escaped, and all else is ours


def _of_line(line: Line, season: str) -> str:
    return escape(line.name) if line.entry is None else linked(line.entry, address("entry", season, line.slug))


@register.simple_tag
def deeds(lines: Sequence[EntryDeed], season: str, week: int) -> SafeString:
    """What entries did in a week of a season, each leading to its turn."""
    told = [
        _DEED.format(
            who=linked(line.entry, address("turn", season, week, line.entry.slug), ' class="deed-who"'),
            mark=mark(line.deed.mark),
            did=escape(line.deed.did),
            quote=f" <q>{escape(line.deed.quote)}</q>" if line.deed.quote else "",
        )
        for line in lines
    ]
    return mark_safe("".join(told))  # noqa: S308  # words of entries and of ours are escaped


def linked(entry: EntryName, href: str, attributes: str = "") -> str:
    """The name of an entry leading to `href`, with its label if it is simulated."""
    label = f" {SIMULATED}" if entry.is_simulated else ""
    return f'<a{attributes} href="{href}">{escape(entry.name)}</a>{label}'
