"""How often the search for telltale columns catches a planted leak, and how often it cries wolf.

Plants every kind of leak of the list below in generated tables, in scikit-learn's bundled ones,
and with ``--data FILE --target COLUMN`` in a Parquet file of yours; then searches the clean
tables too. Prints one line for each kind of leak and each kind of clean table.

    python benchmarks/leakage.py --repeats 3 --data data/adult/adult.parquet --target income
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.measure.leakage import telltales
from penstock.measure.matrix import Matrix, as_text
from penstock.records import Column, Layout


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


def bundled(name: str) -> Problem:
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")()
    return Problem(_frame(data.data.astype(float)), data.target, name != "diabetes")


CLEAN: dict[str, Callable[[np.random.Generator, int], Problem]] = {
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
    "iris": lambda r, n: bundled("iris"),
    "wine": lambda r, n: bundled("wine"),
    "breast cancer": lambda r, n: bundled("breast_cancer"),
    "digits": lambda r, n: bundled("digits"),
    "diabetes": lambda r, n: bundled("diabetes"),
}
HOSTS = ["logistic, correlated", "random forest", "clusters, many informative", "mixed",
         "mixed, four classes", "mixed, rare class", "sex-like", "friedman",
         "linear, correlated"]  # fmt: skip
"""Clean tables in which leaks are planted."""

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
    "two copies, exact": lambda r, y: {"z": _text(y), "w": y * 2},
    "two copies, 15% flipped": lambda r, y: {
        "z": _text(flipped(r, y, 0.15)), "w": flipped(r, y, 0.15)
    },
    "pair, agreement, 10% flipped": lambda r, y: _agreement(r, flipped(r, y, 0.1)),
    "pair, agreement": lambda r, y: _agreement(r, y),
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


def _agreement(rng: np.random.Generator, y: np.ndarray) -> dict[str, np.ndarray]:
    k = int(y.max()) + 1
    key = rng.integers(0, k, len(y))
    return {"z": _text(key), "w": (key + y) % k}


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


# --------------------------------------------------------------------------------- running


def search(problem: Problem, seed: int) -> list[str]:
    """Names of what was found."""
    arrays = {name: pa.array(list(column)) for name, column in problem.table.items()}
    table = pa.table(arrays)
    columns = [
        Column(
            name=name,
            modality="numeric" if pa.types.is_floating(c.type) or pa.types.is_integer(c.type)
            else "category",
            arrow_type=str(c.type),
        )
        for name, c in zip(table.column_names, table.columns, strict=True)
    ]  # fmt: skip
    layout = Layout(columns=columns, target="", task="classification")
    matrix = Matrix.learn(table, layout)
    found = telltales(
        matrix.apply(table), matrix.names, matrix.categorical, problem.label,
        problem.is_classification, seed,
    )  # fmt: skip
    return [f"{t.name} ({t.signature}, alone {t.alone:.3f}, rest {t.rest:.3f},"
            f" given label {t.given_label:+.3f}, given column {t.given_column:+.3f})"
            for t in found.telltales]  # fmt: skip


def caught(found: list[str], planted: set[str]) -> bool:
    """Whether every planted column is named and no other."""
    named = {part for text in found for part in text.split(" (")[0].split(" + ")}
    return named == planted


def read(path: str, target: str, rows: int) -> Problem:
    """Rows of a Parquet file; a column named ``fold`` is left out."""
    table = pq.read_table(path)
    rng = np.random.default_rng(0)
    table = table.take(np.sort(rng.permutation(table.num_rows)[: rows * 4]))
    label = as_text(table[target]).to_numpy()
    columns = {n: np.array(table[n].to_pylist(), dtype=object) for n in table.column_names}
    columns = {n: c for n, c in columns.items() if n not in (target, "fold")}
    return Problem(columns, np.unique(label, return_inverse=True)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 5_000])
    parser.add_argument("--data", default="")
    parser.add_argument("--target", default="")
    parser.add_argument("--only", default="", help="clean or leaks")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    hosts = {kind: CLEAN[kind] for kind in HOSTS}
    clean = dict(CLEAN)
    if args.data:
        own = read(args.data, args.target, max(args.rows))
        clean[args.data] = hosts[args.data] = lambda r, n: own
    began = time.perf_counter()
    if args.only != "leaks":
        _report("clean table", "false alarms", _clean(clean, args))
    if args.only != "clean":
        _report("planted leak", "caught", _leaks(hosts, args))
    print(f"{time.perf_counter() - began:.0f} s")


def _clean(clean: dict[str, Any], args: argparse.Namespace) -> dict[str, list[bool]]:
    result: dict[str, list[bool]] = {}
    for kind, generate in clean.items():
        for n in args.rows:
            for seed in range(args.repeats):
                found = search(generate(np.random.default_rng([seed, n]), n), seed)
                result.setdefault(kind, []).append(bool(found))
                if found and args.verbose:
                    print("  false alarm:", kind, n, seed, found, flush=True)
    return result


def _leaks(hosts: dict[str, Any], args: argparse.Namespace) -> dict[str, list[bool]]:
    result: dict[str, list[bool]] = {}

    def one(kind: str, host: str, n: int, seed: int, problem: Problem, planted: set[str]) -> None:
        found = search(problem, seed)
        result.setdefault(kind, []).append(caught(found, planted))
        if args.verbose and not result[kind][-1]:
            print("  missed:", kind, "in", host, n, seed, found, flush=True)

    for host, generate in hosts.items():
        for n in args.rows:
            for seed in range(args.repeats):
                rng = np.random.default_rng([seed, n])
                problem = generate(rng, n)
                leaks = CLASS_LEAKS if problem.is_classification else VALUE_LEAKS
                for kind, plant in leaks.items():
                    extra = plant(rng, problem.label)
                    table = {**problem.table, **extra}
                    one(kind, host, n, seed, replace(problem, table=table), set(extra))
                one("noise in the label", host, n, seed, noisy_label(rng, problem), {"z"})
    return result


def _report(what: str, rate: str, result: dict[str, list[bool]]) -> None:
    print(f"{what:40s} {rate}")
    for kind, hits in result.items():
        print(f"{kind[-40:]:40s} {sum(hits):3d} of {len(hits):3d}")
    hits = [hit for row in result.values() for hit in row]
    print(f"{'all':40s} {sum(hits):3d} of {len(hits):3d} = {np.mean(hits):.1%}", flush=True)


if __name__ == "__main__":
    main()
