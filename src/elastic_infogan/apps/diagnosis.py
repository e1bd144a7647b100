"""What `doctor` does, and `train` at its end: look for faults without labels, say them, write them down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from elastic_infogan.apps import terminal
from elastic_infogan.apps.gallery import Gallery, open_gallery
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.apps.output import write_json
from elastic_infogan.errors import ElasticInfoGANError
from elastic_infogan.evaluation.doctor import CHECKS, Finding, diagnose
from elastic_infogan.evaluation.evidence import gather

__all__ = ["diagnosed", "doctor", "keep_findings", "say_findings"]


def doctor(path: Path, source: str | None, device: str) -> None:
    """Diagnose a run on a source, or on what it was trained on."""
    gallery = open_gallery(path, source, device)
    findings = diagnosed(gallery)
    if ClassNames.of(gallery.run, gallery.model.n_classes).merged:
        terminal.note("Diagnosed are the classes as they were learned, before any merge.")
    say_findings(findings, len(gallery.images))
    try:
        keep_findings(gallery, findings)
    except ElasticInfoGANError:  # a run that is another's can be diagnosed too
        terminal.note(f"diagnosis.json is not kept: {path} cannot be written to")
        return
    terminal.say(str(path / "diagnosis.json"))


def diagnosed(gallery: Gallery) -> list[Finding]:
    """The findings about a run; labels are not looked at."""
    run = gallery.run
    return diagnose(gather(gallery.model, gallery.images.images, gallery.answers, run.config, run.stats()))


def keep_findings(gallery: Gallery, findings: Sequence[Finding]) -> None:
    """Write `diagnosis.json` into the run folder."""
    content = {
        "source": gallery.images.origin,
        "images": len(gallery.images),
        "counts": gallery.answers.counts.tolist(),
        "findings": [finding.as_json() for finding in findings],
    }
    write_json(gallery.run.path / "diagnosis.json", content)


def say_findings(findings: Sequence[Finding], images: int) -> None:
    """Each finding with what to do about it, or what was looked at where there is none."""
    if not findings:
        terminal.say(f"Diagnosis without labels, on {images:,} images: nothing found. {_checked()}")
        return
    terminal.say(f"Diagnosis without labels, on {images:,} images:")
    for finding in findings:
        terminal.say(f"  {finding.severity}: {finding.says}")
        terminal.say(f"         {finding.do}")


def _checked() -> str:
    return f"Looked at: {', '.join(CHECKS)}."
