"""Writes static/built: the style sheets of the site as browsers get them, two files instead of sixteen.

`first.css` has what the leaderboard's first picture needs, within which it is sent, so that the board is painted out of
the first packets; `all.css` has what all pages need, and comes to the board when it has been painted: what a pointer or
a key changes, and what paper needs. Of Pico only those rules are taken that can match something in our templates, and
of its variables only those that a rule reads. With --check it writes nothing and fails when a file is not what it would
write.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import tinycss2

ROOT = Path(__file__).resolve().parent.parent
CSS, BUILT = ROOT / "static" / "css", ROOT / "static" / "built"
PICO = ROOT / "static" / "vendor" / "pico-2.1.1.classless.min.css"
TEMPLATES = ROOT / "templates"
TAGS = ROOT / "competition" / "templatetags"  # which draw what pages have dozens of
OF_THE_BOARD = ("base.html", "board.html", "board/*.html", "parts/*.html")
TAGS_OF_THE_BOARD = ("board_rows", "drawings", "labels")
FORM_OF_THE_BOARD = ("board/_wish.html", "board/_choice.html")  # which stands there when `all.css` does
FIRST = ("tokens", "base", "frame", "lead", "tables", "board", "deeds", "marks", "chart")
MORE = ("forms", "pages", "figures", "evidence", "calls", "backtests")
LAYERS = "@layer pico,tokens,base,components,print;"
NOTICE = "/*! Contains parts of Pico CSS 2.1.1, picocss.com, MIT */"
ELEMENTS_WITHOUT_TAGS = {"*", "html", "body", "tbody", "thead", "tr"}
# What Django's fields write, and what stands in no template.
OF_FIELDS = {("type", kind) for kind in ("text", "number", "date", "checkbox", "search", "hidden", "submit")}

# What is not seen before somebody does something, and what is another browser's.
LATER = re.compile(r":(hover|focus|active|-moz|-ms)|::(selection|-moz|-ms|-webkit)|\[open\]|\[aria-busy=\"true\"\]")
LATER_DECLARATION = re.compile(r"transition|-(moz|ms|o)-|-webkit-text-decoration|-webkit-user-select")

RULE, EMPTY = re.compile(r"([^{}]+)\{((?:[^{}\"]|\"[^\"]*\")*)\}"), re.compile(r"[^{}]+\{\s*\}")
VARIABLE = re.compile(r"(--pico-[\w-]+):((?:[^;{}\"]|\"[^\"]*\")*)(?:;|$)")
OF_THE_PAGE = re.compile(
    r":root(:not\(\[data-theme(=\w+)?\]\))?|\[data-theme=\w+\](,:root:not\(\[data-theme=dark\]\))?"
)

Rule = Any  # tinycss2's nodes have no types


class Used(HTMLParser):
    """The elements, attributes and values that templates name. Values that are computed count as any."""

    def __init__(self, paths: Sequence[Path], besides: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__()
        self.tags, self.attributes = set(ELEMENTS_WITHOUT_TAGS), set(besides)
        for path in paths:
            self.feed(re.sub(r"\{%.*?%\}", " ", path.read_text(), flags=re.DOTALL))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes |= {(name, ""), (name, value or "")}

    def has(self, selector: Sequence[Any]) -> bool:
        """Whether this selector, as tokens, can match: every element and attribute in it is used."""
        if "host" in (getattr(token, "lower_value", getattr(token, "lower_name", "")) for token in selector):
            return False  # nothing has a shadow tree
        before = None
        for token in selector:
            is_tag = token.type == "ident" and (before is None or before.type != "literal" or before.value not in ":.")
            if is_tag and token.lower_value not in self.tags:
                return False
            if token.type == "[] block" and not self._has_attribute(token.content):
                return False
            if token.type == "function" and token.lower_name in ("is", "where") and not self._has_any(token.arguments):
                return False
            if token.type == "literal" and token.value == ".":
                return False  # Pico without classes has none that we use
            before = token
        return True

    def _has_any(self, selectors: Sequence[Any]) -> bool:
        return any(self.has(selector) for selector in between_commas(selectors))

    def _has_attribute(self, content: Sequence[Any]) -> bool:
        name, *rest = [token for token in content if token.type in ("ident", "string")]
        return (name.value, rest[0].value if rest else "") in self.attributes


def between_commas(tokens: Sequence[Any]) -> Iterator[list[Any]]:
    part: list[Any] = []
    for token in tokens:
        if token.type == "literal" and token.value == ",":
            yield part
            part = []
        else:
            part.append(token)
    yield part


def pico_rules(text: str, used: Used) -> str:
    """Those rules that can match, as text."""
    return "".join(_kept(tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True), used))


def _kept(rules: Sequence[Rule], used: Used) -> Iterator[str]:
    for rule in rules:
        if rule.type == "at-rule" and rule.lower_at_keyword == "media":
            inside = "".join(_kept(tinycss2.parse_rule_list(rule.content, True, True), used))
            if inside and "print" not in tinycss2.serialize(rule.prelude):
                yield f"@media{tinycss2.serialize(rule.prelude)}{{{inside}}}"
        elif rule.type == "qualified-rule":
            parts = [tinycss2.serialize(part).strip() for part in between_commas(rule.prelude) if used.has(part)]
            if parts:
                yield f"{','.join(parts)}{{{tinycss2.serialize(rule.content)}}}"


def without_idle_variables(pico: str, ours: str) -> str:
    """Without the variables that no rule reads, and without the whole page's where ours set them for every theme."""
    ours_set = set(re.findall(r"(--pico-[\w-]+):", (CSS / "tokens.css").read_text()))
    before = ""
    while pico != before:
        before, read = pico, set(re.findall(r"var\((--[\w-]+)", pico + ours))
        pico = RULE.sub(lambda rule: _rule_without(rule, read, ours_set), pico)  # noqa: B023  it is called at once
        pico = EMPTY.sub("", EMPTY.sub("", pico))
    return pico


def _rule_without(rule: re.Match[str], read: set[str], ours_set: set[str]) -> str:
    selector, body = rule.groups()
    idle = ours_set if OF_THE_PAGE.fullmatch(selector.strip()) else set()
    kept = VARIABLE.sub(lambda found: found[0] if found[1] in read - idle else "", body)
    return f"{selector}{{{kept}}}"


def small(css: str) -> str:
    """Without comments and the spaces that mean nothing; what cannot be seen is written as CSS escapes it."""
    css = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL))
    css = re.sub(r"(?<=[a-z]): (?=[^ ])", ":", re.sub(r" ?([{};,]) ?", r"\1", css)).replace(";}", "}").strip()
    return css.replace("\u200b", "\\200b ")


def first_picture(css: str) -> str:
    """Without what is not seen before somebody does something."""
    return "".join(_seen_at_first(tinycss2.parse_stylesheet(css, skip_whitespace=True)))


def _seen_at_first(rules: Sequence[Rule]) -> Iterator[str]:
    for rule in rules:
        text = str(tinycss2.serialize(rule.prelude)).strip() if hasattr(rule, "prelude") else ""
        if rule.type == "qualified-rule":
            parts = (tinycss2.serialize(part).strip() for part in between_commas(rule.prelude))
            selectors = [part for part in parts if not LATER.search(re.sub(r":not\([^)]*\)", "", part))]
            body = ";".join(_declared_at_first(rule.content))
            if selectors and body:
                yield f"{','.join(selectors)}{{{body}}}"
        elif rule.type == "at-rule" and rule.content is not None:
            inside = "".join(_seen_at_first(tinycss2.parse_rule_list(rule.content, True, True)))
            if inside and not re.search(r"print|reduced-motion", text):
                yield f"@{rule.at_keyword} {text}{{{inside}}}"
        else:
            yield tinycss2.serialize([rule])


def _declared_at_first(content: Sequence[Any]) -> Iterator[str]:
    for declaration in tinycss2.parse_declaration_list(content, skip_whitespace=True):
        if not LATER_DECLARATION.match(declaration.name):
            value = tinycss2.serialize(declaration.value).strip()
            yield f"{declaration.name}:{value}{' !important' * declaration.important}"


def built() -> dict[str, str]:
    """The two files by name."""
    templates = {path for pattern in OF_THE_BOARD for path in TEMPLATES.glob(pattern)}
    templates -= {TEMPLATES / name for name in FORM_OF_THE_BOARD}
    boards = Used([*templates, *(TAGS / f"{name}.py" for name in TAGS_OF_THE_BOARD)])
    everything = Used(
        [
            *(path for path in TEMPLATES.rglob("*.html") if "admin" not in path.relative_to(TEMPLATES).parts),
            *TAGS.glob("*.py"),
        ],
        OF_FIELDS,
    )
    ours = {name: small((CSS / f"{name}.css").read_text()) for name in (*FIRST, *MORE)}
    text = PICO.read_text()
    for_all = without_idle_variables(pico_rules(text, everything), "".join(ours.values()))
    of_boards = first_picture("".join(ours[name] for name in FIRST))
    for_boards = without_idle_variables(first_picture(pico_rules(for_all, boards)), of_boards)
    paper = f"@media print{{{small((CSS / 'print.css').read_text())}}}\n"
    first = f"{NOTICE}{LAYERS}@layer pico{{{small(for_boards)}}}{of_boards}\n"
    all_of_it = f"{NOTICE}{LAYERS}@layer pico{{{small(for_all)}}}" + "".join(ours[name] for name in (*FIRST, *MORE))
    return {"first.css": first, "all.css": all_of_it + paper}


def main(arguments: Sequence[str]) -> int:
    BUILT.mkdir(exist_ok=True)
    stale = [name for name, css in built().items() if not _is(BUILT / name, css)]
    if "--check" in arguments:
        for name in stale:
            sys.stderr.write(f"static/built/{name} is not what the style sheets say: run bin/styles\n")
        return 1 if stale else 0
    for name in stale:
        (BUILT / name).write_text(built()[name])
    return 0


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
