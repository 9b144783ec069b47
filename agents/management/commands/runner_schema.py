"""Prints the contract between orchestrator and runner as a JSON schema, or writes it to its place."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from pydantic.json_schema import models_json_schema

from agents.contract import DecideRequest, DecideResponse, PreflightRequest, PreflightResponse

DESCRIPTION = (
    "What an agent of any language has to take and give. POST /v1/decide takes a DecideRequest and gives a"
    " DecideResponse, as application/json with status 200; a 4xx says that no model was asked, and so does"
    ' a 503 whose body is {"error": sentence}, for a runner that has too many questions open. POST /v1/preflight'
    " takes a PreflightRequest and gives a PreflightResponse; an agent of another house may leave it out. GET /livez"
    " gives 200. Of a response only run_token and reply are required."
)


def schema() -> dict[str, Any]:
    """The whole contract, from the classes that check it."""
    models = [(model, "validation") for model in (DecideRequest, DecideResponse, PreflightRequest, PreflightResponse)]
    _, definitions = models_json_schema(models, title="Contract of a runner", description=DESCRIPTION)  # type: ignore
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **definitions}


class Command(BaseCommand):
    requires_system_checks = ()  # migrate made them; they load the pages and the API, which takes a second
    help = "Prints the contract of a runner as a JSON schema."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--write", type=Path, metavar="FILE", help="write it to this file")

    def handle(self, *args: Any, **options: Any) -> None:
        text = json.dumps(schema(), indent=2) + "\n"
        if options["write"]:
            options["write"].write_text(text)
        else:
            self.stdout.write(text, ending="")
