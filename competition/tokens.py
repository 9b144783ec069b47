"""Tokens for programs that write through the API. Only a hash of each is kept, so nobody can read one here."""

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

PREFIX, SHOWN_CHARACTERS = "oo_", 8
USED_AGAIN_AFTER = timedelta(minutes=1)  # `last_used_at` is for people: once a minute is often enough


class Scope(StrEnum):
    """What a token may do."""

    ANALYSIS = "analysis:run"
    RESET = "portfolio:reset"
    BACKTEST = "backtest:run"


class ApiToken(models.Model):
    """`digest` is the SHA-256 of the token, which has 256 random bits; `start` tells tokens apart in lists."""

    name = models.CharField(max_length=80, help_text="who or what it is for")
    start = models.CharField(max_length=SHOWN_CHARACTERS + len(PREFIX))
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "competition"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="token_is_hashed"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="token_expires_later"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.start}…)"

    def is_valid(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at

    def may(self, scope: Scope) -> bool:
        return scope.value in self.scopes


def new_token() -> str:
    """A token nobody has had before."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def make_token(
    name: str, scopes: list[Scope], now: datetime, expires_at: datetime, created_by_id: int | None
) -> tuple[str, ApiToken]:
    """The token, which is known from now on only to whoever is told it, and its unsaved row."""
    token = new_token()
    row = ApiToken(
        name=name,
        start=token[: len(PREFIX) + SHOWN_CHARACTERS],
        digest=digest_of(token),
        scopes=sorted(scope.value for scope in scopes),
        created_by_id=created_by_id,
        created_at=now,
        expires_at=expires_at,
    )
    return token, row


def token_used(token: str, now: datetime) -> ApiToken | None:
    """The row of a token that is valid now, noting that it was used; None for every other text."""
    row = ApiToken.objects.filter(digest=digest_of(token)).first()
    if row is None or not row.is_valid(now):
        return None
    long_ago = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_AGAIN_AFTER)
    ApiToken.objects.filter(long_ago, id=row.id).update(last_used_at=now)
    return row


def revoke(ids: list[int], now: datetime) -> int:
    """End these tokens for ever; how many were still in force."""
    return ApiToken.objects.filter(id__in=ids, revoked_at=None).update(revoked_at=now)
