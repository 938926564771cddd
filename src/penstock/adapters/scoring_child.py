"""The child of ``scoring.py``: rows on standard input, predictions on standard output.

It runs under ``python -I`` with the code that travels in the package, and holds one batch.

package; Arrow stream of typed rows -> Arrow stream of predictions
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(package: str, threads: str) -> None:
    """Load the model, answer batch by batch until the rows end."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not stand among the answers
    sys.path.insert(0, str(Path(package) / "code"))
    import pyarrow as pa
    import torch

    from penstock.model import Model

    if int(threads):
        torch.set_num_threads(int(threads))
    model = Model.load(Path(package) / "artifacts")
    with pa.ipc.open_stream(sys.stdin.buffer) as rows:
        writer = None
        for batch in rows:
            found = model.predict(pa.Table.from_batches([batch])).combine_chunks()
            arrays = [column.chunk(0) for column in found.columns]
            found = pa.RecordBatch.from_arrays(arrays, schema=found.schema)  # be it without rows
            writer = writer or pa.ipc.new_stream(answers, found.schema)
            writer.write_batch(found)
            answers.flush()
        if writer is not None:
            writer.close()
    answers.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
