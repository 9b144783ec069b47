"""The small drawings in table cells, and a chart's figures as rows.

A page has hundreds of them, and a template for each takes ten times as long.
"""

from collections.abc import Sequence
from html import escape

from django import template
from django.utils.safestring import SafeString, mark_safe

from competition.pages.charts import Chart
from competition.pages.figures import Moment
from competition.pages.pictures import SPARK_HEIGHT, Segment, Spark

register = template.Library()


@register.simple_tag
def allocation_bar(parts: Sequence[Segment]) -> SafeString:
    """What somebody holds, as one bar that says the name and share of each part."""
    drawn = "".join(f'<rect class="hue-{part.hue}" x="{part.x}" width="{part.width}" height="10" />' for part in parts)
    told = ", ".join(f"{escape(part.name)} {part.share}" for part in parts)
    return mark_safe(  # noqa: S308  # of what goes in, names alone are not ours, and they are escaped
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img">'
        f"<title>{told}</title>{drawn}</svg>"
    )


@register.simple_tag
def sparkline(spark: Spark | None) -> SafeString:
    """A curve with the level it started from, for eyes alone: its figures stand beside it. Nothing without a curve."""
    if spark is None:
        return SafeString("")
    return mark_safe(  # noqa: S308  # numbers and nothing else
        f'<svg class="spark" viewBox="0 0 {spark.width} {SPARK_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="spark-start" d="M0 {spark.start_y}h{spark.width}" />'
        f'<path d="{spark.path}" /></svg>'
    )


def instant(at: Moment) -> str:
    """An instant for people and for machines."""
    return f'<time datetime="{at.iso}">{at.text}</time>'


@register.simple_tag
def chart_rows(chart: Chart) -> SafeString:
    """The figures of each instant of a chart, in a season with its week."""
    rows = []
    for row in chart.rows:
        at = instant(row.at)
        head = f'<th scope="row">{at}</th>' if row.week is None else f'<th scope="row">{row.week}</th><td>{at}</td>'
        cells = "".join([f'<td class="num">{value}</td>' for value in row.values])
        rows.append(f"<tr>{head}{cells}</tr>\n")
    return mark_safe("".join(rows))  # noqa: S308  # numbers and instants, and nothing else
