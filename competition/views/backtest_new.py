"""Asking for a backtest: a form that says what it will take before it is sent, with and without scripts."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from competition.backtest_forms import BacktestForm, form_data
from competition.core.backtest_parameters import BacktestParameters
from competition.pages.backtest_asking import USUAL, Estimate, estimate_of, options_for, presets
from competition.pages.backtest_sheet import backtest_named
from competition.pages.frame import archive_frame
from competition.services.backtest_requests import BacktestRefused
from competition.services.backtest_visitors import HasToWait, Visitor, ask_as, checked
from competition.views.answers import answer
from competition.views.visitors import visitor_of


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The form, filled from a preset or another backtest; sent, it queues one and leads to its page."""
    visitor, is_sent = visitor_of(request), request.method == "POST"
    form, dear = form_of(request.POST if is_sent else beginning_of(request), visitor)
    wait = None
    if is_sent and "check" not in request.POST and form.is_valid():
        try:
            backtest, _ = ask_as(visitor, form.wish(), timezone.now())
        except HasToWait as told:
            wait = told
        except BacktestRefused as refused:
            form.complain(refused.problems)
        else:
            return HttpResponseRedirect(reverse("backtest", args=[backtest.key]))
    estimate = estimate_in(form, visitor)
    context = {"frame": archive_frame(), "form": form, "dear": dear, "estimate": estimate, "presets": presets()}
    status = 409 if wait else 422 if is_sent and form.errors else 200
    return answer(request, "backtest_new.html", {**context, "wait": wait}, status=status)


@never_cache
@require_POST
def check(request: HttpRequest) -> HttpResponse:
    """What it would take and what is wrong, as one types."""
    visitor = visitor_of(request)
    form, _ = form_of(request.POST, visitor)
    return answer(request, "backtests/_check.html", {"form": form, "estimate": estimate_in(form, visitor)})


def form_of(data: Mapping[str, Any], visitor: Visitor) -> tuple[BacktestForm, tuple[str, ...]]:
    options = options_for(is_staff=visitor.is_staff)
    form = BacktestForm(data, agents=options.agents, symbols=options.symbols, is_staff=visitor.is_staff)
    return form, options.dear


def estimate_in(form: BacktestForm, visitor: Visitor) -> Estimate | None:
    """What it will take, or None and complaints in the form."""
    if not form.is_valid():
        return None
    try:
        return estimate_of(checked(form.wish(), visitor), timezone.now())
    except BacktestRefused as refused:
        form.complain(refused.problems)
        return None


def beginning_of(request: HttpRequest) -> Mapping[str, Any]:
    """What the form starts from: another backtest, a preset, or what is usual; and agents, if the address names any."""
    data: dict[str, Any] = dict(USUAL)
    if key := request.GET.get("from", ""):
        data = form_data(BacktestParameters.model_validate(backtest_named(key).parameters))
    elif name := request.GET.get("preset", ""):
        data = dict(next((one.data for one in presets() if one.key == name and one.data), USUAL))
    if agents := request.GET.getlist("agent"):
        data["agents"] = agents
    if mask := request.GET.get("mask", ""):
        data["mask"] = mask == "1"
    return data
