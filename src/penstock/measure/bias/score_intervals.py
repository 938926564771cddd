"""Score intervals of ratios and differences of two shares.

Each inverts the standardised distance of the two shares with the variance that the supposed
ratio or difference allows; at no effect that is the pooled variance, so the interval excludes
no effect exactly where the pooled test does.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq


def ratio_interval(
    hits: int, total: int, other_hits: int, other_total: int, critical: float
) -> tuple[float, float]:
    """Score interval of a ratio of shares (Koopman, 1984).

    Parameters
    ----------
    hits, total, other_hits, other_total : int
        Of the share above the line and of the one below it, which is not 0.
    critical : float
        Of the standardised statistic: 1.96 for 95%.

    Examples
    --------
    >>> low, high = ratio_interval(36, 40, 16, 80, 1.959964)
    >>> round(low, 3), round(high, 3)
    (2.94, 7.152)
    """
    value = hits / total / (other_hits / other_total)

    def statistic(log_ratio: float) -> float:
        ratio = math.exp(log_ratio)
        a = (total + other_total) * ratio
        b = total * ratio + hits + other_total + other_hits * ratio
        root = math.sqrt(max(b * b - 4 * a * (hits + other_hits), 0.0))
        below = 2 * (hits + other_hits) / (b + root)  # the other share, restricted to the ratio
        above = min(ratio * below, 1.0)
        variance = above * (1 - above) / total + ratio**2 * below * (1 - below) / other_total
        return _over(hits / total - ratio * other_hits / other_total, variance)

    middle = math.log(value) if value > 0 else -30.0
    low = math.exp(_crossing(statistic, critical, middle, -30.0)) if value > 0 else 0.0
    return min(low, value), max(math.exp(_crossing(statistic, -critical, middle, 30.0)), value)


def difference_interval(
    hits: int, total: int, other_hits: int, other_total: int, critical: float
) -> tuple[float, float]:
    """Score interval of a difference of shares (Mee, 1984).

    Parameters
    ----------
    hits, total, other_hits, other_total : int
        Of the share from which the other one is taken.
    critical : float
        Of the standardised statistic: 1.96 for 95%.

    Examples
    --------
    >>> low, high = difference_interval(56, 70, 48, 80, 1.959964)
    >>> round(low, 4), round(high, 4)
    (0.0533, 0.3377)
    """
    first, second = hits / total, other_hits / other_total
    value = first - second

    def statistic(gap: float) -> float:
        above = _restricted(first, second, other_total / total, gap)
        below = min(max(above - gap, 0.0), 1.0)
        variance = above * (1 - above) / total + below * (1 - below) / other_total
        return _over(value - gap, variance)

    low = _crossing(statistic, critical, value, -1.0)
    return min(low, value), max(_crossing(statistic, -critical, value, 1.0), value)


def _restricted(first: float, second: float, theta: float, gap: float) -> float:
    """The first share, most likely where it is ``gap`` above the second (Farrington and
    Manning, 1990); ``theta`` is the second group's size over the first one's."""
    a = 1 + theta
    b = -(1 + theta + first + theta * second + gap * (theta + 2))
    c = gap * gap + gap * (2 * first + theta + 1) + first + theta * second
    d = -first * gap * (1 + gap)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a * a) + d / (2 * a)
    u = math.copysign(math.sqrt(max((b / (3 * a)) ** 2 - c / (3 * a), 0.0)), v)
    turn = math.acos(min(max(v / u**3, -1.0), 1.0)) if u else 0.0
    share = 2 * u * math.cos((math.pi + turn) / 3) - b / (3 * a)
    return min(max(share, 0.0, gap), 1.0, 1.0 + gap)


def _crossing(
    statistic: Callable[[float], float], wanted: float, inside: float, end: float
) -> float:
    """Between the estimate and the end of the range: where the falling statistic is ``wanted``."""
    away = statistic(end) - wanted
    if away == 0 or (away < 0) == (end < inside):
        return end  # not reached within the range
    if (statistic(inside) - wanted) * away >= 0:
        return inside
    found: float = brentq(lambda at: statistic(at) - wanted, inside, end, xtol=1e-12)
    return found


def _over(distance: float, variance: float) -> float:
    if variance <= 0:
        return math.copysign(1e9, distance) if abs(distance) > 1e-12 else 0.0
    return distance / math.sqrt(variance)
