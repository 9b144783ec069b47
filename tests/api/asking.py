"""Asking the API as a program would."""

from typing import Any

from django.http import HttpResponse
from django.test import Client

V1 = "/api/v1/"


def get(path: str, **headers: str) -> HttpResponse:
    return Client(raise_request_exception=False).get(V1 + path, headers=headers)


def data(path: str) -> Any:
    """The data of an answer that must be a success."""
    response = get(path)
    assert response.status_code == 200, (path, response.status_code, response.content)
    body = response.json()
    assert body["status"] == "success"
    assert body["timestamp"].endswith("Z")
    return body["data"]


def error(path: str, status: int) -> Any:
    """What an answer with this status says went wrong."""
    return error_in(get(path), status)


def error_in(response: HttpResponse, status: int) -> Any:
    assert response.status_code == status, (response.status_code, response.content)
    body = response.json()
    assert body["status"] == "error"
    assert set(body) == {"status", "error", "timestamp"}
    assert set(body["error"]) == {"type", "title", "detail", "fields"}
    assert response["Cache-Control"] == "no-store"
    return body["error"]
