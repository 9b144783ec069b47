"""The API is asked about the same seasons as the pages are."""

from tests.pages.conftest import asked, asked_once, collected_static_files, kept, played, played_once  # noqa: F401
