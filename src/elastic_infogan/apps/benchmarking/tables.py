"""The results as Markdown, for reading, and as CSV, for going on with."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from elastic_infogan.apps.benchmarking.figures import (
    Figure,
    Line,
    Lost,
    Spread,
    by_system,
    figures_of,
    lost,
    minutes_until,
    spread,
)
from elastic_infogan.apps.output import written_whole

__all__ = ["main_rows", "markdown", "write"]

MILESTONES = (0.90, 0.95)
"""values of generated NMI whose training time is told"""


def write(folder: Path, lines: Sequence[Line], command: str) -> None:
    """Write `table.md`, `table.csv` (a row a system and figure) and `lost.csv` (a row a system and class)."""
    _write(folder / "table.md", markdown(lines, command))
    _write(folder / "table.csv", _csv(_figure_rows(lines)))
    _write(folder / "lost.csv", _csv(_lost_rows(lines)))


def markdown(lines: Sequence[Line], command: str) -> str:
    """All tables, with what they say and the command that made them.

    Arguments:
        command: what was typed last.
    """
    parts = ["# Benchmark", f"`{command}`", _circumstances(lines)]
    if by_system(lines):
        parts += [
            "Mean ± standard deviation over trials, and in brackets the worst single trial.",
            _table(main_rows(lines)),
            _about_uniform(lines),
            "On how many imbalances a class was lost, with any seed: no code shows it half of the time.",
            _table(_lost_table(lines)),
            "Where the worst trials are: imbalance, seed.",
            _table(_worst_table(lines)),
            *_about_time(lines),
        ]
    failed = [line for line in lines if "failed" in line]
    if failed:
        parts += [
            "Failed:",
            "\n".join(f"- {_where(line)} of {line['name']}: {line['failed']}" for line in failed),
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def main_rows(lines: Sequence[Line]) -> list[list[str]]:
    """Head, then a row a system: its trials and figures, as `mean ± std (worst)`."""
    systems, figures = by_system(lines), figures_of(lines)
    rows = [
        ["", "trials", *(figure.title + (" ↑" if figure.larger_is_better else " ↓") for figure in figures)]
    ]
    for name, own in systems.items():
        cells = [_cell(figure, spread(figure, own)) for figure in figures]
        rows.append([name, str(len(own)), *cells])
    return rows


def _cell(figure: Figure, found: Spread | None) -> str:
    if found is None:
        return "–"
    mean, worst = (f"{value:.{figure.digits}f}" for value in (found.mean, found.worst))
    if math.isnan(found.std):
        return mean
    return f"{mean} ± {found.std:.{figure.digits}f} ({worst})"


def _about_uniform(lines: Sequence[Line]) -> str:
    found = spread(Figure("", ("uniform_prior_rmse",)), [line for line in lines if "failed" not in line])
    return (
        ""
        if found is None
        else f"A prior that learned nothing, the uniform one, has RMSE {found.mean:.4f} here."
    )


def _lost_table(lines: Sequence[Line]) -> list[list[str]]:
    systems = by_system(lines)
    names = list(dict.fromkeys(name for own in systems.values() for name in lost(own)))
    rows = [["", "imbalances", *names, "trials that lost none"]]
    for system, own in systems.items():
        counts = lost(own)
        cells = [_count(counts.get(name)) for name in names]
        scored = [line["classes_lost"] for line in own if "classes_lost" in line]
        kept = f"{sum(not gone for gone in scored)} of {len(scored)}" if scored else "–"
        rows.append([system, str(len({line["imbalance"] for line in own})), *cells, kept])
    return rows


def _count(found: Lost | None) -> str:
    return "–" if found is None else str(found.splits)


def _worst_table(lines: Sequence[Line]) -> list[list[str]]:
    figures = figures_of(lines)
    rows = [["", *(figure.title for figure in figures)]]
    for system, own in by_system(lines).items():
        found = [spread(figure, own) for figure in figures]
        rows.append([system, *("–" if s is None else _where(s.worst_at) for s in found)])
    return rows


def _about_time(lines: Sequence[Line]) -> list[str]:
    """How long systems took to reach each milestone, where growth was scored."""
    scored = [line for line in lines if len(line.get("curve", ())) > 1]
    if not scored:
        return []
    rows = [["", *(f"generated NMI {nmi:.2f}" for nmi in MILESTONES)]]
    rows += [[name, *(_minutes(own, nmi) for nmi in MILESTONES)] for name, own in by_system(scored).items()]
    told = "Minutes of training until the first scored moment with as much: mean (longest), of trials."
    return [told, _table(rows)]


def _minutes(lines: Sequence[Line], nmi: float) -> str:
    found = [minutes for line in lines if (minutes := minutes_until(line, nmi)) is not None]
    if not found:
        return "not reached"
    return f"{sum(found) / len(found):.1f} ({max(found):.1f}), {len(found)} of {len(lines)}"


def _where(line: Line) -> str:
    return f"{line['imbalance'] or 'whole'}, {line['seed']}"


def _circumstances(lines: Sequence[Line]) -> str:
    """Source, trials, machine and software, as far as trials have said so."""
    scored = [line for line in lines if "failed" not in line]
    if not scored:
        return "No trial has a result yet."
    first, machine = scored[0], scored[0]["machine"]
    minutes = sum(line["training_seconds"] for line in scored) / 60 / len(scored)
    versions = sorted({line["version"] for line in scored})
    several = len({f"{line['machine']} {line['jobs']}" for line in scored}) > 1
    return (
        f"{first['source']}, {_budget(first)} a trial, {minutes:.1f} minutes of training on average; "
        f"{machine['cpu']}, {machine['cores']} cores, trials at once: {first['jobs']}, "
        f"of {machine['threads']} thread{'s' * (machine['threads'] > 1)}"
        f"{', some otherwise' if several else ''}; "
        f"elastic-infogan {', '.join(versions)}, PyTorch {machine['torch']}."
    )


def _budget(line: Line) -> str:
    unit = next((unit for unit in ("images", "minutes", "steps") if line["budget"][unit] is not None), None)
    return "the usual time" if unit is None else f"{line['budget'][unit]:,.12g} {unit}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([head, "|---" * len(rows[0]) + "|", *body])


def _figure_rows(lines: Sequence[Line]) -> Iterable[Mapping[str, Any]]:
    for system, own in by_system(lines).items():
        for figure in figures_of(lines):
            found = spread(figure, own)
            if found is not None:
                yield {
                    "system": system,
                    "figure": ".".join(figure.path),
                    "trials": found.runs,
                    "mean": found.mean,
                    "std": "" if math.isnan(found.std) else found.std,
                    "worst": found.worst,
                    "worst_imbalance": found.worst_at["imbalance"] or "",
                    "worst_seed": found.worst_at["seed"],
                }


def _lost_rows(lines: Sequence[Line]) -> Iterable[Mapping[str, Any]]:
    for system, own in by_system(lines).items():
        imbalances = len({line["imbalance"] for line in own})
        for name, found in lost(own).items():
            yield {
                "system": system,
                "class": name,
                "imbalances_lost": found.splits,
                "imbalances": imbalances,
                "trials_lost": found.runs,
                "trials": len(own),
            }


def _csv(rows: Iterable[Mapping[str, Any]]) -> str:
    content, text = list(rows), io.StringIO()
    if content:
        writer = csv.DictWriter(text, list(content[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(content)
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    with written_whole(path) as file:
        file.write(text.encode(errors="surrogateescape"))
