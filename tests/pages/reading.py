"""Reading a page as a browser would: tags and text, without regular expressions over markup."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from django.http import HttpResponse


@dataclass
class Tag:
    name: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """All tags of a document in order, each with the text directly inside it."""

    tags: list[Tag] = field(default_factory=list)

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags = []
        self._open: list[Tag] = []
        self.feed(markup)

    @classmethod
    def of(cls, response: HttpResponse) -> "Page":
        return cls(response.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(Tag(tag, dict(attrs)))
        self._open.append(self.tags[-1])

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop().name != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1].text += data

    def all(self, name: str, **attributes: str) -> list[Tag]:
        """Tags of this name with these attributes; `class_` stands for class, `_` for a hyphen."""
        wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
        return [tag for tag in self.tags if tag.name == name and wanted.items() <= tag.attributes.items()]

    def texts(self, name: str, **attributes: str) -> list[str]:
        return [" ".join(tag.text.split()) for tag in self.all(name, **attributes)]

    @property
    def is_whole(self) -> bool:
        return bool(self.all("html")) and bool(self.all("main"))
