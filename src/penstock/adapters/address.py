"""Addresses as people write them: without secrets, ``${NAME}`` filled from the environment.

One spelling for sources and sinks: a path, a URL of files, or a database's URL with
``#table`` behind it.
"""

from __future__ import annotations

import os
import re
from urllib.parse import quote, urlsplit

from penstock.errors import BadInput, Mistake

# MLflow names a view of its list of runs by a key that opens nothing
# bounded, so that a long text without any URL costs no more than its length
_USER = re.compile(r"(://)[^\s\"'/@:]{0,100}(?::(?!\d+/)[^\s\"']{0,200})?@")
_QUERY = re.compile(
    r"([?&;](?!viewStateShareKey=)[^=&\s]{0,60}(?:passw|pwd|token|secret|key|sig|credential)[^=&\s]{0,60}=)[^&;\s]+",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_PASSWORD = re.compile(r"(?<=:)\$\{(\w+)\}(?=@)")


def without_secrets(text: str) -> str:
    """The text with user names, passwords and tokens in URLs blanked.

    Examples
    --------
    >>> without_secrets("postgresql://anna:geheim@db/mlflow?sslpassword=x&a=1")
    'postgresql://***@db/mlflow?sslpassword=***&a=1'
    """
    return _QUERY.sub(r"\1***", _USER.sub(r"\1***@", text))


def is_url(text: str) -> bool:
    """Whether this is no path of this machine.

    Examples
    --------
    >>> is_url("s3://bucket/rows.parquet"), is_url("rows/*.csv")
    (True, False)
    """
    return "://" in text


def filled(text: str, where: str) -> str:
    """The text with each ``${NAME}`` replaced by that environment variable.

    A reference that stands where a URL has its password is encoded for it.

    Parameters
    ----------
    text : str
        As the spec or the command line says it.
    where : str
        The field or option, for messages.

    Raises
    ------
    BadInput
        A variable that is not set; a password or token that stands in the text itself, which
        is then not repeated.

    Examples
    --------
    >>> os.environ["SHOP_PASSWORD"] = "a@b"
    >>> filled("postgresql://anna:${SHOP_PASSWORD}@db/shop", "data.source")
    'postgresql://anna:a%40b@db/shop'
    """
    _require_no_secret(text, where)
    missing = [name for name in _REFERENCE.findall(text) if not os.environ.get(name)]
    if missing:
        raise BadInput(
            Mistake(
                "${NAME} stands for an environment variable",
                f"{', '.join(dict.fromkeys(missing))} is not set",
                where,
                "set it where penstock and its workers run",
            )
        )
    text = _PASSWORD.sub(lambda found: quote(os.environ[found[1]], safe=""), text)
    return _REFERENCE.sub(lambda found: os.environ[found[1]], text)


def _require_no_secret(text: str, where: str) -> None:
    bare = _REFERENCE.sub("", text)
    if is_url(bare) and (urlsplit(bare).password or _QUERY.search(bare)):
        raise BadInput(
            Mistake(
                "an address holds no password or token: files are copied and logged",
                without_secrets(text),
                where,
                "put the secret into an environment variable and write ${NAME} in its place",
            )
        )


def cut_table(text: str) -> tuple[str, str]:
    """A database's address without its ``#table``, and that table.

    Examples
    --------
    >>> cut_table("sqlite:///shop.db#orders"), cut_table("${SHOP_DB_URL}")
    (('sqlite:///shop.db', 'orders'), ('${SHOP_DB_URL}', ''))
    """
    address, _, table = text.partition("#")
    return address, table


def is_database(url: str) -> bool:
    """Whether a URL is a database's: its scheme is none that files are read by.

    Examples
    --------
    >>> is_database("sqlite:///shop.db"), is_database("s3://bucket/rows.csv"), is_database("a.csv")
    (True, False, False)
    """
    if not is_url(url):
        return False
    import fsspec

    return url.partition("://")[0].rpartition("::")[2] not in fsspec.available_protocols()
