"""Tables on the terminal: the classes of a run, the counts of a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from elastic_infogan.apps import terminal

__all__ = ["class_table", "counts_table", "percent"]


def class_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Class, learned prior, share assigned and, where labels are known, true share and recall.

    Arguments:
        rows: with `code`, `prior`, `assigned_share` and, for all or none, `class`, `true_share`, `recall`.
    """
    if "class" not in rows[0]:
        table = _table("class", "learned prior", "share assigned")
        for row in rows:
            table.add_row(str(row["code"]), _share(row["prior"]), _share(row["assigned_share"]))
    else:
        table = _table("class", "code", "learned prior", "share assigned", "true share", "recall")
        for row in rows:
            numbers = [_share(row[key]) for key in ("prior", "assigned_share", "true_share", "recall")]
            table.add_row(_name(row["class"]), _name(row["code"]), *numbers)
    terminal.out.print(table)


def counts_table(names: Sequence[str], counts: Sequence[int]) -> None:
    """Images of each class and their shares."""
    table = _table("class", "images", "share")
    total = max(sum(counts), 1)
    for name, count in zip(names, counts, strict=True):
        table.add_row(terminal.printable(name), f"{count:,}", _share(count / total))
    terminal.out.print(table)


def percent(share: float) -> str:
    """A share with as many digits as it needs.

    >>> percent(0.1234), percent(0.0042), percent(0.00001), percent(0.0)
    ('12.3 %', '0.42 %', '< 0.01 %', '0 %')
    """
    if share < 0.0001:
        return "< 0.01 %" if share > 0 else "0 %"
    return f"{100 * share:.1f} %" if share >= 0.01 else f"{100 * share:.2g} %"


def _table(first: str, *numbers: str) -> Table:
    table = Table(first, box=None, header_style="bold", pad_edge=False, padding=(0, 2))
    for title in numbers:
        table.add_column(title, justify="right")
    return table


def _name(value: object) -> str:
    return "none" if value is None else terminal.printable(str(value))


def _share(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.2g}" if 0 < value < 0.001 else f"{value:.3f}"
