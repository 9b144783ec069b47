"""Symbols as they are typed on a command line."""

import re
from argparse import ArgumentTypeError

_NAME = re.compile(r"[A-Z0-9]{2,20}", re.ASCII)
_MOST = 100


def symbol_names(text: str) -> list[str]:
    """`btcusdt, ETHUSDT` as names in capitals, each once, in the order typed; `ArgumentTypeError` if one is none."""
    names = list(dict.fromkeys(part.strip().upper() for part in text.split(",") if part.strip()))
    if not names:
        raise ArgumentTypeError("give at least one symbol, as BTCUSDT")
    if len(names) > _MOST:
        raise ArgumentTypeError(f"{len(names)} symbols are more than {_MOST}")
    for name in names:
        if not _NAME.fullmatch(name):
            raise ArgumentTypeError(f"{name!r} is not a symbol like BTCUSDT; separate several by commas")
    return names
