"""Clean tables and planted leaks for benchmarks/leakage.py.

Every clean table is honest: its columns were made before, or beside, the label and not from it,
or from it in the way that symptoms are made by a disease, all columns alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass
class Problem:
    """A table and its label: class codes, or values."""

    table: dict[str, np.ndarray]
    label: np.ndarray
    is_classification: bool = True


# ----------------------------------------------------------------------------- clean tables


def _frame(x: np.ndarray) -> dict[str, np.ndarray]:
    return {f"x{i}": column for i, column in enumerate(x.T)}


def logistic(rng: np.random.Generator, n: int, weights: list[float], rho: float = 0.0) -> Problem:
    d = len(weights)
    x = rng.normal(size=(n, d)) * np.sqrt(1 - rho) + np.sqrt(rho) * rng.normal(size=(n, 1))
    p = 1 / (1 + np.exp(-(x @ np.array(weights))))
    return Problem(_frame(x), (rng.random(n) < p).astype(int))


def trees(rng: np.random.Generator, n: int) -> Problem:
    from sklearn.ensemble import RandomForestClassifier

    x = rng.normal(size=(n, 8)) @ rng.normal(size=(8, 8))
    x[:, 6:] = np.round(x[:, 6:])
    small, y = x[:300], rng.integers(0, 2, 300)
    forest = RandomForestClassifier(20, max_depth=6, random_state=0).fit(small, y)
    p = forest.predict_proba(x)[:, 1]
    p = 1 / (1 + np.exp(-(p - np.median(p)) * 20))
    return Problem(_frame(x), (rng.random(n) < p).astype(int))


def clusters(rng: np.random.Generator, n: int, **kind: Any) -> Problem:
    from sklearn.datasets import make_classification

    seed = int(rng.integers(2**31))
    x, y = make_classification(n, random_state=seed, **kind)
    return Problem(_frame(x), y)


def bayes(rng: np.random.Generator, n: int, shifts: list[float]) -> Problem:
    y = rng.integers(0, 2, n)
    return Problem(_frame(rng.normal(size=(n, len(shifts))) + y[:, None] * np.array(shifts)), y)


def symptoms(rng: np.random.Generator, n: int) -> Problem:
    y = rng.integers(0, 2, n)
    x = np.where(rng.random((n, 6)) < rng.uniform(0.7, 0.85, 6), y[:, None], 1 - y[:, None])
    return Problem(_frame(x.astype(float)), y)


def sex_like(rng: np.random.Generator, n: int) -> Problem:
    sex, rank = (rng.random(n) < 0.65).astype(int), rng.integers(0, 3, n)
    age, fare = rng.normal(30, 13, n), np.exp(rng.normal(3, 0.7, n) + 0.6 * (2 - rank) - 0.25 * sex)
    p = 1 / (1 + np.exp(-(2.0 - 2.7 * sex - 0.9 * (rank - 0.5) - 0.03 * (age - 30))))
    table = {
        "sex": np.where(sex, "male", "female"), "rank": rank.astype(float), "age": age,
        "fare": fare, "relatives": rng.poisson(0.4 + 0.6 * (1 - sex)).astype(float),
    }  # fmt: skip
    return Problem(table, (rng.random(n) < p).astype(int))


def mixed(rng: np.random.Generator, n: int, classes: int = 2, rare: float = 0.0) -> Problem:
    base = rng.normal(size=(n, 4))
    job = rng.integers(0, 12, n)
    city = np.minimum(rng.geometric(0.2, n), 30)
    hidden = base[:, 0] + 0.7 * base[:, 1] + rng.normal(size=12)[job] + 0.3 * np.sin(city)
    hidden = hidden + rng.normal(size=n)
    cuts = np.quantile(hidden, [1 - rare] if rare else np.linspace(0, 1, classes + 1)[1:-1])
    x4 = 0.8 * base[:, 0] + 0.6 * rng.normal(size=n)
    table = {**_frame(np.column_stack([base, x4])), "job": np.array([f"j{j}" for j in job]),
             "city": np.array([f"c{c}" for c in city])}  # fmt: skip
    return Problem(table, np.searchsorted(cuts, hidden))


def friedman(rng: np.random.Generator, n: int, noise: float = 1.0) -> Problem:
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(n, noise=noise, random_state=int(rng.integers(2**31)))
    return Problem(_frame(x), y, is_classification=False)


def linear(rng: np.random.Generator, n: int, weights: list[float], rho: float = 0.0) -> Problem:
    d = len(weights)
    x = rng.normal(size=(n, d)) * np.sqrt(1 - rho) + np.sqrt(rho) * rng.normal(size=(n, 1))
    y = np.exp(0.5 * (x @ np.array(weights) + rng.normal(size=n)))
    return Problem(_frame(x), y, is_classification=False)


def gaussians(rng: np.random.Generator, n: int) -> Problem:
    """Two to six columns, each shifted by the class and by nothing else."""
    return bayes(rng, n, list(rng.uniform(0.3, 2.5, rng.integers(2, 7))))


def random_logistic(rng: np.random.Generator, n: int) -> Problem:
    weights = rng.normal(0, rng.uniform(0.3, 1.5), rng.integers(3, 21))
    return logistic(rng, n, list(weights), rho=float(rng.choice([0.0, 0.3, 0.6])))


def random_clusters(rng: np.random.Generator, n: int) -> Problem:
    classes, informative = int(rng.integers(2, 5)), int(rng.integers(3, 9))
    return clusters(
        rng, n, n_classes=classes, n_informative=informative, n_redundant=int(rng.integers(0, 4)),
        n_features=informative + int(rng.integers(4, 12)), class_sep=rng.uniform(0.5, 2.0),
        flip_y=float(rng.choice([0.0, 0.01, 0.1])), n_clusters_per_class=int(rng.integers(1, 3)),
    )  # fmt: skip


def random_linear(rng: np.random.Generator, n: int) -> Problem:
    from sklearn.datasets import make_regression

    x, y = make_regression(
        n, n_features=int(rng.integers(3, 20)), n_informative=int(rng.integers(2, 10)),
        noise=float(rng.choice([0.5, 5.0, 20.0, 80.0])), random_state=int(rng.integers(2**31)),
    )  # fmt: skip
    return Problem(_frame(x), y, is_classification=False)


def dominated(rng: np.random.Generator, n: int, share: float = 0.8) -> Problem:
    """One column explains this share of the variance, the others and noise the rest."""
    d = int(rng.integers(3, 10))
    x = rng.normal(size=(n, d))
    others = x[:, 1:] @ rng.normal(size=d - 1)
    left = np.sqrt(rng.uniform(0.2, 0.8))
    left = left * others / others.std() + np.sqrt(1 - left**2) * rng.normal(size=n)
    y = np.sqrt(share) * x[:, 0] + np.sqrt(1 - share) * left
    return Problem(_frame(x), y, is_classification=False)


def friedmans(rng: np.random.Generator, n: int, which: int) -> Problem:
    from sklearn import datasets

    x, y = getattr(datasets, f"make_friedman{which}")(n, random_state=int(rng.integers(2**31)))
    return Problem(_frame(x), y + 0.1 * y.std() * rng.normal(size=n), is_classification=False)


def one_tree(rng: np.random.Generator, n: int, is_classification: bool) -> Problem:
    """The target is one random tree of depth four, with or without noise."""
    d = int(rng.integers(4, 10))
    x = rng.normal(size=(n, d))
    x[:, : d // 2] = np.round(2 * x[:, : d // 2])
    leaf = np.zeros(n, np.int64)
    for _ in range(4):
        columns, cuts = rng.integers(0, d, leaf.max() + 1), rng.normal(0, 0.5, leaf.max() + 1)
        leaf = 2 * leaf + (x[np.arange(n), columns[leaf]] > cuts[leaf])
    value = rng.normal(size=16)[leaf]
    value = value + float(rng.choice([0.1, 0.5, 1.0])) * rng.normal(size=n)
    return Problem(_frame(x), (value > np.median(value)).astype(int) if is_classification
                   else value, is_classification)  # fmt: skip


def two_columns(rng: np.random.Generator, n: int, is_classification: bool) -> Problem:
    weights = list(rng.uniform(0.3, 3.0, 2))
    if is_classification:
        return logistic(rng, n, weights, float(rng.choice([0.0, 0.5])))
    return linear(rng, n, weights, float(rng.choice([0.0, 0.5])))


def small_integers(rng: np.random.Generator, n: int) -> Problem:
    d, top = int(rng.integers(3, 9)), int(rng.integers(2, 7))
    x = rng.integers(0, top, size=(n, d))
    hidden = x @ rng.normal(size=d) + rng.uniform(0.2, 2) * rng.logistic(size=n)
    return Problem(_frame(x), (hidden > np.median(hidden)).astype(int))


def survey(rng: np.random.Generator, n: int) -> Problem:
    """Answers from 1 to 5 that share two attitudes; the label follows attitudes and answers."""
    attitudes = rng.normal(size=(n, 2))
    x = attitudes @ rng.normal(size=(2, 10)) + rng.normal(size=(n, 10))
    x = np.clip(np.round(3 + x), 1, 5).astype(int)
    hidden = attitudes @ [1.0, 0.5] + 0.4 * (x[:, :3] - 3) @ rng.normal(size=3)
    hidden = hidden + rng.uniform(0.5, 2) * rng.normal(size=n)
    return Problem(_frame(x), (hidden > np.quantile(hidden, 0.6)).astype(int))


def attitude(rng: np.random.Generator, n: int) -> Problem:
    """The label is a cut through one hidden number that every answer shows with noise."""
    hidden = rng.normal(size=n)
    d = int(rng.integers(4, 12))
    x = hidden[:, None] * rng.uniform(0.3, 1.5, d) + rng.normal(size=(n, d))
    return Problem(_frame(np.round(2 * x)), (hidden > 0.3).astype(int))


def titanic_like(rng: np.random.Generator, n: int) -> Problem:
    problem = sex_like(rng, n)
    rank, fare = problem.table["rank"], problem.table["fare"]
    deck = np.array([f"{'ABCDE'[int(k)]}" for k in rng.integers(0, 5, n)], dtype=object)
    deck[rng.random(n) < 0.35 + 0.3 * rank] = None
    age = _holes(rng, problem.table["age"], 0.2)
    port = np.where(rng.random(n) < 0.2, "C", np.where(fare > np.median(fare), "S", "Q"))
    return replace(problem, table={**problem.table, "age": age, "deck": deck, "port": port})


def houses(rng: np.random.Generator, n: int) -> Problem:
    """Income, age, rooms, place and a price, with a ceiling on the price."""
    income, place = rng.lognormal(1.2, 0.45, n), rng.normal(size=(n, 2))
    rooms, age = 2 + 0.6 * income + rng.normal(0, 1, n), rng.integers(1, 53, n).astype(float)
    people = rng.lognormal(7, 0.7, n)
    price = 0.42 * income + 0.1 * rooms + 0.008 * age + 0.5 * np.exp(-(place**2).sum(1))
    price = np.minimum(np.exp(np.log(price) + 0.3 * rng.normal(size=n)), 5.0)
    table = {"income": income, "rooms": rooms, "age": age, "people": people,
             "lat": place[:, 0], "lon": place[:, 1]}  # fmt: skip
    return Problem(table, price, is_classification=False)


def bundled(rng: np.random.Generator, name: str) -> Problem:
    """Four in five rows of a table that scikit-learn carries."""
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")()
    rows = rng.permutation(len(data.target))[: len(data.target) * 4 // 5]
    return Problem(_frame(data.data.astype(float)[rows]), data.target[rows], name != "diabetes")


Generator = Callable[[np.random.Generator, int], Problem]
CLEAN: dict[str, Generator] = {
    "logistic, ten equal": lambda r, n: logistic(r, n, [0.5] * 10),
    "logistic, correlated": lambda r, n: logistic(r, n, [0.8, 0.5, 0.3, 0.3, 0.2, 0.1], 0.4),
    "logistic, one dominant": lambda r, n: logistic(r, n, [2.0, 0.4, 0.3, 0.3, 0.2, 0.2]),
    "logistic, very dominant": lambda r, n: logistic(r, n, [5.0, 1.0, 0.8, 0.5, 0.5, 0.0]),
    "logistic, dominant correlated": lambda r, n: logistic(r, n, [2.5, 0.5, 0.3, 0.0], 0.3),
    "logistic, two columns": lambda r, n: logistic(r, n, [1.5, 1.0]),
    "logistic, three columns": lambda r, n: logistic(r, n, [3.0, 1.0, 0.3]),
    "random forest": trees,
    "clusters": lambda r, n: clusters(r, n),
    "clusters, many informative": lambda r, n: clusters(r, n, n_informative=10, n_features=20),
    "clusters, easy": lambda r, n: clusters(r, n, class_sep=2.5, n_informative=4),
    "clusters, three classes": lambda r, n: clusters(r, n, n_classes=3, n_informative=5),
    "clusters, hidden pair": lambda r, n: clusters(
        r, n, n_informative=2, n_redundant=0, n_features=8, class_sep=1.2, flip_y=0.01
    ),
    "naive Bayes": lambda r, n: bayes(r, n, [1.0, 1.2, 0.9, 1.1, 0.8, 1.0]),
    "naive Bayes, strong": lambda r, n: bayes(r, n, [2.0, 2.2, 1.8, 2.1, 1.5]),
    "naive Bayes, symptoms": symptoms,
    "sex-like": sex_like,
    "mixed": mixed,
    "mixed, four classes": lambda r, n: mixed(r, n, 4),
    "mixed, rare class": lambda r, n: mixed(r, n, rare=0.05),
    "friedman": friedman,
    "friedman, little noise": lambda r, n: friedman(r, n, 0.1),
    "linear, one dominant": lambda r, n: linear(r, n, [4.0, 1.0, 0.5, 0.3]),
    "linear, correlated": lambda r, n: linear(r, n, [1.0, 0.8, 0.5, 0.3], 0.5),
    "gaussians": gaussians,
    "logistic, any": random_logistic,
    "clusters, any": random_clusters,
    "linear, any": random_linear,
    "linear, one explains 80%": dominated,
    "linear, one explains 60%": lambda r, n: dominated(r, n, 0.6),
    "friedman 2": lambda r, n: friedmans(r, n, 2),
    "friedman 3": lambda r, n: friedmans(r, n, 3),
    "one tree": lambda r, n: one_tree(r, n, True),
    "one tree, values": lambda r, n: one_tree(r, n, False),
    "two columns": lambda r, n: two_columns(r, n, True),
    "two columns, values": lambda r, n: two_columns(r, n, False),
    "small integers": small_integers,
    "survey": survey,
    "attitude": attitude,
    "titanic-like": titanic_like,
    "houses": houses,
    "iris": lambda r, n: bundled(r, "iris"),
    "wine": lambda r, n: bundled(r, "wine"),
    "breast cancer": lambda r, n: bundled(r, "breast_cancer"),
    "digits": lambda r, n: bundled(r, "digits"),
    "diabetes": lambda r, n: bundled(r, "diabetes"),
}
BUNDLED = ["iris", "wine", "breast cancer", "digits", "diabetes"]
HOSTS = ["logistic, correlated", "random forest", "clusters, many informative", "mixed",
         "mixed, four classes", "mixed, rare class", "sex-like", "friedman",
         "linear, correlated"]  # fmt: skip
"""Clean tables in which leaks are planted."""
VALUE_HOSTS = ["friedman", "linear, correlated"]

# ----------------------------------------------------------------------------------- leaks


def flipped(rng: np.random.Generator, y: np.ndarray, share: float) -> np.ndarray:
    """Labels of which this share is replaced by another class."""
    k = int(y.max()) + 1
    change = rng.random(len(y)) < share
    return np.where(change, (y + rng.integers(1, k, len(y))) % k, y)


def _text(codes: np.ndarray) -> np.ndarray:
    return np.array([f"level {c}" for c in codes])


def _holes(rng: np.random.Generator, values: np.ndarray, share: float) -> np.ndarray:
    holed = values.astype(object)
    holed[rng.random(len(values)) < share] = None
    return holed


def _rare(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    rare = rng.random(len(values)) < 0.02
    return np.where(rare, _text(100 + rng.integers(0, 15, len(values))), values)


Leak = Callable[[np.random.Generator, np.ndarray], dict[str, np.ndarray]]
CLASS_LEAKS: dict[str, Leak] = {
    "copy, text": lambda r, y: {"z": _text(y)},
    "copy, 5% flipped, int": lambda r, y: {"z": flipped(r, y, 0.05)},
    "copy, 10% flipped, float": lambda r, y: {"z": flipped(r, y, 0.1) * 1.5},
    "copy, 20% flipped, text": lambda r, y: {"z": _text(flipped(r, y, 0.2))},
    "copy, 20% flipped, int": lambda r, y: {"z": flipped(r, y, 0.2)},
    "copy, 15% flipped, bool": lambda r, y: {"z": flipped(r, y, 0.15) == 1},
    "codes A1/A2, 10% flipped": lambda r, y: {
        "z": _text(10 * flipped(r, y, 0.1) + r.integers(0, 3, len(y)))
    },
    "number, noise 0.3": lambda r, y: {"z": y + r.normal(0, 0.3, len(y))},
    "number, exponential": lambda r, y: {"z": np.exp(3 * y + r.normal(0, 0.6, len(y)))},
    "copy, 10% flipped, 30% null": lambda r, y: {"z": _holes(r, _text(flipped(r, y, 0.1)), 0.3)},
    "copy, 20% flipped, 20% null": lambda r, y: {"z": _holes(r, _text(flipped(r, y, 0.2)), 0.2)},
    "copy, 10% flipped, rare levels": lambda r, y: {"z": _rare(r, _text(flipped(r, y, 0.1)))},
    "copy, 20% flipped, float": lambda r, y: {"z": flipped(r, y, 0.2) * 1.5},
    "copy, 20% flipped, bool": lambda r, y: {"z": flipped(r, y, 0.2) == 1},
    "two copies, exact": lambda r, y: {"z": _text(y), "w": y * 2},
    "two copies, 15% flipped": lambda r, y: {
        "z": _text(flipped(r, y, 0.15)), "w": flipped(r, y, 0.15)
    },
    "pair, agreement, 10% flipped": lambda r, y: _agreement(r, flipped(r, y, 0.1)),
    "pair, agreement": lambda r, y: _agreement(r, y),
    "pair, agreement of numbers": lambda r, y: _agreement(r, y, as_text=False),
    "pair, difference": lambda r, y: _difference(r, y, 1.0, 0.0),
    "pair, difference of large numbers": lambda r, y: _difference(r, y, 50.0, 0.0),
    "pair, difference, noise 0.2": lambda r, y: _difference(r, y, 3.0, 0.2),
}  # fmt: skip
VALUE_LEAKS: dict[str, Leak] = {
    "value, times 12": lambda r, y: {"z": 12 * y},
    "value, logarithm": lambda r, y: {"z": np.log(y - y.min() + 1)},
    "value, noise 5% of sd": lambda r, y: {"z": y + r.normal(0, 0.05 * y.std(), len(y))},
    "value, noise 20% of sd": lambda r, y: {"z": y + r.normal(0, 0.2 * y.std(), len(y))},
    "value, noise 20%, 10% null": lambda r, y: {
        "z": _holes(r, y + r.normal(0, 0.2 * y.std(), len(y)), 0.1)
    },
    "value, 10% shuffled": lambda r, y: {
        "z": np.where(r.random(len(y)) < 0.1, r.permutation(y), y)
    },
    "value, difference": lambda r, y: _difference(r, y / y.std(), 3.0, 0.0),
    "value, difference, noise 20%": lambda r, y: _difference(r, y / y.std(), 3.0, 0.2),
}


def _agreement(
    rng: np.random.Generator, y: np.ndarray, as_text: bool = True
) -> dict[str, np.ndarray]:
    k = int(y.max()) + 1
    key = rng.integers(0, k, len(y))
    return {"z": _text(key) if as_text else key, "w": (key + y) % k}


def _difference(
    rng: np.random.Generator, y: np.ndarray, scale: float, noise: float
) -> dict[str, np.ndarray]:
    key = rng.normal(0, scale, len(y))
    return {"z": key, "w": key + y + rng.normal(0, noise or 1e-9, len(y))}


def noisy_label(rng: np.random.Generator, problem: Problem) -> Problem:
    """The label loses 20% of its rows; the column holds the truth."""
    truth = problem.label
    if problem.is_classification:
        label, z = flipped(rng, truth, 0.2), _text(truth)
    else:
        label, z = truth + rng.normal(0, 0.2 * truth.std(), len(truth)), truth
    return replace(problem, table={**problem.table, "z": z}, label=label)
