"""Parts that are installed on request, and what to tell whoever has not."""

from __future__ import annotations

from importlib.util import find_spec

from elastic_infogan.errors import ElasticInfoGANError

__all__ = ["need"]


def need(what: str, extra: str, *modules: str) -> None:
    """Refuse to begin `what` without the modules of an extra.

    Raises:
        ElasticInfoGANError: one of them is not installed; the message says how to install it.

    >>> need("export", "export", "json")
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise ElasticInfoGANError(
            f'{what} needs {", ".join(missing)}: pip install "elastic-infogan[{extra}]"'
        )
