"""Who is on the other side of a request, as far as limits need to know."""

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from competition.api.throttles import client_of
from competition.services.backtest_visitors import Visitor

SALT = "competition.backtests.client"


def visitor_of(request: HttpRequest) -> Visitor:
    """The account, if any, and the address under a key of this site: known again, not known."""
    client = salted_hmac(SALT, client_of(request), algorithm="sha256").hexdigest()
    user = request.user
    if not user.is_authenticated:
        return Visitor(client)
    return Visitor(client, user.pk, is_staff=bool(user.is_staff and user.is_active))
