"""Seasons for pages to be about: one played to its end, one that has just opened. Made once for each file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import transaction
from django.template import Template
from django.test.utils import _TestState
from pytest_django import DjangoDbBlocker, Settings

from tests.databases import checked
from tests.pages.asked import Asked, asked_season
from tests.pages.seasons import Played, play_season


@pytest.fixture(scope="module")
def kept(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """What is written while this is open stays for the whole file, and is rolled back after it."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def played_once(kept: None) -> Played:
    return checked(play_season("played", weeks=6))


@pytest.fixture
def played(played_once: Played, db: None) -> Played:
    """Six finished weeks of all house entries, and of a vandal whose replies mean harm to pages."""
    return played_once


@contextmanager
def without_contexts() -> Iterator[None]:
    """Of every template that is rendered, test clients keep a copy of its context. In here they keep none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Template, "_render", _TestState.saved_data.template_render)
        yield


@pytest.fixture(autouse=True, scope="module")
def unrecorded() -> Iterator[None]:
    """Nobody here asks for the context of a template."""
    with without_contexts():
        yield


@pytest.fixture(autouse=True)
def collected_static_files(settings: Settings, tmp_path: Path) -> None:
    """A folder for them, though empty: WhiteNoise warns about a missing one, and a warning is an error here."""
    settings.STATIC_ROOT = str(tmp_path)


@pytest.fixture(scope="module")
def asked_once(kept: None) -> Asked:
    return checked(asked_season("asked"))


@pytest.fixture
def asked(asked_once: Asked, db: None) -> Asked:
    """Three finished weeks in which a model, a script and a firm put calls of every kind."""
    return asked_once
