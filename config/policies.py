"""What pages may load and run: the policy of the site, the admin's, and the style sheet that stands within a page."""

import base64
import hashlib
from pathlib import Path

from django.utils.csp import CSP

# Within the page, so that a board is painted as soon as it has come; the policy knows it by its hash.
FIRST_STYLES = (Path(__file__).resolve().parent.parent / "static" / "built" / "first.css").read_text()
_HASH = base64.b64encode(hashlib.sha256(FIRST_STYLES.encode()).digest()).decode()

SITE: dict[str, list[str]] = {
    "default-src": [CSP.SELF],
    "style-src": [CSP.SELF, f"'sha256-{_HASH}'"],
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
