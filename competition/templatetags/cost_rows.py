"""The lines of a season's costs and of what is left to spend, drawn as the rows of a board are."""

from collections.abc import Sequence
from html import escape

from django import template
from django.utils.safestring import SafeString, mark_safe

from competition.pages.addresses import address
from competition.pages.costs import BudgetLine
from competition.pages.spend_tables import SpendLine
from competition.templatetags.labels import SIMULATED, labels

register = template.Library()


@register.simple_tag
def spend_rows(lines: Sequence[SpendLine]) -> SafeString:
    """What was spent on each of them."""
    return mark_safe("".join([spend_row(line) for line in lines]))  # noqa: S308  # each is escaped


@register.simple_tag
def spend_row(line: SpendLine) -> SafeString:
    """What was spent on one of them, or on all."""
    name = f'<a href="{line.href}">{escape(line.name)}</a>' if line.href else escape(line.name)
    label = labels(line.entry) if line.entry else SIMULATED if line.is_simulated else ""
    drawn = f"""\
<tr>
<th scope="row">{name}
{label}</th>
<td class="num">{line.usd}</td>
<td class="num">{line.calls}</td>
<td class="num">{line.failed}</td>
<td class="num">{line.prompt}</td>
<td class="num">{line.cached}</td>
<td class="num">{line.completion}</td>
<td class="num">{line.reasoning}</td>
<td class="num">{line.tokens}</td>
<td class="num">{line.worst}</td>
</tr>
"""
    return mark_safe(drawn)  # noqa: S308  # names are escaped, and all else is figures


@register.simple_tag
def budget_rows(lines: Sequence[BudgetLine], season: str) -> SafeString:
    """What entries of a season may still spend."""
    return mark_safe("".join([_left(line, season) for line in lines]))  # noqa: S308  # names are escaped, and all else is figures


def _left(line: BudgetLine, season: str) -> str:
    return f"""\
<tr>
<th scope="row"><a href="{address("entry", season, line.entry.slug)}">{escape(line.entry.name)}</a></th>
<td>{line.period}</td>
<td class="num">{line.usd_left}</td>
<td class="num">{line.usd_cap}</td>
<td class="num">{line.usd_spent}</td>
<td class="num">{line.usd_reserved}</td>
<td class="num">{line.tokens_left}</td>
<td class="num">{line.tokens_cap}</td>
<td class="num">{line.tokens_spent}</td>
<td class="num">{line.tokens_reserved}</td>
</tr>
"""
