import pickle

import pytest

from penstock.errors import (
    BadInput,
    Mistake,
    NotServable,
    PenstockError,
    RegistryUnreachable,
    StoreError,
)

FIRST = Mistake("names differ", "two of 'a'", "rows.csv:1", "rename one")


def test_one_mistake_says_where_what_and_what_to_do():
    assert str(BadInput(FIRST)) == (
        "rows.csv:1: names differ\n    found: two of 'a'\n    to do: rename one"
    )


def test_several_mistakes_are_numbered_in_one_message():
    message = str(BadInput(iter([FIRST, Mistake("rows are as long as the header")])))
    assert message.startswith("2 mistakes:\n1. rows.csv:1: names differ")
    assert message.endswith("2. rows are as long as the header")


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (BadInput, ValueError), (StoreError, OSError), (RegistryUnreachable, ConnectionError),
        (NotServable, RuntimeError),
    ],
)  # fmt: skip
def test_errors_refine_builtins_and_cross_processes(error, builtin):
    again = pickle.loads(pickle.dumps(error([FIRST, FIRST])))
    assert isinstance(again, builtin)
    assert isinstance(again, PenstockError)
    assert type(again) is error
    assert again.mistakes == (FIRST, FIRST)
    assert str(again) == str(error([FIRST, FIRST]))
