"""The command line itself: its exit statuses, its errors, and how it speaks."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from cyclopts import App, CycloptsError

from penstock import __version__

OK, CRASHED, BAD_INPUT, REFUSED, AWAITS_APPROVAL = 0, 1, 2, 3, 6
EXIT_STATUS = {
    "registered": OK,
    "kept_champion": OK,
    "rejected": OK,
    "rolled_back": OK,
    "awaiting_approval": AWAITS_APPROVAL,
    "refused": REFUSED,
}

app = App(
    name="penstock",
    help="The gated pipe from data to a model that has earned its place in the registry.",
    version=__version__,
)


def main() -> None:
    """Run a command; turn errors into one message and an exit status."""
    from penstock.errors import BadInput, NoVerdict, PenstockError

    try:
        status = app(
            sys.argv[1:], exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except CycloptsError as error:
        tell(f"{error}\nSee: penstock --help")
        status = BAD_INPUT
    except BadInput as error:
        tell(error.message)
        status = BAD_INPUT
    except NoVerdict as error:
        tell(error.message)
        status = REFUSED
    except PenstockError as error:
        tell(error.message)
        status = CRASHED
    except KeyboardInterrupt:
        tell("Interrupted. What was finished is kept; type the same command to go on.")
        status = 130
    except BrokenPipeError as error:  # a reader such as head has seen enough
        tell(f"{error}: standard output was closed before its end")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = CRASHED
    raise SystemExit(status or OK)


def overrides_of(pairs: list[str]) -> dict[str, Any]:
    """``a.b=value`` pairs; values are YAML, so that numbers and lists are what they look like.

    Examples
    --------
    >>> overrides_of(["split.seed=1", "data.sensitive=[sex]"])
    {'split.seed': 1, 'data.sensitive': ['sex']}
    """
    import yaml

    from penstock.errors import BadInput, Mistake

    found, mistakes = {}, []
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            mistakes.append(Mistake("--set takes FIELD=VALUE", pair, "--set", "--set split.seed=1"))
            continue
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            mistakes.append(Mistake("VALUE is YAML", " ".join(str(error).split()), f"--set {name}"))
    if mistakes:
        raise BadInput(mistakes)
    return found


def short(path: Path) -> str:
    """A path as the user would type it."""
    here = Path.cwd()
    resolved = path.resolve()
    return str(resolved.relative_to(here) if resolved.is_relative_to(here) else resolved)


def say(text: str) -> None:
    """To standard output, at once."""
    print(text, flush=True)


def tell(text: str) -> None:
    """To standard error."""
    print(text, file=sys.stderr)
