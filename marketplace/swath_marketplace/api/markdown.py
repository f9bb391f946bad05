"""What users write in Markdown, as HTML that cannot act: no markup of theirs passes, no address in it is fetched."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from functools import cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

#: Where a picture of the text's own files is read; ``None`` where it has none of that path.
Read = Callable[[str], bytes | None]

_TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a", "img"),
    *("table", "thead", "tbody", "tr", "th", "td", "h2", "h3", "h4", "h5", "h6"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "ol": {"start"}}
_REL = "nofollow noopener noreferrer ugc"
#: A page stays small: larger pictures become links.
_MOST_PICTURE_BYTES = 64 << 10
_MOST_PICTURES = 4
_MOST_CHARACTERS = 100_000
_SIGNS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
_OWN_FILE = re.compile(r"(?:\./)?([A-Za-z0-9_][A-Za-z0-9_./-]{0,299})")
_DATA = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]{1,100000}")


def to_html(text: str, *, files_href: str = "", read: Read | None = None, titled: bool = False) -> Markup:
    """`text` as HTML, a section of a page: its headings begin below the page's own.

    Parameters
    ----------
    files_href
        Where the text's own files are, without a last slash: relative links lead there. Without it they lead nowhere.
    read
        Reads those of them that are pictures; small ones are shown, in the page itself.
    titled
        Whether the page has the text's title already: a heading of the first rank at its beginning is left out.
    """
    tokens = _parser().parse(text[:_MOST_CHARACTERS])
    if titled and [token.tag for token in tokens[:1]] == ["h1"]:
        del tokens[:3]
    _Walk(files_href=files_href, read=read).over(tokens)
    html = _parser().renderer.render(tokens, _parser().options, {})
    clean = nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel=_REL,
        attribute_filter=_attribute,
        strip_comments=True,
    )
    return Markup(clean)  # noqa: S704 - what nh3 let pass


@cache
def _parser() -> MarkdownIt:
    # No HTML of the author's, no automatic links; `data:` links that the parser lets pass are looked at below.
    return MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])


def _attribute(tag: str, attribute: str, value: str) -> str | None:
    if tag == "img" and attribute == "src":
        return value if _DATA.fullmatch(value) else None
    if tag == "a" and attribute == "href":
        return None if value.lower().startswith("data:") else value
    return value


class _Walk:
    """Mends headings, links and pictures of one text."""

    def __init__(self, *, files_href: str, read: Read | None) -> None:
        self._files_href = files_href
        self._read = read
        self._pictures = 0

    def over(self, tokens: list[Token]) -> None:
        for token in tokens:
            if token.type in ("heading_open", "heading_close"):
                token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
            if token.children:
                token.children = [self._inline(child) for child in token.children]

    def _inline(self, token: Token) -> Token:
        if token.type == "link_open":
            token.attrs["href"] = self._address(str(token.attrs.get("href", "")))
        elif token.type == "image":
            return self._picture(token)
        return token

    def _address(self, href: str) -> str:
        """Where a link leads: elsewhere, to a file beside the text, or nowhere."""
        if href.startswith(("https://", "http://", "mailto:")):
            return href
        own = _OWN_FILE.fullmatch(href)
        return f"{self._files_href}/{own[1]}" if own and self._files_href and ".." not in href else "#"

    def _picture(self, token: Token) -> Token:
        source = str(token.attrs.get("src", ""))
        if _DATA.fullmatch(source):
            return token
        shown = self._shown(source)
        if shown:
            token.attrs["src"] = shown
            return token
        # Its words stand for it; an address elsewhere is not fetched, by nobody's browser.
        words = token.content or "a picture"
        return Token("text", "", 0, content=f"[{words}]")

    def _shown(self, source: str) -> str:
        own = _OWN_FILE.fullmatch(source)
        if own is None or self._read is None or ".." in source or self._pictures >= _MOST_PICTURES:
            return ""
        content = self._read(own[1])
        media_type = next((kind for sign, kind in _SIGNS.items() if content and content.startswith(sign)), None)
        if content is None or media_type is None or len(content) > _MOST_PICTURE_BYTES:
            return ""
        self._pictures += 1
        return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
