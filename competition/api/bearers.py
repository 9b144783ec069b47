"""Who may write: whoever shows a token that is valid and has the scope."""

from typing import Any, cast

from django.http import HttpRequest
from django.utils import timezone
from ninja.errors import Throttled
from ninja.security import HttpBearer

from competition.api.faults import Refusal
from competition.api.throttles import WRITES
from competition.tokens import ApiToken, Scope, token_used


class Bearer(HttpBearer):
    """`Authorization: Bearer oo_…`, with one scope. Counts first, so that tokens cannot be tried out quickly."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.scope = scope

    def __call__(self, request: HttpRequest) -> Any | None:
        if not WRITES.allow_request(request):
            raise Throttled(int(WRITES.wait()) + 1)
        return super().__call__(request)

    def authenticate(self, request: HttpRequest, token: str) -> Any | None:
        found = token_used(token, timezone.now())
        if found and not found.may(self.scope):
            raise Refusal(403, f"The token lacks the scope {self.scope}.")
        return found


def token_of(request: HttpRequest) -> ApiToken:
    """The token a request came with, which a `Bearer` has let through."""
    return cast(ApiToken, request.auth)  # type: ignore[attr-defined]  # set by ninja
