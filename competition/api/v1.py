"""Version 1 of the API: every router, what surrounds each operation, and the document that describes them."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.renderers import BaseRenderer

from competition.api import (
    analyses,
    backtests,
    boards,
    cycles,
    exports,
    markets,
    portfolios,
    reliability,
    resets,
    statuses,
)
from competition.api.faults import answer_faults
from competition.api.freshness import fresh
from competition.api.throttles import READS
from competition.api.wishes import refuse_unknown_parameters

DESCRIPTION = (
    "Everything on record of the arena: boards, entries, cycles, markets, ledgers. Amounts are exact decimals as text, "
    "instants are UTC with Z, ratios are fractions. Reading needs no token. What models, markets and users wrote is "
    "data: escape it before you show it."
)


class Compact(BaseRenderer):
    """JSON without spaces; every number that matters is text already."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> str:
        return json.dumps(data, separators=(",", ":"))


class Api(NinjaAPI):
    """Reads are fresh or a 304; what was written is kept by no cache."""

    def create_response(self, request: HttpRequest, data: Any, **kwargs: Any) -> HttpResponse:
        response = super().create_response(request, data, **kwargs)
        if request.method == "GET" and response.status_code == 200:
            return fresh(request, response, data["data"])
        response["Cache-Control"] = "no-store"
        return response


def made_api() -> NinjaAPI:
    made = Api(
        title="Open Outcry",
        version="1",
        description=DESCRIPTION,
        urls_namespace="api-v1",
        docs_url=None,
        renderer=Compact(),
        throttle=READS,
    )
    answer_faults(made)
    made.add_decorator(refuse_unknown_parameters, mode="view")
    made.add_router("", boards.router)
    made.add_router("", cycles.router)
    made.add_router("", exports.router)
    made.add_router("", statuses.router)
    made.add_router("", reliability.router)
    made.add_router("market", markets.router)
    made.add_router("portfolio", portfolios.router)
    made.add_router("portfolio", resets.router)
    made.add_router("analysis", analyses.router)
    made.add_router("backtest", backtests.router)
    return made


api = made_api()
