"""Divide rows into parts, without reading what is in them: codes in, parts out.

Everything is drawn from numpy's own generator, so that a seed means the same division whatever
version of any other library is installed.
"""

from __future__ import annotations

import numpy as np

TRAIN, VALID, TEST = 0, 1, 2
PARTS = ("train", "valid", "test")
NUM_TRIALS = 64
"""Divisions of whole groups that are drawn; the one nearest to what was asked for is kept
(house choice)."""


def units_of(columns: list[np.ndarray]) -> np.ndarray:
    """One number for all rows that are equal in every column.

    Parameters
    ----------
    columns : list of int64[n]
        Codes of each column's values, -1 for null.

    Returns
    -------
    int64[n]
        In [0, number of different rows).

    Examples
    --------
    >>> units_of([np.array([0, 0, 1, 0]), np.array([5, 5, 5, 6])]).tolist()
    [0, 0, 2, 1]
    """
    units = np.zeros(len(columns[0]), np.int64)
    for codes in columns:
        width = int(codes.max()) + 2
        units = np.unique(units * width + codes + 1, return_inverse=True)[1]
        if units.max() + 1 == len(units):
            break
    return units


def stratified(
    units: np.ndarray, strata: np.ndarray, valid: float, test: float, seed: int
) -> np.ndarray:
    """Divide every stratum by the same shares; a unit's rows stay together.

    Parameters
    ----------
    units : int64[n]
        Rows that stay together; all of one stratum.
    strata : int64[n]
        Class codes; all 0 for a plain random division.
    valid, test : float
        Shares of all rows, in [0, 1), together below 1.
    seed : int
        Of the draw.

    Returns
    -------
    int64[n]
        :data:`TRAIN`, :data:`VALID` or :data:`TEST`. Every stratum has rows in train; one with
        too few rows for all parts is in train first. A part whose share is above 0 is not empty
        unless there are too few units.

    Examples
    --------
    >>> parts = stratified(np.arange(20), np.repeat([0, 1], [16, 4]), 0.25, 0.25, seed=0)
    >>> np.bincount(parts[16:]).tolist()
    [2, 1, 1]
    """
    _, first, inverse, sizes = np.unique(
        units, return_index=True, return_inverse=True, return_counts=True
    )
    stratum = strata[first]
    order = np.lexsort((np.random.default_rng(seed).random(len(sizes)), stratum))
    free = np.ones(len(sizes), bool)
    # the first unit of every stratum stays in train
    free[order[np.unique(stratum[order], return_index=True)[1]]] = False
    part = np.full(len(sizes), TRAIN)
    for which, share in ((TEST, test), (VALID, valid)):
        quota = _quotas(strata, share)[stratum]
        waiting = order[free[order] & (sizes[order] <= quota[order])]
        chosen = waiting[_running(sizes[waiting], stratum[waiting]) <= quota[waiting]]
        part[chosen] = which
        free[chosen] = False
    return np.asarray(part[inverse])


def grouped(
    groups: np.ndarray, strata: np.ndarray, valid: float, test: float, seed: int
) -> np.ndarray:
    """Divide whole groups, as near to the shares, in rows and in each stratum, as can be drawn.

    Parameters
    ----------
    groups : int64[n]
        Rows of a group have one number.
    strata, valid, test, seed
        As for :func:`stratified`; a group may hold rows of several strata.

    Returns
    -------
    int64[n]
        Parts. A stratum that no drawn division leaves in train is missing there.

    Examples
    --------
    >>> parts = grouped(np.repeat(np.arange(10), 3), np.zeros(30, int), 0.2, 0.2, seed=0)
    >>> np.bincount(parts).tolist()
    [18, 6, 6]
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    num_strata = int(strata.max()) + 1
    cells = np.bincount(group * num_strata + strata, minlength=len(sizes) * num_strata)
    table = cells.reshape(len(sizes), num_strata)
    rng = np.random.default_rng(seed)
    best, best_cost = np.zeros(len(sizes), np.int64), np.inf
    for _ in range(NUM_TRIALS):
        part = _fill(sizes, rng.permutation(len(sizes)), valid, test)
        cost = _distance(part, sizes, table, (1 - valid - test, valid, test))
        if cost < best_cost:
            best, best_cost = part, cost
    return np.asarray(best[group])


def by_time(times: np.ndarray, valid: float, test: float) -> np.ndarray:
    """The latest rows are test, those before them valid; equal times stay together.

    Parameters
    ----------
    times : float64[n] or int64[n]
        No NaN.
    valid, test : float
        Shares of all rows; the boundary between two times that comes nearest is taken.

    Returns
    -------
    int64[n]
        Parts; with fewer than three different times a part is empty.

    Examples
    --------
    >>> by_time(np.array([5, 1, 2, 2, 4, 3]), 0.2, 0.2).tolist()
    [2, 0, 0, 0, 1, 0]
    """
    distinct, inverse, counts = np.unique(times, return_inverse=True, return_counts=True)
    before = np.concatenate([[0], np.cumsum(counts)])[:-1]
    part = np.full(len(distinct), TRAIN)
    if len(distinct) < 3:
        part[1:] = TEST
        return np.asarray(part[inverse])
    start = 2 + int(np.argmin(np.abs(before[2:] - len(times) * (1 - test))))
    middle = 1 + int(np.argmin(np.abs(before[1:start] - len(times) * (1 - test - valid))))
    part[middle:start], part[start:] = VALID, TEST
    return np.asarray(part[inverse])


def per_user(users: np.ndarray, times: np.ndarray, valid: float, test: float) -> np.ndarray:
    """Of each user the earliest rows train, the latest test; equal times stay together, earlier.

    Parameters
    ----------
    users : int64[n]
        Codes.
    times : float64[n]
        Any unit.
    valid, test : float
        Shares of each user's rows, rounded down. Of users whose share is less than a row, so many
        give one that the share is kept; each keeps one row in train.

    Examples
    --------
    >>> users, times = np.array([7, 7, 7, 7, 3]), np.array([4.0, 2.0, 1.0, 3.0, 9.0])
    >>> per_user(users, times, 0.25, 0.25).tolist()
    [2, 0, 0, 1, 0]
    """
    order = np.lexsort((times, users))
    user, time = users[order], times[order]
    new_user = np.r_[True, user[1:] != user[:-1]]
    begin = np.flatnonzero(new_user)
    size = np.diff(np.r_[begin, len(user)])
    which = np.cumsum(new_user) - 1
    moments = new_user | np.r_[True, time[1:] != time[:-1]]
    first = np.maximum.accumulate(np.where(moments, np.arange(len(user)), 0)) - begin[which]
    num_test = np.minimum(_whole(size * test, TURNS[0]), size - 1)
    num_valid = np.minimum(_whole(size * valid, TURNS[1]), size - 1 - num_test)[which]
    last = (size - num_test)[which]
    part = np.empty(len(users), np.int64)
    part[order] = np.where(first >= last, TEST, np.where(first >= last - num_valid, VALID, TRAIN))
    return part


TURNS = (0.6180339887, 0.7548776662)
"""Steps whose multiples fill [0, 1) evenly, one for each part (Roberts, 2018)."""


def _whole(shares: np.ndarray, step: float) -> np.ndarray:
    """Whole rows of each user: rounded down, but one for as many users as their shares add up to.

    Examples
    --------
    >>> _whole(np.array([0.5, 0.5, 0.5, 0.5, 2.7]), TURNS[0]).tolist()
    [1.0, 0.0, 1.0, 0.0, 2.0]
    """
    lot = np.arange(1, len(shares) + 1) * step % 1
    return np.asarray(
        np.where(shares < 1 - 1e-9, (1 - lot < shares) * 1.0, np.floor(shares + 1e-9))
    )


def _quotas(strata: np.ndarray, share: float) -> np.ndarray:
    """Rows of each stratum, whole numbers whose sum is the share of all, at least one."""
    exact = np.bincount(strata) * share
    quotas = np.floor(exact).astype(np.int64)
    wanted = max(round(len(strata) * share), 1) if share else 0
    more = np.argsort(quotas - exact, kind="stable")[: max(wanted - int(quotas.sum()), 0)]
    quotas[more] += 1
    return quotas


def _running(sizes: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """Running sum of sizes within each stratum; strata stand in order."""
    if not len(sizes):
        return sizes
    total = np.cumsum(sizes)
    start = np.unique(stratum, return_index=True)[1]
    before = np.concatenate([[0], total])[start]
    return np.asarray(total - np.repeat(before, np.diff(np.append(start, len(sizes)))))


def _fill(sizes: np.ndarray, order: np.ndarray, valid: float, test: float) -> np.ndarray:
    """Test, then valid, are filled in this order until the next group would overfill them."""
    part = np.full(len(sizes), TRAIN)
    for which, share in ((TEST, test), (VALID, valid)):
        quota = max(share * sizes.sum(), 1)
        waiting = order[part[order] == TRAIN]
        fits = waiting[sizes[waiting] <= max(quota, sizes.min()) * 1.2]
        running = np.cumsum(sizes[fits])
        # the group that crosses the quota goes in when that comes nearer
        part[fits[running - sizes[fits] / 2 <= max(quota, sizes.min())]] = which
    return part


def _distance(
    part: np.ndarray, sizes: np.ndarray, table: np.ndarray, shares: tuple[float, ...]
) -> float:
    """How far a division of groups is from the asked shares; missing rows cost most."""
    rows = np.array([sizes[part == which].sum() for which in range(3)])
    cells = np.array([table[part == which].sum(0) for which in range(3)])
    overall = table.sum(0) / sizes.sum()
    cost = np.abs(rows / sizes.sum() - shares).sum()
    cost += np.abs(cells / np.maximum(rows, 1)[:, None] - overall).sum(1) @ np.asarray(shares)
    empty = sum(1 for num, share in zip(rows, shares, strict=True) if share and not num)
    return float(cost + 100 * empty + 10 * int((cells[TRAIN] == 0).sum()))
