"""What stands within a page so that nothing is fetched for it, character by character as the policy has its hash."""

from django import template
from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.simple_tag
def first_styles() -> SafeString:
    """The style sheet of the board."""
    return mark_safe(f"<style>{settings.FIRST_STYLES}</style>")  # noqa: S308  # a file of ours


@register.simple_tag
def first_script() -> SafeString:
    """The text of the script that fetches the others, whose names are its element's `data-late`."""
    return mark_safe(settings.FIRST_SCRIPT)  # noqa: S308  # a file of ours
