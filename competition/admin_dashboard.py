"""The first page of the admin."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from competition.admin_desk import desk_of


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What Unfold's first page is given besides its own; whoever may not see cycles sees the lists they may."""
    if request.user.has_perm("competition.view_cycle"):
        context["desk"] = desk_of(timezone.now())
    return context
