import numpy as np
import torch

from penstock.learning.encoded import Encoded
from penstock.learning.ragged import Ragged


def rows(*lists):
    values = np.concatenate([np.array(one, dtype=np.int16) for one in lists])
    return Ragged(values, np.cumsum([0, *map(len, lists)]).astype(np.int64))


def test_rows_kept_in_a_file_part_by_part_are_the_rows(tmp_path):
    kept = None
    for part in (rows([1, 2], []), rows([3]), rows([], [4, 5, 6])):
        kept = part.behind(kept, tmp_path / "codes")
    assert kept.to(torch.device("cpu")).tolist() == [
        [1, 2, -1], [-1] * 3, [3, -1, -1], [-1] * 3, [4, 5, 6],
    ]  # fmt: skip
    assert isinstance(kept.values, np.memmap)


def test_empty_rows_alone(tmp_path):
    kept = rows([], []).behind(None, tmp_path / "codes")
    assert kept.to(torch.device("cpu")).shape == (2, 0)


def test_batches_of_encoded_rows_are_as_wide_as_their_longest():
    encoded = Encoded.of({"text": {"codes": rows([1], [2, 3], [4, 5, 6])}}, 3)
    inputs, target = encoded.take(torch.tensor([1, 0]), torch.device("cpu"))
    assert inputs["text"]["codes"].tolist() == [[2, 3], [1, -1]]
    assert target is None
    assert encoded.head(1).inputs["text"]["codes"].sizes.tolist() == [1]


def test_an_epoch_may_draw_some_rows_or_rows_again():
    encoded = Encoded({}, 5)
    draw = torch.Generator().manual_seed(0)
    for wanted, total in ((0, 5), (3, 3), (12, 12)):
        encoded.epoch_rows = wanted
        drawn = torch.cat(list(encoded.shuffled(2, draw)))
        assert len(drawn) == total
        counts = torch.bincount(drawn, minlength=5)
        assert int(counts.max()) - int(counts.min()) <= 1
