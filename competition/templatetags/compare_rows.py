"""Whom to compare and what they decided, drawn as the rows of a board are."""

from collections.abc import Sequence
from html import escape

from django import template
from django.utils.safestring import SafeString, mark_safe

from competition.pages.addresses import address
from competition.pages.compare import Deeds
from competition.pages.names import EntryName
from competition.pages.words import Mark
from competition.templatetags.labels import SIMULATED, mark

register = template.Library()

_CHOICE = """\
<li>
<label>
<input type="checkbox" name="e" value="{slug}"{checked}>
{name} <span class="kind">{kind}</span>{label}
</label>
</li>
"""


@register.simple_tag
def entry_choices(everybody: Sequence[tuple[EntryName, bool]]) -> SafeString:
    """Everybody with a box to tick; those that are chosen are ticked."""
    drawn = [
        _CHOICE.format(
            slug=escape(entry.slug),
            checked=" checked" if is_chosen else "",
            name=escape(entry.name),
            kind=entry.kind,
            label=f" {SIMULATED}" if entry.is_simulated else "",
        )
        for entry, is_chosen in everybody
    ]
    return mark_safe("".join(drawn))  # noqa: S308  # names and slugs are escaped, and kinds are ours


@register.simple_tag
def week_rows(weeks: Sequence[Deeds], season: str) -> SafeString:
    """What each decided, week by week."""
    drawn = []
    for row in weeks:
        same = "" if row.differ else ' <span class="note">the same</span>'
        week = f'<a href="{address("cycle", season, row.week)}">{row.week}</a>{same}'
        drawn.append(f'<tr>\n<th scope="row">{week}</th>\n{"".join(map(_cell, row.cells))}\n</tr>\n')
    return mark_safe("".join(drawn))  # noqa: S308  # what is not ours is escaped in each cell


def _cell(decided: tuple[Mark, str] | None) -> str:
    if decided is None:
        return '<td class="wrap">–</td>'
    return f'<td class="wrap">{mark(decided[0])} <span class="note">{escape(decided[1])}</span></td>'
