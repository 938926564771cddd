"""Mails: what stands in them is read, whatever rule they break."""

import pytest

from penstock.adapters.samples.spam import MAIL, read, shown

HTML = b"<html><title>t</title><style>p {}</style><p>Win <b>&euro;5</b><script>x()</script></html>"


@pytest.mark.parametrize(
    ("raw", "subject", "body"),
    [
        (b"Subject: Hello\n\nIt is me.\r\nBye\r\n", "Hello", "It is me.\nBye"),
        (b"From: a@b\n\nNo subject", "", "No subject"),
        (b"SUBJECT: folded\n line\n\n", "folded line", ""),
        (b"Subject: =?iso-8859-1?Q?Gr=FC=DFe?= an =?utf-8?B?w6k=?=\n\n.", "Grüße an é", "."),
        (b"Subject: =?gb2312?B?xOO6ww==?=\n\n.", "你好", "."),
        (b"Subject: =?nonsense?Q?caf=E9?=\n\n.", "café", "."),
        (b"Subject: =?utf-8?B?a?=\n\n.", "=?utf-8?B?a?=", "."),
        ("Subject: Grüße\n\n.".encode(), "Grüße", "."),
        ("Subject: Grüße\n\nfür 5 €".encode("cp1252"), "Grüße", "für 5 €"),
        (b"Content-Type: text/plain; charset=koi8-r\n\n\xf0\xf2\xe9", "", "ПРИ"),
        (b"Content-Type: text/plain; charset=DEFAULT_CHARSET\n\ncaf\xe9", "", "café"),
        (b"Content-Type: text/plain; charset=hex\n\nzz", "", "zz"),
        (b'Content-Type: text/plain; charset="us-ascii\n\nabc', "", "abc"),
        (b"Content-Type: text/html\n\n" + HTML, "", "Win €5"),
        (b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\naGVsbG8=", "", "hello"),
        (b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n!!", "", ""),
        (b"Content-Type: text/plain\nContent-Transfer-Encoding: what\n\nhi", "", "hi"),
        (b"Content-Type: multipart/mixed; boundary=never\n\nnothing", "", ""),
        (b"Content-Type: multipart/mixed\n\nnothing", "", ""),
        (b"", "", ""),
        (b"\x00\xff\xfe", "", "ÿþ"),
    ],
)
def test_what_a_mail_says(raw, subject, body):
    assert read(raw) == {"subject": subject, "body": body}


def test_plain_text_comes_before_a_page_and_attachments_are_left_out():
    raw = b"""Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/html

<p>page
--x
Content-Type: text/plain

plain
--x
Content-Type: text/plain
Content-Disposition: attachment; filename=secret.txt

secret
--x--
"""
    assert read(raw)["body"] == "plain"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>a<!-- b --> c", "a c"),
        ("<![if !supportEmptyParas]>x<![endif]>", "x"),
        ("<![broken[ <b>x</b>", "x"),
        ("a &lt; b &nosuch; <unclosed", "a < b &nosuch;"),
        ("<style>p{}", ""),
    ],
)
def test_a_page_shows_its_text_however_broken(page, text):
    assert shown(page).startswith(text)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("easy_ham/00001.7c53336b37003a9286aba55d2945844c", "easy_ham"),
        ("easy_ham_2/00001.1a", "easy_ham_2"),
        ("hard_ham/0001.2f", "hard_ham"),
        ("spam_2/00001.3b", "spam_2"),
        ("./spam/00001.3b", "spam"),
        ("spam/cmds", None),
        ("other/00001.3b", None),
    ],
)
def test_a_mail_is_told_by_where_it_lies(name, folder):
    match = MAIL.fullmatch(name)
    assert (match["folder"] if match else None) == folder
