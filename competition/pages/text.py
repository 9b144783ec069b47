"""Words that others wrote: models, markets, venues. They are data, so a reader must see every character of them."""

import re
import unicodedata
from functools import lru_cache

# Letters by their category that nevertheless print as nothing.
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
_SUSPECT = re.compile(r"[^\n\t -~]")  # whatever else is plain to see, and of long briefs and replies nearly all

LINE_CHARACTERS_MAX = 220
DETAIL_CHARACTERS_MAX = 600
REPLY_CHARACTERS_MAX = 20_000


def visible(text: str) -> str:
    """The text with every invisible or direction-changing character written out, as in ⟦U+202E⟧."""
    return _SUSPECT.sub(_written_out, text)


def line(text: str) -> str:
    """One line of foreign text for a list: visible, without line breaks, cut with an ellipsis."""
    return visible(_cut(" ".join(text[: 4 * LINE_CHARACTERS_MAX].split()), LINE_CHARACTERS_MAX))


def detail(text: str) -> str:
    """A sentence or two of foreign text: visible and cut with an ellipsis."""
    return visible(_cut(" ".join(text[: 4 * DETAIL_CHARACTERS_MAX].split()), DETAIL_CHARACTERS_MAX))


def reply(text: str, most: int = REPLY_CHARACTERS_MAX) -> tuple[str, int]:
    """A reply for a `<pre>`, visible and verbatim up to the cap, and how many characters were left off."""
    return visible(text[:most]), max(0, len(text) - most)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _written_out(found: re.Match[str]) -> str:
    letter = found[0]
    return f"⟦U+{ord(letter):04X}⟧" if _is_hidden(letter) else letter


@lru_cache(maxsize=1024)
def _is_hidden(letter: str) -> bool:
    category = unicodedata.category(letter)
    selector = "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef"
    odd_space = category == "Zs" and letter not in " \u00a0"
    return category in _HIDDEN_CATEGORIES or letter in _BLANK_LETTERS or selector or odd_space
