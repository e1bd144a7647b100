"""A run as it is given away: the files that it takes to use the model, and a card that says what it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelHubMixin

from elastic_infogan import __version__
from elastic_infogan.apps.names import ClassNames
from elastic_infogan.apps.report_training import command, scores
from elastic_infogan.apps.tables import percent
from elastic_infogan.data import named
from elastic_infogan.training.config import overlay, to_toml
from elastic_infogan.training.run import ESTIMATOR, NAMES, Run

__all__ = ["Published"]

_AS_THEY_ARE = (
    "classes.json",
    "model.json",
    "model.safetensors",
    "restarts.json",
    "shares.json",
    "stats.jsonl",
    NAMES,
    ESTIMATOR,
)
_PATHS = ("source", "labels", "imbalance")
"""settings that may name a file or folder of the machine that trained"""


class Published(
    ModelHubMixin,
    library_name="elastic-infogan",
    pipeline_tag="unconditional-image-generation",
    tags=["clustering", "gan", "unsupervised"],
):
    """A trained run that can be written into a folder, or pushed to the hub, by the methods of the mixin.

    Of paths on this machine only the last part is told. What resumes a training, the checkpoint, stays here.

    Arguments:
        run: with a model in it.
    """

    def __init__(self, run: Run) -> None:
        bare = {name: _last_part(getattr(run.config, name)) for name in _PATHS}
        self.run, self.config = run, overlay(run.config, bare, "push")
        self.model = run.load_model()
        self._hub_mixin_config = {"model": self.model.kind, **asdict(self.model.spec)}

    def generate_model_card(self, name: str) -> ModelCard:
        """What the model is, how to use it, how good it is and how to make it again, as `README.md`."""
        template = files("elastic_infogan.apps").joinpath("hub_card/README.md.jinja").read_text("utf-8")
        card: ModelCard = ModelCard.from_template(
            self._hub_mixin_info.model_card_data, template_str=template, **self._facts(name)
        )
        rows_together = re.sub(r"(?<=\|)\n+(?=\|)", "\n", card.text)
        text = re.sub(r"\n{3,}", "\n\n", rows_together)
        card.text = text.encode("utf-8", "replace").decode()  # a command may name what is no UTF-8
        return card

    def _save_pretrained(self, save_directory: Path) -> None:
        settings = self._settings().encode("utf-8", "surrogateescape")
        (save_directory / "config.toml").write_bytes(settings)
        if metrics := self._metrics():
            (save_directory / "metrics.json").write_text(json.dumps(metrics, indent=2), encoding="utf-8")
        for file in self._files():
            target = save_directory / file.relative_to(self.run.path)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(file.read_bytes())

    def _settings(self) -> str:
        """`config.toml` without this machine's paths."""
        found = self.run.classes_found()
        return to_toml(self.config, found["found"] if found else None)

    def _files(self) -> Iterator[Path]:
        yield from filter(Path.exists, (self.run.path / name for name in _AS_THEY_ARE))
        if grid := self.run.latest_grid():
            yield grid

    def _metrics(self) -> dict[str, Any]:
        metrics = self.run.metrics()
        return metrics and {**metrics, "source": _last_part(metrics.get("source"))}

    def _facts(self, name: str) -> dict[str, Any]:
        config, stats, grid = self.config, self.run.stats(), self.run.latest_grid()
        names = ClassNames.of(self.run, self.model.n_classes)
        assigned: list[float] = (self.run.shares() or {}).get("assigned", [])
        return {
            "name": name,
            "title": _plain(Path(name).name),
            "source": "an array of images" if self.run.of_array else _plain(config.source),
            "samples": grid and grid.relative_to(self.run.path).as_posix(),
            "size": self.model.spec.size,
            "channels": self.model.spec.channels,
            "classes": self._classes(names, assigned),
            "kinds": sum(row["assigned"] != 0 for row in self._classes(names, assigned)),
            "named": bool(names.names),
            "found": (self.run.classes_found() or {}).get("says"),
            "assigned": assigned,
            "views": f"views of sort {config.views.preset}",
            "scores": scores(self._metrics()),
            "scored_on": self._scored_on(),
            "command": None if self.run.of_array else command(config, f"runs/{Path(name).name}"),
            "learned": config.prior.learned,
            "recipe": config.recipe,
            "seed": config.seed,
            "steps": f"{stats[-1]['step']:,}" if stats else "unknown",
            "minutes": f"{stats[-1]['seconds'] / 60:.1f}" if stats else "unknown",
            "version": __version__,
            "percent": percent,
            "merged": bool(names.merged),
        }

    def _scored_on(self) -> str:
        """Which images the scores are of."""
        metrics = self._metrics()
        number = f"{metrics['images']:,} " if "images" in metrics else ""
        return f"{number}images of {_plain(str(metrics.get('source') or 'its source'))}"

    def _classes(self, names: ClassNames, assigned: list[float]) -> list[dict[str, Any]]:
        """Of each class, most common first: its numbers, name, prior and share."""
        prior = self.model.prior.probabilities().tolist()
        rows = [
            {
                "codes": group,
                "name": _plain(names.name(group[0])),
                "prior": sum(prior[k] for k in group),
                "assigned": sum(assigned[k] for k in group) if assigned else None,
            }
            for group in names.groups()
        ]
        return sorted(rows, key=lambda row: -row["prior"])


def _last_part(path: str | None) -> str | None:
    """Of a path its last part, which must not turn into the name of a known data set; else `path` as it is.

    >>> _last_part("/home/me/pictures/"), _last_part("mnist"), _last_part("D:\\\\sets\\\\counts.npy:3")
    ('pictures', 'mnist', 'counts.npy:3')
    >>> _last_part("/home/me/mnist")
    './mnist'
    """
    last = path and re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    return f"./{last}" if last in named.NAMES and last != path else last


def _plain(text: str) -> str:
    """A name as Markdown shows it, whatever letters it is of.

    >>> print(_plain("a|b <i> *c*"))
    a\\|b \\<i\\> \\*c\\*
    """
    return re.sub(r"([\\`*_{}\[\]<>#|!&])", r"\\\1", text.encode("utf-8", "replace").decode())
