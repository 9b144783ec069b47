"""The style sheet of the board, within the page."""

from django import template
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.simple_tag
def first_styles() -> SafeString:
    """Character by character what the policy has the hash of."""
    return mark_safe(f"<style>{settings.FIRST_STYLES}</style>")  # noqa: S308  # a file of ours
