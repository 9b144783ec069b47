"""What stands beside a name: the mark of a state, what kind of entry it is, and whether it is simulated.

A page has hundreds of them, and a template for each takes ten times as long.
"""

from html import escape

from django import template
from django.utils.safestring import SafeString, mark_safe

from competition.pages.names import EntryName
from competition.pages.words import Mark

register = template.Library()

SIMULATED = '<span class="kind kind-simulated">simulated</span>'


@register.simple_tag
def simulated_label() -> SafeString:
    return mark_safe(SIMULATED)  # noqa: S308  # a constant


@register.simple_tag
def labels(entry: EntryName) -> SafeString:
    """The kind of an entry, and that it is simulated if it is."""
    kind = f'<span class="kind">{escape(entry.kind)}</span>'
    return mark_safe(f"{kind}\n{SIMULATED}" if entry.is_simulated else kind)  # noqa: S308  # escaped


@register.simple_tag
def mark(mark: Mark) -> SafeString:
    """A state as word, shape and tone: the shapes are those of `parts/_shapes.html`."""
    return mark_safe(  # noqa: S308  # escaped, and shapes and tones are ours
        f'<span class="mark mark-{mark.tone}">\n<svg class="shape" aria-hidden="true">\n'
        f'<use href="#shape-{mark.shape}" />\n</svg>{escape(mark.word)}</span>'
    )
