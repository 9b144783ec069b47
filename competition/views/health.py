"""For whoever keeps the process running: alive (this process answers) and ready (its database can serve pages)."""

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when the database answers and holds every migration, else 503 with what is wrong."""
    try:
        missing = _missing_migrations()
    except (OperationalError, InterfaceError):
        return JsonResponse({"database": "does not answer", "migrations": "unknown"}, status=503)
    state = {"database": "ok", "migrations": f"{missing} missing: run manage.py migrate" if missing else "ok"}
    return JsonResponse(state, status=503 if missing else 200)


def _missing_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
