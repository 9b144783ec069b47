"""What a terminal shows of a request that is refused: one line."""

import io
import logging.config
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def terminal() -> Iterator[io.StringIO]:
    """What the site's own handler writes, made as the settings say."""
    (name,) = settings.LOGGING["root"]["handlers"]
    written = io.StringIO()
    before = logging.getLogger().handlers[:]
    logging.config.dictConfig(settings.LOGGING)
    (handler,) = (handler for handler in logging.getLogger().handlers if handler.name == name)
    handler.stream = written
    try:
        yield written
    finally:
        logging.getLogger().handlers[:] = before


def test_a_page_that_is_forbidden_or_not_there_is_one_line_each(client: Client, terminal: io.StringIO) -> None:
    client.force_login(User.objects.create_user("visitor", is_staff=True))
    assert client.get("/admin/competition/turn/add/").status_code == 403
    client.force_login(User.objects.create_superuser("operator"))
    assert client.get("/admin/competition/turn/add/").status_code == 403
    assert client.get("/admin/nowhere/").status_code == 404
    lines = terminal.getvalue().splitlines()
    assert len(lines) == 3, lines
    assert "WARNING django.request: Forbidden (Permission denied): /admin/competition/turn/add/" in lines[0]
    assert "WARNING django.request: Not Found: /admin/nowhere/" in lines[2]


def test_what_breaks_keeps_its_traceback(terminal: io.StringIO) -> None:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        request = RequestFactory().get("/")
        extra = {"status_code": 500, "request": request}
        logging.getLogger("django.request").error("Internal Server Error: /", exc_info=True, extra=extra)
    assert "Traceback" in terminal.getvalue()
