"""The environment as litellm may see it: it reads variables at import and at every call, and acts on many of them."""

import re
from collections.abc import MutableMapping

LOCAL_ONLY = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_MODE": "PRODUCTION",  # otherwise it reads whatever .env lies in the folder
}
TALKATIVE = frozenset({"LITELLM_LOG", "OPENAI_LOG", "ANTHROPIC_LOG", "DEBUG_OTEL", "DETAILED_DEBUG"})
# Variables that would send calls elsewhere than the record says; an agent's api_base is the only way.
REDIRECTING = re.compile(r"(_API_BASE|_BASE_URL|_ENDPOINT|_API_BASE_IMAGE)$|^LITELLM_PROXY_")


def is_address(name: str) -> bool:
    """Whether a variable of this name says where to send calls, not with which key."""
    return bool(REDIRECTING.search(name))


def prepare(environ: MutableMapping[str, str]) -> None:
    """Take out of `environ` what would make litellm talk, fetch or go elsewhere; before it is imported."""
    for name in [name for name in environ if name in TALKATIVE or is_address(name)]:
        del environ[name]
    environ.update(LOCAL_ONLY)
