"""MovieLens: who rated which film how, and when; joined with what is known of the film."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from penstock.adapters.samples.archives import Archive, members
from penstock.errors import BadInput, Mistake

ARCHIVES = (
    Archive(
        "ml-latest-small.zip",
        "https://files.grouplens.org/datasets/movielens/ml-latest-small.zip",
        "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
        978_202,
    ),
)
"""The edition of September 2018. Address, size and SHA-256 as TensorFlow Datasets publishes them
(``tensorflow_datasets/url_checksums/movielens.txt``)."""

NO_GENRE = "(no genres listed)"
YEAR = r"^(?P<title>.*?)\s*\((?P<year>[0-9]{4})\)\s*$"
"""The year behind a title, where there is one: ``Toy Story (1995)``."""


def write(folder: Path, archives: list[Path]) -> None:
    """Write ``ratings.parquet``, and the makers' README with their terms."""
    found = {
        name.rpartition("/")[2]: content
        for archive in archives
        for name, content in members(archive)
    }
    missing = [name for name in ("ratings.csv", "movies.csv", "README.txt") if name not in found]
    if missing:
        raise BadInput(
            Mistake(
                "the archive holds ratings.csv, movies.csv and README.txt",
                f"without {', '.join(missing)}",
                archives[0].name,
                "use the archive that the card names",
            )
        )
    table = joined(_table(found["ratings.csv"]), _table(found["movies.csv"]))
    pyarrow.parquet.write_table(table, folder / "ratings.parquet", compression="zstd")
    (folder / "README.txt").write_bytes(found["README.txt"])


def joined(ratings: pa.Table, movies: pa.Table) -> pa.Table:
    """A row a rating, in the order of the ratings, with the film's title, year and genres.

    Parameters
    ----------
    ratings : pa.Table
        ``userId``, ``movieId``, ``rating``, ``timestamp`` in seconds since 1970.
    movies : pa.Table
        ``movieId``, ``title`` with the year behind it, ``genres`` with ``|`` between them.

    Examples
    --------
    >>> ratings = {"userId": [1], "movieId": [7], "rating": [4.5], "timestamp": [964982703]}
    >>> movies = {"movieId": [7], "title": ["Alien (1979)"], "genres": ["Horror|Sci-Fi"]}
    >>> row = joined(pa.table(ratings), pa.table(movies)).to_pylist()[0]
    >>> row["title"], row["year"], row["genres"], row["rated_at"].year
    ('Alien', 1979, 'Horror|Sci-Fi', 2000)
    """
    at = pc.index_in(ratings["movieId"], movies["movieId"])
    titles = pc.utf8_trim_whitespace(movies["title"])
    cut = pc.extract_regex(titles, YEAR)
    title = pc.fill_null(pc.struct_field(cut, "title"), titles)
    year = pc.cast(pc.struct_field(cut, "year"), pa.int64())
    genres = pc.replace_with_mask(
        movies["genres"].combine_chunks(),
        pc.equal(movies["genres"], NO_GENRE).combine_chunks(),
        pa.scalar(None, pa.string()),
    )
    return pa.table(
        {
            "user_id": ratings["userId"],
            "movie_id": ratings["movieId"],
            "title": title.take(at),
            "year": year.take(at),
            "genres": genres.take(at.combine_chunks()),
            "rated_at": ratings["timestamp"].cast(pa.timestamp("s", "UTC")),
            "rating": ratings["rating"].cast(pa.float64()),
        }
    )


def _table(content: bytes) -> pa.Table:
    return pa.csv.read_csv(io.BytesIO(content))
