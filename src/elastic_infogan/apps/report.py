"""What `report` does: one self-contained page about a run, as far as the run has got."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from elastic_infogan.apps import report_classes, report_training, terminal
from elastic_infogan.apps.diagnosis import diagnosed, keep_findings
from elastic_infogan.apps.gallery import open_gallery
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.apps.output import no_folder, written_whole
from elastic_infogan.apps.tables import percent
from elastic_infogan.errors import ElasticInfoGANError
from elastic_infogan.training.run import Run

__all__ = ["report"]


def report(path: Path, source: str | None, out: Path | None, device: str) -> None:
    """Write the page of a run to `out`, or to `report.html` in the run folder.

    Raises:
        RunError: there is no run.
        DataError: the images cannot be read; another SOURCE can be given.
    """
    run, target = Run.open(path), out or path / "report.html"
    no_folder(target)
    content = report_training.content(run)
    if run.has_model:
        content |= _of_the_model(path, source, device)
    with written_whole(target) as file:
        file.write(_rendered(content).encode("utf-8", "replace"))
    for line in content["missing"]:
        terminal.say(f"Not in the report: {line}")
    terminal.say(f"{target} ({target.stat().st_size / 1e6:.1f} MB; it needs no other file and no network)")


def _of_the_model(path: Path, source: str | None, device: str) -> dict[str, Any]:
    """What is shown of the model and of the images that it knows."""
    gallery = open_gallery(path, source, device)
    found = diagnosed(gallery)
    try:
        keep_findings(gallery, found)
    except ElasticInfoGANError:  # a run that is another's can be reported on too
        terminal.note(f"diagnosis.json is in the report alone: {path} cannot be written to")
    findings = [f.as_json() | {"examples": report_classes.examples(gallery, f)} for f in found]
    names = ClassNames.of(gallery.run, gallery.model.n_classes)
    return {"findings": findings, "verdict": _verdict(findings), **report_classes.content(gallery, names)}


def _verdict(findings: list[dict[str, Any]]) -> str:
    counts = {kind: sum(f["severity"] == kind for f in findings) for kind in ("fault", "hint")}
    parts = [f"{n} {kind}{'s' * (n > 1)}" for kind, n in counts.items() if n]
    return ", ".join(parts) or "nothing found"


def _rendered(content: dict[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("elastic_infogan.apps", "report_page"),
        autoescape=True,  # file names and settings are text, whatever they hold
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, flags=flags)
    return environment.get_template("report.html.jinja").render(content)


def flags(text: str) -> Markup:
    """A sentence with its command-line flags set as code.

    >>> str(flags("try --views.rotate 7.5, not <b>."))
    'try <code>--views.rotate</code> 7.5, not &lt;b&gt;.'
    """
    return Markup(re.sub(r"(--[a-z]+(?:[.-][a-z]+)*)", r"<code>\1</code>", str(escape(text))))
