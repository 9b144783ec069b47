"""What pages may load and run: the policy of the site, the admin's, and what stands within a page."""

import base64
import hashlib
from pathlib import Path

from django.utils.csp import CSP

# The policy knows each by its hash. Styles and script stand within the page, so that a board is complete as soon as it
# has come; a script puts the rules there.
STATIC = Path(__file__).resolve().parent.parent / "static"
FIRST_STYLES = (STATIC / "built" / "first.css").read_text()
_LINES = (STATIC / "js" / "late.js").read_text().splitlines()
FIRST_SCRIPT = "".join(line.strip() for line in _LINES if not line.startswith("//"))
AHEAD_RULES = (STATIC / "js" / "ahead.js").read_text().split("String.raw`")[1].split("`")[0]


def _hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


SITE: dict[str, list[str]] = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF, _hash_of(FIRST_SCRIPT), _hash_of(AHEAD_RULES)],
    "style-src": [CSP.SELF, _hash_of(FIRST_STYLES)],
    "img-src": [CSP.SELF, "data:"],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
    "form-action": [CSP.SELF],
}
# On ADMIN_PATH alone: Unfold's menus are Alpine's, which evaluates text. No text of a model is shown there.
ADMIN: dict[str, list[str]] = {
    **SITE,
    "script-src": [CSP.SELF, CSP.UNSAFE_INLINE, CSP.UNSAFE_EVAL],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
}
