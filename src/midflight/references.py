"""What a text names in somebody's code: ``package.module:attribute``."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import traceback
from pathlib import Path
from typing import Any

from midflight.errors import ProjectError

_REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(:[^\W\d]\w*)?")


def is_reference(text: str) -> bool:
    """Whether a text has the form of one; the attribute may be left out."""
    return _REFERENCE.fullmatch(text) is not None


def load(reference: str, attribute: str, what: str) -> Any:
    """Import ``package.module:attribute``, looking in the current folder first; ``attribute`` is the one that is meant
    where the reference has none, ``what`` says whose it is where no file can be named.

    Raises ProjectError that names the file and line of what is wrong.
    """
    module, _, named = reference.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return getattr(importlib.import_module(module), named or attribute)
    except ProjectError as wrong:
        raise ProjectError(where=f"{place_of(wrong) or reference}: {wrong.where}", reason=wrong.reason) from None
    except (Exception, SystemExit) as wrong:  # noqa: BLE001  # whatever a user's module raises
        where = place_of(wrong) or _file_of(module, wrong) or what
        raise ProjectError(where=where, reason=f"{type(wrong).__name__}: {wrong}".rstrip(".")) from None


def place_of(wrong: BaseException) -> str:
    """Where in the user's own files it went wrong, as ``file:line``; empty where it was in none of them."""
    if isinstance(wrong, SyntaxError) and wrong.filename:
        return f"{wrong.filename}:{wrong.lineno}"
    ours = Path(__file__).parent
    frames = [f for f in traceback.extract_tb(wrong.__traceback__) if not _foreign(f.filename, ours)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _file_of(module: str, wrong: BaseException) -> str:
    """The file of a module that cannot even be read as one."""
    spec = importlib.util.find_spec(module) if isinstance(wrong, SyntaxError | ValueError) else None
    return spec.origin if spec and spec.origin else ""


def _foreign(filename: str, ours: Path) -> bool:
    return (
        filename.startswith("<")
        or Path(filename).is_relative_to(ours)
        or Path(filename).is_relative_to(importlib.__path__[0])
    )
