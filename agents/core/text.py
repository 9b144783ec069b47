"""Text from outside, made fit to be kept."""


def storable(text: str) -> str:
    """The text as a database can keep it: NUL and lone surrogates, which no UTF-8 column takes, become U+FFFD."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")
