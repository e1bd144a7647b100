"""Examples in docstrings as code: Markdown takes lines that begin with `>>>` for quotations in quotations."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

__all__ = ["Doctests"]

_EXAMPLE = re.compile(r"^( *)>>> .*(?:\n(?! *$).+)*", re.MULTILINE)


class Doctests(Extension):
    """Puts a fence around every example of every docstring, up to the next empty line."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """See the class; an object is what was found in a source file."""
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub(r"\1```pycon\n\g<0>\n\1```", obj.docstring.value)
