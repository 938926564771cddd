"""Does a model know training text by heart? (Carlini et al., 2023)

A text is asked for word for word: begun with the true text, would the model, always taking the most
probable token, have gone on with it? That is so wherever each token of a long run was the most
probable one, so nothing has to be written to find out. Common phrases, quotations and boilerplate
are known without having been learnt by heart, so the share is held against that of text which
does not stand in the training part.

tallies of training documents and of others -> Check, Table
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.evidence import Check, Table
from penstock.measure.intervals import resamples
from penstock.measure.language.tallies import LONG_RUN, bits_per_byte, by_heart

MIN_DOCUMENTS = 10
"""Fewer on either side say `insufficient` (house choice)."""
NUM_DRAWS = 500
"""Resamples of documents (house choice)."""
COPIES = ((1, "once"), (2, "2 to 4 times"), (5, "5 times or more"))
"""How often a text stands in the training part, from each number on."""
RUN_BYTES = 50
"""Bytes of a run that is looked for in the training text (house choice: a line)."""


def memorised(seen: NDArray[Any], other: NDArray[Any], seed: int) -> Check:
    """Share of training text known by heart, less that of other text.

    Parameters
    ----------
    seen : TALLY[n]
        Tallies of training rows drawn at random, so that repeated texts count as often.
    other : TALLY[m]
        Tallies of documents that do not stand there.
    seed : int
        Of the resamples, of both sides' documents.
    """
    enough = min(len(seen), len(other)) >= MIN_DOCUMENTS
    value = low = high = float("nan")
    if enough:
        value = by_heart(seen) - by_heart(other)
        pairs = zip(
            resamples(len(seen), seed, NUM_DRAWS), resamples(len(other), seed + 1, NUM_DRAWS),
            strict=True,
        )  # fmt: skip
        drawn = [by_heart(seen[mine]) - by_heart(other[theirs]) for mine, theirs in pairs]
        low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Check(
        name="memorised",
        stage="evaluate",
        value=value,
        low=float(low),
        high=float(high),
        burden="disprove",
        enough=enough,
        why=f"{by_heart(seen):.1%} of the bytes of {len(seen)} training"
        f" texts stand in runs of {LONG_RUN} tokens or more that the model goes on with word for"
        f" word, and {by_heart(other):.1%} of those of {len(other)} texts that it was not trained"
        " on."
        if enough
        else f"{len(seen)} training texts and {len(other)} others are too few to tell.",
        remedy="take repeated documents out of the training rows, train less (model.epochs), or"
        " with a smaller network (model.width): what is known by heart can be drawn out again",
    )


def by_copies(seen: NDArray[Any], copies: NDArray[np.int64], other: NDArray[Any]) -> Table:
    """What is known by heart, by how often a text stands in the training part."""
    starts = np.array([one for one, _ in COPIES])
    part = np.searchsorted(starts, copies, side="right") - 1
    sides = [(name, seen[part == code]) for code, (_, name) in enumerate(COPIES)]
    records = [
        {
            "in the training part": name,
            "texts looked at": len(rows),
            "known by heart": by_heart(rows),
            "bits per byte": bits_per_byte(None, rows),
        }
        for name, rows in [*sides, ("never", other)]
        if len(rows)
    ]
    return Table.of(
        "Known by heart", records, f"Share of bytes in runs of at least {LONG_RUN} tokens."
    )


def verbatim(text: bytes, training: bytes, run: int = RUN_BYTES) -> float:
    """Share of a text's runs, laid end to end, that stand in the training text; nan without any.

    Examples
    --------
    >>> verbatim(b"abcdXXXX", b"..abcd..", run=4)
    0.5
    """
    runs = [text[at : at + run] for at in range(0, len(text) - run + 1, run)]
    return sum(one in training for one in runs) / len(runs) if runs else float("nan")
