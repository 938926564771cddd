"""E-mails, wanted and unwanted: what their subject and body say to a reader.

Real mail breaks every rule: bytes beyond ASCII in headers, charsets that nobody knows, parts
without an end. What can be read is read, and no mail is left out.
"""

from __future__ import annotations

import binascii
import email
import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from penstock.adapters.samples.archives import Archive, members
from penstock.errors import BadInput, Mistake

CORPUS = "https://spamassassin.apache.org/old/publiccorpus"
ARCHIVES = tuple(
    Archive(name, f"{CORPUS}/{name}", sha256)
    for name, sha256 in {
        "20030228_easy_ham.tar.bz2": (
            "2b7b65904bcfcc31d2b5f51946f2d261370b257402cbbd62930b46ab83367438"
        ),
        "20030228_easy_ham_2.tar.bz2": (
            "b4bd3dc5ae5b40f38e99a0e41ad7d16b428b56e818e3a6ffa07330d62004dd38"
        ),
        "20030228_hard_ham.tar.bz2": (
            "ce2ce67880643dbde65ea7f85bffbfe4417349c4bd80b6b0de56262ae6b0a9c9"
        ),
        "20030228_spam.tar.bz2": (
            "c08debc32413804949a866be45ef78195cec2cbafd1da744ed76cdb860589743"
        ),
        "20050311_spam_2.tar.bz2": (
            "44280a0e28bf7645b2279e8e42659271ad82c6f40bf8d364dbda7f1df344a765"
        ),
    }.items()
)
"""The last edition of each folder. Apache publishes no checksums; these are what several public
projects, independent of one another, wrote down of their downloads between 2025 and 2026."""

MAIL = re.compile(r"(?:.*/)?(?P<folder>(?:easy_|hard_)?(?:ham|spam)[^/]*)/(?P<name>[0-9]+\.[^/]+)")
"""Where a mail lies: its folder says what it is. ``cmds`` beside them is no mail."""
PASSED_BY = ("script", "style", "title")
"""What stands in a page and is not shown."""


def write(folder: Path, archives: list[Path]) -> None:
    """Write ``mails.parquet``: ``file``, ``subject``, ``body``, ``label``."""
    rows = []
    for archive in archives:
        for name, content in members(archive):
            if match := MAIL.fullmatch(name):
                label = "spam" if match["folder"].startswith("spam") else "ham"
                place = f"{match['folder']}/{match['name']}"
                rows.append({"file": place, **read(content), "label": label})
    if not rows:
        raise BadInput(
            Mistake(
                "the archives hold mails in folders of ham and spam",
                "none",
                ", ".join(path.name for path in archives),
                "use the archives that the card names",
            )
        )
    kinds = pa.schema([(name, pa.string()) for name in ("file", "subject", "body", "label")])
    table = pa.Table.from_pylist(rows, kinds)
    pyarrow.parquet.write_table(table, folder / "mails.parquet", compression="zstd")


def read(content: bytes) -> dict[str, str]:
    """``subject`` and ``body`` of a mail; never fails.

    The body is that of its parts of plain text; where there are none, what its pages show.

    Examples
    --------
    >>> read(b"Subject: =?utf-8?q?caf=C3=A9?=\\nContent-Type: text/html\\n\\n<b>Buy</b> now")
    {'subject': 'café', 'body': 'Buy now'}
    """
    message = email.message_from_bytes(content)
    raw = [value for name, value in message.raw_items() if name.lower() == "subject"]
    texts: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    for part in message.walk():
        kind = part.get_content_type()
        if kind in texts and part.get_content_disposition() != "attachment":
            texts[kind].append(_text(part))
    plain = "\n".join(texts["text/plain"])
    body = plain if plain.strip() else "\n".join(map(shown, texts["text/html"]))
    return {"subject": _clean(_header(raw[0])) if raw else "", "body": _clean(body)}


def _header(raw: str) -> str:
    """An encoded header as it is read."""
    try:
        parts = decode_header(raw)
    except (HeaderParseError, binascii.Error, ValueError):
        parts = [(raw, None)]
    texts = []
    for part, charset in parts:
        content = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        texts.append(_decoded(content, charset))
    return re.sub(r"\s*\n\s*", " ", "".join(texts))


def _text(part: Message) -> str:
    content = part.get_payload(decode=True)
    return _decoded(content, part.get_content_charset()) if isinstance(content, bytes) else ""


def _decoded(content: bytes, charset: str | None) -> str:
    """Bytes as text: in their charset, else as UTF-8, else as Western mail programs wrote."""
    for name in (charset, "utf-8"):
        try:
            return content.decode(name or "ascii")
        except (LookupError, ValueError):  # no such charset, or no such bytes in it
            continue
    return content.decode("cp1252", "replace")


class _Shown(HTMLParser):
    """Collects the text that a page shows."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.passed_by = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin to pass by."""
        self.passed_by = self.passed_by or (tag if tag in PASSED_BY else "")

    def handle_endtag(self, tag: str) -> None:
        """Listen again."""
        if tag == self.passed_by:
            self.passed_by = ""

    def handle_data(self, data: str) -> None:
        """Keep what is shown."""
        if not self.passed_by and data.strip():
            self.texts.append(data)


def shown(page: str) -> str:
    """The text that a page of HTML shows, however broken it is.

    Examples
    --------
    >>> shown("<style>b {}</style><p>Win&nbsp;<b>big</b>")
    'Win big'
    """
    reader = _Shown()
    try:
        reader.feed(page)
        reader.close()
    except AssertionError:  # how html.parser says that a declaration is broken
        return " ".join(re.sub(r"<[^>]*>", " ", page).split())
    return " ".join(" ".join(reader.texts).split())


def _clean(text: str) -> str:
    """One kind of line end; no signs that a table of text cannot hold."""
    text = text.encode("utf-8", "replace").decode("utf-8")  # surrogates of broken bytes
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").strip()
