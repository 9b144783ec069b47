"""Staff asks for a backtest in the admin: typed, told, confirmed. What is confirmed is what was told."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.http import HttpRequest

from competition.backtest_forms import BacktestForm
from competition.backtest_models import Backtest
from competition.errand_pages import Confirmation
from competition.pages.backtest_acts import before_starting
from competition.pages.backtest_asking import estimate_of
from competition.services.backtest_requests import BacktestRefused
from competition.services.backtest_visitors import Visitor, ask_as, checked
from competition.views.backtest_new import beginning_of, form_of
from competition.views.visitors import visitor_of


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed; what starting it would do, under `sha256`; the backtest, if that was confirmed."""

    form: BacktestForm
    told: Confirmation | None = None
    sha256: str = ""
    backtest: Backtest | None = None


def asked_by_staff(request: HttpRequest, now: datetime) -> Asked:
    """Nothing is started unless a yes names the parameters that were told of last."""
    visitor = replace(visitor_of(request), via="admin")
    if request.method != "POST":
        return Asked(form_of(beginning_of(request), visitor)[0])
    form, _ = form_of(request.POST, visitor)
    if not form.is_valid():
        return Asked(form)
    try:
        return _told_or_started(form, visitor, request.POST.get("yes", ""), now)
    except BacktestRefused as refused:
        form.complain(refused.problems)
        return Asked(form)


def _told_or_started(form: BacktestForm, visitor: Visitor, yes: str, now: datetime) -> Asked:
    parameters = checked(form.wish(), visitor)
    if yes == parameters.sha256:
        return Asked(form, backtest=ask_as(visitor, form.wish(), now)[0])
    return Asked(form, before_starting(parameters, estimate_of(parameters, now)), parameters.sha256)
