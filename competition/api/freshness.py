"""What a cache may keep: an ETag over the data alone, so that the same data is a 304 whenever it is asked for."""

import hashlib
import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response

CACHE_CONTROL = "public, max-age=5, stale-while-revalidate=30"


def fresh(request: HttpRequest, response: HttpResponse, data: Any) -> HttpResponse:
    """The response with its ETag, or a 304 when the client has this data. The tag is weak: the timestamp moves on."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    etag = f'W/"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    response["ETag"] = etag
    response["Cache-Control"] = CACHE_CONTROL
    return get_conditional_response(request, etag=etag, response=response) or response
