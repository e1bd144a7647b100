"""Several processes of a run: the same images for all, and one that fails fails all, told by its number."""

from types import SimpleNamespace

import numpy as np
import pytest

from elastic_infogan.errors import DataError, RunError
from elastic_infogan.training.config import Config
from elastic_infogan.training.meeting import fingerprint, same_for_all, together

IMAGES = np.arange(100 * 16, dtype=np.uint8).reshape(100, 4, 4, 1)
FIRST, SECOND = Config(source="pets", seed=3), Config(source="pets")


def seen_by(rank, others, told=()):
    """Processes as number `rank` of two sees them, the other of which has what `others` gives."""

    def of_all(own):
        return [own, others(own)] if rank == 0 else [others(own), own]

    fabric = SimpleNamespace(local_rank=rank, barrier=lambda: told.append("met"))
    return SimpleNamespace(of_all=of_all, fabric=fabric)


def fails():
    raise RunError("gone")


def test_all_go_by_the_settings_of_the_first():
    second = seen_by(1, lambda own: (own[0], FIRST))
    assert same_for_all(second, SECOND, IMAGES) == FIRST


@pytest.mark.parametrize("others", [IMAGES[:50], IMAGES + 1])
def test_other_images_are_refused(others):
    two = seen_by(0, lambda own: (fingerprint(others), own[1]))
    with pytest.raises(DataError, match="pets holds other images for process 1 than for process 0"):
        same_for_all(two, FIRST, IMAGES)


def test_what_fails_in_one_fails_in_all():
    with pytest.raises(RunError, match=r"^process 1: gone$"):
        together(seen_by(0, lambda _: RunError("gone")), lambda: "done")
    with pytest.raises(RunError, match=r"^process 1: gone$"):
        together(seen_by(1, lambda _: None), fails)
    with pytest.raises(RunError, match=r"^gone$"):
        together(seen_by(0, lambda _: None), fails)


@pytest.mark.parametrize(("rank", "order"), [(0, ["worked", "met"]), (1, ["met", "worked"])])
def test_in_turn_the_first_goes_ahead(rank, order):
    told = []
    done = together(seen_by(rank, lambda _: None, told), lambda: told.append("worked") or 7, in_turn=True)
    assert (done, told) == (7, order)
