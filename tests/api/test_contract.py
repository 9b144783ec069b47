"""The document says what the API does, and schemathesis, which believes nothing, tries it on a live server."""

import copy
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from django.test.testcases import LiveServerThread
from django.test.utils import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import Failure
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from competition.api.v1 import api
from competition.tokens import Scope, digest_of, make_token
from tests.api.test_reads import READS
from tests.databases import fresh_copy
from tests.pages.seasons import play_season

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
WRITTEN = json.loads(DOCUMENT.read_text())
EXAMPLES = 5
TOKEN = "oo_for-schemathesis"
contract = schemathesis.openapi.from_dict(WRITTEN, config=SchemathesisConfig(seed=7))


def test_the_committed_document_is_what_the_code_says() -> None:
    said = json.loads(json.dumps(api.get_openapi_schema(path_prefix="/api/v1/")))
    assert said == WRITTEN, "docs/openapi.json is not what the code says: run bin/openapi"


def test_the_document_is_openapi_3_1_and_every_operation_says_how_it_may_fail() -> None:
    assert WRITTEN["openapi"].startswith("3.1")
    for path, methods in WRITTEN["paths"].items():
        for method, operation in methods.items():
            assert {"422", "429", "500", "503"} <= operation["responses"].keys(), (path, method)
            assert operation["description"], (path, method)


def test_every_operation_is_listed_by_what_it_does() -> None:
    """Not by the name of a function, as it is when nobody says anything."""
    summaries = [operation["summary"] for methods in WRITTEN["paths"].values() for operation in methods.values()]
    assert len(set(summaries)) == len(summaries)
    assert [summary for summary in summaries if len(summary.split()) < 3] == []


def test_no_operation_takes_or_tells_a_number_that_is_not_exact() -> None:
    """No JSON number with a fraction anywhere: amounts are text."""
    assert '"type": "number"' not in DOCUMENT.read_text()


@pytest.fixture(scope="module")
def live_api(migrated_template: str, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server over a database of its own, with a finished season."""
    generous = override_settings(
        API_READS_PER_MINUTE=10**6,
        API_WRITES_PER_MINUTE=10**6,
        ALLOWED_HOSTS=["127.0.0.1"],
        STATIC_ROOT=str(tmp_path_factory.mktemp("static")),
    )
    with django_db_blocker.unblock(), fresh_copy(migrated_template), generous:
        play_season("played", weeks=3, entries=9)
        made = make_token("schemathesis", list(Scope), now := timezone.now(), now + timedelta(hours=1), None)[1]
        made.digest = digest_of(TOKEN)
        made.save()
        server = LiveServerThread("127.0.0.1", lambda handler: handler)
        server.start()
        server.is_ready.wait()
        assert server.error is None
        yield f"http://127.0.0.1:{server.port}"
        server.terminate()


@pytest.mark.parametrize("path", READS)
def test_what_is_there_is_as_the_document_says(live_api: str, path: str) -> None:
    """The seasons of the examples that schemathesis makes up hardly ever exist; these do."""
    response = requests.get(f"{live_api}/api/v1/{path}", timeout=30)
    assert response.status_code == 200
    named = {
        "seasons/played": "seasons/{slug}",
        "seasons/played/export": "seasons/{slug}/export",
        "cycles/3": "cycles/{number}",
    }
    route = path.partition("?")[0].replace("entries/swinger", "entries/{slug}")
    contract[f"/api/v1/{named.get(route, route)}"]["GET"].validate_response(response)


def test_a_lie_in_the_document_would_be_found(live_api: str) -> None:
    lie = copy.deepcopy(WRITTEN)
    lie["components"]["schemas"]["Status"]["properties"]["headline"] = {"type": "integer"}
    lying = schemathesis.openapi.from_dict(lie)["/api/v1/status"]["GET"]
    with pytest.raises(Failure):
        lying.validate_response(requests.get(f"{live_api}/api/v1/status", timeout=30))


@contract.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_schemathesis_finds_nothing(case: schemathesis.Case, live_api: str) -> None:
    """It has a token that may everything, and sees that one is needed wherever the document says so."""
    # A schema cannot say which agents, symbols and candles there are: well-formed wishes for others are a 422, too.
    unknowable = [positive_data_acceptance] if case.operation.path == "/api/v1/backtest/run" else []
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    case.call_and_validate(base_url=live_api, headers=bearer, excluded_checks=unknowable)
