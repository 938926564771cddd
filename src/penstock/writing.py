"""What a model of text writes and knows, and what the text before is worth to it.

network, tokens, documents -> tallies, samples, evidence
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from penstock.evidence import Evidence, Exhibit, Figure, Gallery, Series, Table
from penstock.learning.causal import Causal
from penstock.learning.generation import written
from penstock.learning.ragged import Ragged
from penstock.learning.tokens import END, Tokens
from penstock.measure.intervals import bootstrap
from penstock.measure.language import memory, repetition, tallies

NUM_LOOKED_AT = 200
"""Training texts that are asked for by heart (house choice)."""
NUM_WRITTEN, SHOWN = 32, 4
"""Texts written at each temperature; and shown (house choice)."""
TEMPERATURES = (1.0, 0.7, 0.0)
"""1: as probable as the model holds it; 0: always the most probable token."""
CONTEXTS = 100
"""Documents whose context is cut (house choice)."""
NEAR = 8
"""Tokens before a token that are near (house choice)."""
CHUNK = 64
"""Documents that are read at once (house choice)."""


@dataclass(frozen=True)
class Reader:
    """A network that reads texts.

    Attributes
    ----------
    network : Causal
        Trained.
    tokens : Tokens
        As it was trained on.
    """

    network: Causal
    tokens: Tokens

    def costs(self, documents: Ragged, window: int = 0) -> NDArray[Any]:
        """Tallies of documents, ``TALLY[n]``; by less context where a window says so."""
        device = next(self.network.parameters()).device
        self.network.eval()
        with torch.inference_mode():
            parts = [
                tallies.of_costs(self.network.costs(documents[some].to(device).long(), window))
                for some in torch.arange(len(documents)).split(CHUNK)
            ]
        return np.concatenate(parts)

    def evidence(
        self,
        train: pa.LargeStringArray,
        test: pa.LargeStringArray,
        scores: NDArray[Any],
        seed: int,
    ) -> Evidence:
        """What is known by heart, what is written, and whether that goes round in circles.

        Parameters
        ----------
        train, test : pa.LargeStringArray
            Training and test texts.
        scores : TALLY[n]
            Of the test texts.
        seed : int
            Of samples and draws.
        """
        known = train.dictionary_encode()
        told = known.dictionary.to_pylist()
        fresh = ~np.isin(np.array(test.to_pylist(), dtype=object), np.array(told, dtype=object))
        copies = np.bincount(known.indices.to_numpy(), minlength=len(told))
        rows, repeated = _asked_for(known.indices.to_numpy(), copies, seed)
        seen = self.costs(self.tokens.cut(known.dictionary.take(pa.array(np.r_[rows, repeated]))))
        check = memory.memorised(seen[: len(rows)], scores[fresh], seed)
        every = np.unique(np.r_[rows, repeated], return_index=True)[1]
        table = memory.by_copies(seen[every], copies[np.r_[rows, repeated]][every], scores[fresh])
        mine = self.samples(seed)
        real = self._real(test, seed)
        return Evidence(
            checks=[check, repetition.repetition(mine[TEMPERATURES[0]], real)],
            tables={"by_heart": table, "written": self._table(mine, real, train)},
            galleries={"samples": self._gallery(mine)},
        )

    def samples(self, seed: int) -> dict[float, list[NDArray[np.int64]]]:
        """Texts written from nothing, by temperature."""
        begun = torch.full((NUM_WRITTEN, 1), END)
        length = self.network.size.window - 1
        return {
            degree: written(self.network, begun if degree else begun[:1], length, degree, seed)
            for degree in TEMPERATURES
        }

    def _real(self, test: pa.LargeStringArray, seed: int) -> list[NDArray[Any]]:
        """The beginnings of real texts, as long as what is written."""
        picked = np.random.default_rng(seed).permutation(len(test))[: 4 * NUM_WRITTEN]
        documents = self.tokens.cut(test.take(pa.array(picked)))
        ends = zip(documents.starts[:-1], documents.starts[1:], strict=True)
        window = self.network.size.window
        return [documents.values[start + 1 : min(end - 1, start + window)] for start, end in ends]

    def _table(
        self, mine: dict[float, list[NDArray[Any]]], real: list[NDArray[Any]], train: Any
    ) -> Table:
        training = b"\0".join(text.encode() for text in train.to_pylist() if text)
        sides = {f"written, temperature {degree:g}": side for degree, side in mine.items()}
        records = []
        for name, side in (sides | {"test documents": real}).items():
            again = np.array([repetition.repeated(one) for one in side])
            copied = [memory.verbatim(self.tokens.joined(one), training) for one in side]
            records.append(
                {
                    "text": name,
                    "texts": len(side),
                    "tokens a text": float(np.mean([len(one) for one in side])),
                    "runs repeated": _mean(again),
                    "lines of the training text": _mean(np.array(copied)),
                }
            )
        note = (
            f"Runs repeated: of {repetition.RUN} tokens, within a text. Lines of the training"
            f" text: share of stretches of {memory.RUN_BYTES} bytes that stand there word for word."
        )
        return Table.of("What it writes, beside real text", records, note)

    def _gallery(self, mine: dict[float, list[NDArray[Any]]]) -> Gallery:
        exhibits = []
        for degree, side in mine.items():
            for codes in side[: SHOWN if degree else 1]:
                text = self.tokens.joined(codes).decode(errors="replace")
                exhibits.append(Exhibit(caption=f"temperature {degree:g}", text=[(text, 0.0)]))
        return Gallery(
            title="What the model writes",
            exhibits=exhibits,
            note="Begun with nothing. It may hold what training rows hold.",
        )

    def worth_of_context(self, texts: pa.LargeStringArray, seed: int, show_rows: bool) -> Evidence:
        """What it costs to read less of the text before; by token, where rows may be shown."""
        picked = np.random.default_rng(seed).permutation(len(texts))[:CONTEXTS]
        documents = self.tokens.cut(texts.take(pa.array(picked)))
        full = self.network.size.window
        sizes = [size for size in (4, 8, 16, 32, 64, 128, 256, 512) if size < full] + [full]
        every = [self.costs(documents, size) for size in sizes]

        def measure(rows: NDArray[np.int64]) -> NDArray[np.float64]:
            return np.array([tallies.bits_per_byte(None, one[rows]) for one in every])

        value = measure(np.arange(len(documents)))
        low, high = bootstrap(measure, len(documents), seed)
        records = [
            {
                "tokens read at once": size,
                "bits_per_byte": value[i],
                "low": low[i],
                "high": high[i],
                "dearer than with all": value[i] / value[-1] - 1,
            }
            for i, size in enumerate(sizes)
        ]
        figure = Figure(
            title="What the text before is worth",
            x="tokens that are read at once",
            y="bits per byte",
            series=[
                Series(
                    name="test documents",
                    x=[str(size) for size in sizes],
                    y=value.tolist(),
                    low=low.tolist(),
                    high=high.tolist(),
                    style="bars",
                )
            ],
            note="Where the bars stop falling, what stands further before is of no use to it.",
        )
        return Evidence(
            tables={"context": Table.of("What the text before is worth", records)},
            figures={"context": figure},
            galleries={"worth": self._worth(documents)} if show_rows else {},
            notes=[
                f"The beginnings of {len(documents)} test documents were read again with less"
                " before each token."
            ],
        )

    def _worth(self, documents: Ragged) -> Gallery:
        """Tokens of some documents, tinted by what the text far before them saves."""
        device = next(self.network.parameters()).device
        exhibits = []
        for number in range(min(SHOWN, len(documents))):
            codes = (
                documents[torch.tensor([number])].to(device).long()[:, : self.network.size.window]
            )
            near, far = (self.network.costs(codes, size).bits for size in (NEAR, 0))
            saved = (near - far).cpu().numpy()
            most = float(np.abs(saved).max(initial=1e-9))
            exhibits.append(
                Exhibit(
                    caption=f"{float(far.sum()):.0f} bits, {float(saved.sum()):.1f} saved by what"
                    f" stands more than {NEAR} tokens before",
                    text=[
                        (self.tokens.joined(np.array([code])).decode(errors="replace"), save / most)
                        for code, save in zip(codes[0, 1:].tolist(), saved.tolist(), strict=True)
                        if code != END
                    ],
                )
            )
        return Gallery(
            title="What the text far before is worth to each token",
            exhibits=exhibits,
            note="Tinted towards the answer: bits saved; away from it: bits lost.",
        )


def _asked_for(
    text: NDArray[Any], copies: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of texts: of training rows drawn at random, and of the most repeated texts."""
    rng = np.random.default_rng(seed)
    rows = text[rng.permutation(len(text))[:NUM_LOOKED_AT]].astype(np.int64)
    often = np.argsort(-copies, kind="stable")[: NUM_LOOKED_AT // 4]
    return rows, often[copies[often] > 1].astype(np.int64)


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
