"""What can be wrong with a call, a file or a service.

A bad *call* or a bad *file* is an exception from here. Bad *data* or a weak *model* is
never an exception: it is a :class:`penstock.evidence.Check`, and the judge's business.

Every exception says the rule, what was found, where, and what to do next; one exception
carries all the mistakes that were found, so that nobody mends a file one error at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong.

    Attributes
    ----------
    rule : str
        What should hold, in one sentence.
    found : str
        What was found instead.
    where : str
        File and line, column, field or address.
    remedy : str
        What to do next.
    """

    rule: str
    found: str = ""
    where: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        """One paragraph: where, rule, found, remedy."""
        text = f"{self.where}: {self.rule}" if self.where else self.rule
        if self.found:
            text += f"\n    found: {self.found}"
        if self.remedy:
            text += f"\n    to do: {self.remedy}"
        return text


class PenstockError(Exception):
    """The root of penstock's exceptions.

    Parameters
    ----------
    mistakes : Mistake or iterable of Mistake
        At least one.
    """

    def __init__(self, mistakes: Mistake | Iterable[Mistake]):
        self.mistakes = (mistakes,) if isinstance(mistakes, Mistake) else tuple(mistakes)
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """All mistakes, numbered when there are several."""
        if len(self.mistakes) == 1:
            return str(self.mistakes[0])
        lines = [f"{len(self.mistakes)} mistakes:"]
        lines += [f"{n}. {mistake}" for n, mistake in enumerate(self.mistakes, start=1)]
        return "\n".join(lines)

    def __reduce__(self) -> tuple[type, tuple[tuple[Mistake, ...]]]:
        """Rebuild from the mistakes, so that the exception survives a process boundary."""
        return type(self), (self.mistakes,)


class BadInput(PenstockError, ValueError):
    """A file, a spec or an argument that cannot be used as it is (exit status 2)."""


class StoreError(PenstockError, OSError):
    """The store cannot be read or written, or a file in it is not what its key says."""


class RegistryUnreachable(PenstockError, ConnectionError):
    """The registry gave no answer: nothing was promoted, nothing is known (exit status 1)."""


class NotServable(PenstockError, RuntimeError):
    """The packaged model could not be loaded and scored in a clean process."""


class NoVerdict(PenstockError, LookupError):
    """No version of the model that passed its gates: nothing may be used (exit status 3)."""


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Ask for the known word that is nearest, whatever its case; empty when none is near.

    Examples
    --------
    >>> did_you_mean("sead", ["Seed", "Test"])
    'did you mean Seed?'
    """
    import difflib

    folded = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=cutoff)
    return f"did you mean {folded[close[0]]}?" if close else ""
