"""Retraining orders on disk."""

import multiprocessing
import time

import pytest

from penstock.adapters.orders import Orders
from penstock.errors import StoreError
from penstock.outcomes import RetrainOrder


def order(name: str, status: str = "open") -> RetrainOrder:
    return RetrainOrder(id=name, model="toy", status=status, asked_at="2026-01-01T00:00:00+00:00")


def test_the_last_word_about_an_order_counts(tmp_path):
    orders = Orders(tmp_path, "toy/x")
    assert orders.history() == []
    orders.keep(order("a"))
    orders.keep(order("b", "declined"))
    orders.keep(order("a", "done"))
    assert [(o.id, o.status) for o in orders.history()] == [("a", "done"), ("b", "declined")]
    assert [path.name for path in (tmp_path / "retraining").iterdir()] == ["toy_x.jsonl"]


def test_a_line_cut_short_is_no_order_and_a_wrong_one_is_named(tmp_path):
    orders = Orders(tmp_path, "toy")
    orders.keep(order("a"))
    with orders.path.open("a") as file:
        file.write('{"id": "b", "mod')
    orders.keep(order("c"))
    assert [o.id for o in orders.history()] == ["a", "c"]
    with orders.path.open("a") as file:
        file.write('{"id": "b"}\n')
    with pytest.raises(StoreError, match=r"toy\.jsonl:3"):
        orders.history()


def hold(home, ready, seconds):
    with Orders(home, "toy").turn(wait=True):
        ready.set()
        time.sleep(seconds)


def test_turns_are_taken_one_after_the_other_and_a_dead_process_gives_its_back(tmp_path):
    ready = multiprocessing.Event()
    other = multiprocessing.Process(target=hold, args=(tmp_path, ready, 60))
    other.start()
    assert ready.wait(30)
    with Orders(tmp_path, "toy").turn(wait=False) as ours:
        assert not ours
    with Orders(tmp_path, "other").turn(wait=False) as ours:
        assert ours
    other.kill()
    other.join()
    with Orders(tmp_path, "toy").turn(wait=True) as ours:
        assert ours
