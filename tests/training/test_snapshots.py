"""Models kept on the way: when, that they differ from the last, and that keeping them changes nothing."""

import pytest

from elastic_infogan.training.run import read_tensors
from elastic_infogan.training.snapshots import due, kept


def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(ours[name].equal(theirs[name]) for name in ours)


def final(run):
    return read_tensors(run.path / "model.safetensors")[0]


@pytest.mark.parametrize("steps", [7, 24, 100])
@pytest.mark.parametrize("n", [0, 1, 3, 8])
def test_each_part_but_the_last_ends_once(steps, n):
    parts = [due((step - 1) / steps, step / steps, n) for step in range(1, steps + 1)]
    ended = [part for part in parts if part is not None]
    assert ended == sorted(set(ended))
    assert ended == list(range(1, n)) if n <= steps else len(ended) < steps


@pytest.mark.parametrize("recipe", ["elastic", "paper"])
def test_snapshots_are_kept_and_leave_the_run_as_it_would_be(recipe, small, trained):
    watched, plain = trained(small(recipe, snapshots=4), "watched"), trained(small(recipe), "plain")
    snapshots = kept(watched)
    assert [snapshot.step for snapshot in snapshots] == [6, 12, 18]
    assert [snapshot.seconds for snapshot in snapshots] == sorted(s.seconds for s in snapshots)
    assert same(final(watched), final(plain))
    assert not kept(plain)
    generators = [watched.load_model(file=s.file).generator.state_dict() for s in snapshots[-2:]]
    assert not same(*generators)
