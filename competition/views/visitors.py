"""Who is on the other side of a request, as far as limits need to know."""

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from competition.api.throttles import client_of
from competition.services.backtest_visitors import Visitor

NO_ADDRESS = "0.0.0.0"  # noqa: S104 - a name for what comes over a socket, not a place to listen
SALT = "competition.backtests.client"


def visitor_of(request: HttpRequest) -> Visitor:
    """The account, if any, and the address under a key of this site: known again, not known."""
    client = salted_hmac(SALT, client_of(request), algorithm="sha256").hexdigest()
    user = request.user
    if not user.is_authenticated:
        return Visitor(client)
    return Visitor(client, user.pk, is_staff=bool(user.is_staff and user.is_active))


def login_address(request: HttpRequest) -> str:
    """The address that failed logins are counted by, for django-axes; what has none counts as one."""
    address = client_of(request)
    return NO_ADDRESS if address == "unknown" else address
