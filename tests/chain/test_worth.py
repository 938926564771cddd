"""A text beside a number: read where it tells something, and not where a network does without."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from test_chain import Chain

from penstock.spec import ModelSpec

pytestmark = pytest.mark.slow
WORDS = np.array([f"w{n}" for n in range(400)])


def run(folder, tells):
    rng = np.random.default_rng(0)
    ups = rng.random(900) < 0.5
    noise = [" ".join(rng.choice(WORDS, 12)) for _ in ups]
    word = np.where(ups, "good ", "bad ") if tells else np.full(len(ups), "")
    said = [first + text for first, text in zip(word, noise, strict=True)]
    x = np.where(ups, 1.0, -1.0) + rng.normal(0, 1.2, len(ups))
    frame = pd.DataFrame({"said": said, "x": x, "y": np.where(ups, "yes", "no")})
    frame.to_parquet(folder / "table.parquet")
    model = ModelSpec(epochs=10, width=32, members=2, batch_size=32)
    return Chain(folder, "table.parquet", data={"features": {"said": "text"}}, model=model)


def worth(chain):
    table = chain.fitted.evidence.tables["worth"]
    return dict(zip(table.columns, table.rows[0], strict=True))


def answers(chain, said):
    rows = chain.store.table(chain.parts.test)
    return chain.scorer.scores(rows.set_column(rows.column_names.index("said"), "said", said))


def test_a_text_that_tells_is_read(tmp_path):
    chain = run(tmp_path, tells=True)
    assert worth(chain)["read"] == "yes"
    assert worth(chain)["loss with it"] < 0.7 * worth(chain)["loss without it"]
    assert not [note for note in chain.fitted.evidence.notes if "not read" in note]
    assert chain.metric("roc_auc") > 0.95


def test_a_text_of_noise_is_read_no_more_and_the_report_says_so(tmp_path):
    chain = run(tmp_path, tells=False)
    assert worth(chain)["read"] == "no"
    assert [note for note in chain.fitted.evidence.notes if note.startswith("said is not read")]
    kinds = {row[0]: row[1] for row in chain.fitted.evidence.tables["network"].rows}
    assert kinds["said"] == "text, not read"
    count = chain.parts.test.num_rows
    some = answers(chain, pa.array([" ".join(WORDS[:9])] * count))
    assert np.array_equal(some, answers(chain, pa.nulls(count, pa.string())))
    drops = chain.stressed.evidence.tables["stresses"]
    dropped = [row[drops.columns.index("drop")] for row in drops.rows if row[0] == "said"]
    assert dropped and not any(dropped)
