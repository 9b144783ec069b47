"""Keys taken out of text before it is written anywhere: the known ones in every form, and whatever looks like one."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

MARKER = "[key removed]"
NESTED_TOO_DEEPLY = "[nested too deeply to be kept]"
DEPTH_MAX = 100
SECRET_CHARACTERS_MIN = 8  # shorter ones would take ordinary words out of ordinary text
PREFIX_CHARACTERS = 12  # providers quote a refused key cut short; this much of its beginning is enough to know it

KEY_NAME = re.compile(
    r"(^|_)(API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASS|CREDENTIALS?(_JSON)?|AUTH|SIGNATURE)(_?\d+)?$", re.IGNORECASE
)
PASSWORD_IN_URL = re.compile(r"://[^/?#@\s]*:([^/?#@\s]+)@")

SHAPES = re.compile(
    r"""
      (?<![A-Za-z0-9]) (?: sk-[\w*.-]{16,} | AIza[\w-]{20,} | gsk_\w{16,} | xai-[\w-]{16,} | hf_\w{16,}
                         | pplx-\w{16,} | r8_\w{16,} | AKIA[A-Z0-9]{16} | gh[opusr]_\w{16,} | github_pat_\w{16,}
                         | [sr]k_(?:live|test)_\w{16,} | ya29\.[\w.-]{16,} )
    | (?<=bearer[ ]) (?=[\w.~+/=-]*\d) [\w.~+/=-]{16,}
    | (?<=basic[ ]) (?=[\w.~+/=-]*\d) [\w.~+/=-]{16,}
    | (?<=[?&]key=) [^&\s"'<>\\]+
    | (?<=[?&]api_key=) [^&\s"'<>\\]+
    | (?<=[?&]api-key=) [^&\s"'<>\\]+
    | (?<=[?&]access_token=) [^&\s"'<>\\]+
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


def secrets_of(environ: Mapping[str, str]) -> frozenset[str]:
    """Values of the variables that hold keys, judged by name, and passwords inside addresses.

    Of a JSON object those of its fields whose names are a key's, and of a text of several lines each.
    """
    named = (part for name, value in environ.items() if KEY_NAME.search(name) for part in _parts_of(value))
    in_urls = (match.group(1) for value in environ.values() for match in PASSWORD_IN_URL.finditer(value))
    return frozenset(value for value in (*named, *in_urls) if len(value) >= SECRET_CHARACTERS_MIN)


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with a marker for every secret, as it is, escaped, encoded or cut short, and for what has a key's shape.

    Redact before cutting a text to length: half a key is still half a key.
    """
    known = _pattern_of(frozenset(secrets))
    return SHAPES.sub(MARKER, known.sub(MARKER, text) if known else text)


def redact_within(value: Any, secrets: frozenset[str], depth: int = DEPTH_MAX) -> Any:
    """A value of JSON with every text in it redacted, names of fields among them, down to a stated depth."""
    if isinstance(value, str):
        return redact(value, secrets)
    if isinstance(value, Mapping | list | tuple) and depth == 0:
        return NESTED_TOO_DEEPLY
    if isinstance(value, Mapping):
        return {redact(str(name), secrets): redact_within(inner, secrets, depth - 1) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact_within(inner, secrets, depth - 1) for inner in value]
    return value


def _parts_of(value: str) -> Iterator[str]:
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if isinstance(found, dict):
        for name, inner in found.items():
            if isinstance(inner, str) and KEY_NAME.search(name):
                yield from _parts_of(inner)
    else:
        yield value.strip()
        yield from (line.strip() for line in value.strip().splitlines())


@lru_cache(maxsize=16)
def _pattern_of(secrets: frozenset[str]) -> re.Pattern[str] | None:
    usable = {secret for secret in secrets if len(secret) >= SECRET_CHARACTERS_MIN}
    whole = {form for secret in usable for form in _forms_of(secret)}
    begun = {secret[:PREFIX_CHARACTERS] for secret in usable if len(secret) > PREFIX_CHARACTERS}
    # Longest first: a form that is part of another must not leave the other's rest behind.
    alternatives = [re.escape(form) for form in sorted(whole, key=lambda form: (-len(form), form))]
    alternatives += [re.escape(prefix) + r"[\w.*~+/=%-]*" for prefix in sorted(begun)]
    return re.compile("|".join(alternatives)) if alternatives else None


def _forms_of(secret: str) -> set[str]:
    data = secret.encode("utf-8", "surrogatepass")
    percent, small = (_percent(data, digits) for digits in ("%%%02X", "%%%02x"))
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    html = secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    forms = {
        secret,
        percent,
        small,
        percent.replace("%20", "+"),
        percent.replace("%2F", "/"),
        html,
        data.hex(),
        *escaped,
    }
    return forms | {text.replace("/", "\\/") for text in escaped} | _base64_cores(data)


def _percent(data: bytes, digits: str) -> str:
    plain = (byte < 128 and (chr(byte).isalnum() or chr(byte) in "-._~") for byte in data)
    return "".join(chr(byte) if is_plain else digits % byte for byte, is_plain in zip(data, plain, strict=True))


def _base64_cores(data: bytes) -> set[str]:
    """What stays the same in the base64 of any text with `data` inside, for each of the three ways it may lie."""
    cores = set()
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + data).decode()
        end = (before + len(data)) // 3 * 4  # characters that depend on nothing behind the data
        core = whole[(0, 2, 3)[before] : end]
        cores |= {core, core.replace("+", "-").replace("/", "_")} if len(core) >= SECRET_CHARACTERS_MIN else set()
    return cores
