"""What the about page says of code that is not ours: from the manifest that lies beside it."""

import json
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.templatetags.static import static

MANIFEST = "static/vendor/manifest.json"


@dataclass(frozen=True, slots=True)
class Vendored:
    """A library served from here. `notice` is what its licence asks to be shown."""

    name: str
    version: str
    licence: str
    licence_href: str
    home: str
    notice: str


@cache
def vendored() -> tuple[Vendored, ...]:
    """The vendored libraries, as their manifest lists them."""
    rows = json.loads((settings.BASE_DIR / MANIFEST).read_text())["files"]
    return tuple(
        Vendored(
            row["name"],
            row["version"],
            row["licence"],
            static(f"vendor/{row['licence_file']}"),
            row["home"],
            row["notice"],
        )
        for row in rows
    )
