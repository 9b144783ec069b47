"""Whoever fails to log in too often has to wait, and nobody else; and production settings pass the checks."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from config.prepare import ensure_admin

LOGIN = "/admin/login/"
PASSWORD = "correct horse battery"


@pytest.fixture
def ada(db: None, settings: Settings) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick
    return User.objects.create_superuser("ada", password=PASSWORD)


def login(password: str, name: str = "ada", address: str = "192.0.2.1", **headers: str) -> int:
    sent = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post(LOGIN, sent, headers=headers).status_code


def test_whoever_comes_to_the_login_by_its_own_address_ends_at_the_dashboard(ada: User) -> None:
    response = Client().post(LOGIN, {"username": "ada", "password": PASSWORD})
    assert response.headers["Location"] == "/admin/"


pytestmark = pytest.mark.filterwarnings("ignore:No directory at")


def test_five_failures_make_an_address_wait_whatever_names_it_tries(ada: User) -> None:
    assert [login("wrong", f"name-{number}") for number in range(4)] == [200] * 4
    assert login("wrong") == 429
    assert login(PASSWORD) == 429
    told = Client(REMOTE_ADDR="192.0.2.1").post(LOGIN, {"username": "ada", "password": PASSWORD})
    assert "Too many attempts." in told.content.decode()
    assert login(PASSWORD, address="192.0.2.2") == 302, "nobody else is locked out"


def test_after_a_quarter_of_an_hour_it_may_try_again(ada: User) -> None:
    for _ in range(5):
        login("wrong")
    AccessAttempt.objects.update(attempt_time=timezone.now() - settings.AXES_COOLOFF_TIME - timedelta(seconds=1))
    assert login(PASSWORD) == 302


def test_behind_the_proxy_the_address_is_the_one_that_the_proxy_has_written(ada: User, settings: Settings) -> None:
    settings.BEHIND_TLS_PROXY, settings.SECURE_SSL_REDIRECT = True, False
    for number in range(5):
        login("wrong", **{"X-Forwarded-For": f"203.0.113.{number}, 198.51.100.7"})
    assert login(PASSWORD, **{"X-Forwarded-For": "198.51.100.7"}) == 429
    assert login(PASSWORD, **{"X-Forwarded-For": "198.51.100.8"}) == 302


def test_without_a_proxy_what_a_client_says_of_its_address_is_not_believed(ada: User) -> None:
    for number in range(5):
        login("wrong", **{"X-Forwarded-For": f"203.0.113.{number}"})
    assert login(PASSWORD) == 429


def test_who_comes_over_a_socket_can_log_in_too(ada: User) -> None:
    assert login("wrong", address="") == 200
    assert login(PASSWORD, address="") == 302


def test_what_strangers_typed_is_not_shown(ada: User) -> None:
    login("wrong", "<script>alert(1)</script>")
    operator = Client()
    operator.force_login(ada)
    row = AccessAttempt.objects.get()
    for address in ("/admin/axes/accessattempt/", f"/admin/axes/accessattempt/{row.pk}/change/"):
        text = operator.get(address).content.decode()
        assert "192.0.2.1" in text
        assert "alert(1)" not in text


def test_the_demo_prints_a_password_that_lets_somebody_in_also_after_its_file_was_lost(
    ada: User, tmp_path: Path
) -> None:
    def printed() -> str:
        ensure_admin(tmp_path)
        return (tmp_path / "admin_password").read_text()

    assert login(printed(), "admin") == 302
    (tmp_path / "admin_password").unlink()
    assert login(printed(), "admin") == 302
    admin = User.objects.get(username="admin")
    admin.set_password(PASSWORD)
    admin.save()
    printed()
    assert login(PASSWORD, "admin") == 302, "what somebody has set stays"


def test_production_settings_pass_the_deployment_check() -> None:
    production = {
        "SECRET_KEY": "k9" * 32 + "!abcdefghijklmnop",
        "DATABASE_URL": "postgresql:///nobody-connects",
        "BEHIND_TLS_PROXY": "true",
        "ALLOWED_HOSTS": "example.org",
        "DEBUG": "false",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=settings.BASE_DIR,
        env={**os.environ, **production},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues" in done.stdout


def test_where_the_admin_has_hosts_of_its_own_it_is_nowhere_else(ada: User, settings: Settings, client: Client) -> None:
    settings.ALLOWED_HOSTS = ["arena.example.org", "admin.internal"]
    settings.ADMIN_HOSTS = ["admin.internal"]
    client.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    nowhere = client.get("/nowhere/", headers={"host": "arena.example.org"})
    for address in ("/admin/", "/admin", "/admin/login/", "/admin/competition/season/", "/admin/nowhere/"):
        outside = client.get(address, headers={"host": "arena.example.org"})
        assert outside.status_code == 404
        assert outside.content.replace(address.encode(), b"/nowhere/") == nowhere.content
        assert {**outside.headers, "Content-Length": ""} == {**nowhere.headers, "Content-Length": ""}
        assert client.post(address, headers={"host": "arena.example.org:8000"}).status_code == 404
        forwarded = {"host": "arena.example.org", "X-Forwarded-Host": "admin.internal"}
        assert client.get(address, headers=forwarded).status_code == 404
    assert client.get("/admin/", headers={"host": "admin.internal"}).status_code == 200
    assert client.get("/admin/", headers={"host": "elsewhere.example"}).status_code == 400


def test_no_public_file_tells_another_path_of_the_admin(client: Client, settings: Settings) -> None:
    settings.ADMIN_PATH = "behind-the-curtain/"
    for address in ("/robots.txt", "/llms.txt", "/nowhere/"):
        assert "curtain" not in client.get(address).content.decode()
