"""What a page says of itself in more than one place of its head: Django renders a block once only."""

from django import template
from django.template.context import Context
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_block_tag(takes_context=True)
def said_as(context: Context, content: SafeString, name: str) -> SafeString:
    """What stands inside, which is `name` from here on."""
    context[name] = content
    return content
