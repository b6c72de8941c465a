"""Things that are named instead of imported, so that only the process that uses them loads them.

A room may name what is in it or below it, or hand on a name that it was given from above.
"""

from __future__ import annotations

import importlib
import operator
from typing import Any


def find(reference: str) -> Any:
    """What `package.module:name` refers to (`module:Class.method` too); its module is imported now.

    Raises
    ------
    ValueError
        It is not written like that.
    ImportError, AttributeError
        There is no such module, or nothing of that name in it.
    """
    module, colon, path = reference.partition(":")
    if not (module and colon and path):
        raise ValueError(f"{reference!r} is not written as package.module:name")
    return operator.attrgetter(path)(importlib.import_module(module))
