"""Tokens of the API in the admin: made, shown once, and revoked. Nobody can read one afterwards."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from competition.tokens import ApiToken, Scope, make_token, revoke
from market.admin_facts import Remembered

DAYS, DAYS_MAX = 90, 366


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, scope.value) for scope in Scope], widget=forms.CheckboxSelectMultiple
    )
    days = forms.IntegerField(min_value=1, max_value=DAYS_MAX, initial=DAYS, help_text="days until it expires")

    class Meta:
        model = ApiToken
        fields = ("name",)


@admin.register(ApiToken)
class TokenAdmin(Remembered):
    list_display = ("name", "start", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")
    search_fields = ("name", "start")
    ordering = ("-id",)
    actions = ("revoke",)

    def get_form(self, request: HttpRequest, obj: ApiToken | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = TokenForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        return ("name", "scopes", "days") if obj is None else (*self.list_display, "created_by")

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        now = timezone.now()
        scopes = [Scope(value) for value in form.cleaned_data["scopes"]]
        expires_at = now + timedelta(days=form.cleaned_data["days"])
        token, made = make_token(obj.name, scopes, now, expires_at, request.user.pk)
        for field in ApiToken._meta.concrete_fields:
            setattr(obj, field.attname, getattr(made, field.attname))
        obj.save(force_insert=True)
        request.shown_once = token  # type: ignore[attr-defined]  # for the answer to this request alone

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        """The token, on a page that nothing keeps: neither a cache nor a message in a cookie."""
        context = {**self.admin_site.each_context(request), "title": f"Token for {obj.name}", "opts": self.opts}
        context["token"] = request.shown_once  # type: ignore[attr-defined]  # set by save_model
        response = TemplateResponse(request, "admin/competition/apitoken/shown_once.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        ended = revoke(list(queryset.values_list("id", flat=True)), timezone.now())
        self.message_user(request, f"{ended} revoked. What is sent with them is refused from now on.", messages.SUCCESS)
