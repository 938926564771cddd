"""The child of ``clean_process.py``; it runs under ``python -I`` and imports no penstock.

package, rows file, answer file -> exit status 0 and the answer, or a traceback
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def forbid_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: no address but a local one may be looked up or reached."""
    local = event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], (str, bytes))
    reaching = event in ("socket.connect", "socket.sendto", "socket.getaddrinfo")
    if reaching and not local:
        raise PermissionError(f"the packaged model reached for the network: {event}")


def main(package: str, rows: str, answer: str) -> None:
    """Load the model, score the rows, keep the predictions."""
    sys.addaudithook(forbid_network)
    sys.dont_write_bytecode = True
    import mlflow.pyfunc
    import pyarrow as pa
    import pyarrow.feather as feather

    model = mlflow.pyfunc.load_model(package)
    import penstock

    home = Path(str(penstock.__file__)).resolve()
    if not home.is_relative_to(Path(package).resolve()):
        raise ImportError(f"penstock came from {home} and not from the package")
    names = set(model.metadata.get_input_schema().input_names())
    table = feather.read_table(rows, memory_map=True)
    read = table.select([name for name in table.column_names if name in names])
    answers = [  # files come a few at a time
        pa.Table.from_pandas(model.predict(batch.to_pandas()), preserve_index=False)
        for batch in read.to_batches() or [read]
    ]
    predictions = pa.concat_tables(answers, promote_options="permissive")
    feather.write_feather(predictions, answer, compression="uncompressed")


if __name__ == "__main__":
    main(*sys.argv[1:])
