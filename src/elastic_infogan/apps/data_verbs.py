"""The arguments and help of the verbs about a source: `data inspect`, `data pack` and `data imbalance`."""

from __future__ import annotations

from pathlib import Path

__all__ = ["imbalance", "inspect", "pack"]


def inspect(source: str, /, *, labels: str | None = None) -> None:
    """Say what is in SOURCE: images, sizes, classes where there are labels, files that cannot be used.

    Parameters
    ----------
    source:
        What to look at.
    labels:
        CSV file with the header image,label.
    """
    from elastic_infogan.apps.datasets import inspect as work

    work(source, labels)


def pack(source: str, /, *, out: Path, size: int | None = None) -> None:
    """Decode SOURCE once into a store that every verb takes as a source.

    Parameters
    ----------
    source:
        What to pack.
    out:
        The store, a new folder.
    size:
        Side in pixels. Left out: chosen from the data.
    """
    from elastic_infogan.apps.datasets import pack as work

    work(source, out, size)


def imbalance(source: str, spec: str, /, *, labels: str | None = None, out: Path | None = None) -> None:
    """Draw an imbalanced subset of SOURCE and print how many images of each class it has.

    Parameters
    ----------
    source:
        Images with labels.
    spec:
        random:SEED, longtail:RATIO:SEED, counts such as 6300,1585,… or FILE.npy:ROW.
    labels:
        CSV file with the header image,label.
    out:
        A .npz that gets the subset's images and labels.
    """
    from elastic_infogan.apps.datasets import imbalance as work

    work(source, spec, labels, out)
