"""In which language a text is, by the little words that every text of a language has.

texts -> names of languages
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

WORDS = {
    "English": "the and of to is in that it was for you with are this have not",
    "German": "der die und das ist nicht ein eine ich zu den mit von auf sich für",
    "French": "le les et est une des que dans pour pas vous qui sur du avec je",
    "Spanish": "el los que y las una por para con se su del como más pero este",
    "Italian": "il che di la per un non una sono con gli della del questo anche è",
    "Portuguese": "os que não uma para em da um é se mais como são você pelo também",
    "Dutch": "het een en van niet dat ik op te zijn voor met aan maar deze wordt",
    "Swedish": "och att det som är på inte jag av för med den till har ett från",
    "Danish": "og det er en til på jeg ikke af den der med som har kan blev",
    "Polish": "nie się że jest na jak ale już czy tylko przez które od dla był są",
    "Turkish": "ve bir bu için ile da çok ama gibi daha olarak değil var sonra kadar şey",
    "Russian": "и в не на что я с он как это по но из у за то",
}
"""Among the most frequent words of each language; what several have counts for each of them."""
FEWEST, LEAST_SHARE = 2, 0.08
"""A text with fewer such words, or of which they are a smaller share, is of no known language
(house choice)."""
UNKNOWN = "unknown"


def languages(texts: pa.LargeStringArray) -> pa.StringArray:
    """The language of each text; ``unknown`` where too few of its words say it; null where it is.

    Examples
    --------
    >>> texts = ["The cat is in the garden", "Die Katze ist nicht im Garten", "4711", None]
    >>> languages(pa.array(texts, pa.large_string())).to_pylist()
    ['English', 'German', 'unknown', None]
    """
    level = pc.utf8_lower(texts)
    spaced = pc.replace_substring_regex(level, pattern=r"[^\pL\pM]+", replacement="  ")
    edge = pa.scalar(" ", texts.type)
    spaced = pc.binary_join_element_wise(edge, spaced, edge, pa.scalar("", texts.type))
    counts = []
    for words in WORDS.values():
        pattern = f" (?:{'|'.join(words.split())}) "
        found = pc.fill_null(pc.count_substring_regex(spaced, pattern), 0)
        counts.append(found.to_numpy(zero_copy_only=False))
    numbers = np.stack(counts, axis=1)
    most = numbers.max(axis=1)
    words = pc.fill_null(pc.count_substring(spaced, "  "), 0).to_numpy(zero_copy_only=False)
    told = (most >= FEWEST) & (most >= LEAST_SHARE * words)
    best = np.where(told, numbers.argmax(axis=1), len(WORDS))
    names = pa.array([*WORDS, UNKNOWN]).take(pa.array(best, pa.int64()))
    return pc.if_else(texts.is_valid(), names, pa.scalar(None, pa.string()))
