"""Models kept on the way: when, that they differ from the last, and that keeping them changes nothing."""

from dataclasses import replace

import pytest

from elastic_infogan.training import loop
from elastic_infogan.training.run import Run
from elastic_infogan.training.snapshots import due, kept
from elastic_infogan.training.state import setup
from shared import same, weights


@pytest.mark.parametrize("steps", [7, 24, 100])
@pytest.mark.parametrize("n", [0, 1, 3, 8])
def test_each_part_but_the_last_ends_once(steps, n):
    parts = [due((step - 1) / steps, step / steps, n) for step in range(1, steps + 1)]
    ended = [part for part in parts if part is not None]
    assert ended == sorted(set(ended))
    assert ended == list(range(1, n)) if n <= steps else len(ended) < steps


@pytest.mark.parametrize("recipe", ["elastic", "paper"])
def test_snapshots_are_kept_and_leave_the_run_as_it_would_be(recipe, small, whole):
    watched, plain = whole(small(recipe, snapshots=4)), whole(small(recipe))
    snapshots = kept(watched)
    assert [snapshot.step for snapshot in snapshots] == [6, 12, 18]
    assert [snapshot.seconds for snapshot in snapshots] == sorted(s.seconds for s in snapshots)
    assert same(weights(watched.path), weights(plain.path))
    assert not kept(plain)
    generators = [watched.load_model(file=s.file).generator.state_dict() for s in snapshots[-2:]]
    assert not same(*generators)


def test_a_run_that_goes_back_forgets_what_it_kept_of_a_later_time(small, trained, digits, tmp_path, stop_at):
    """Its process was killed long after the checkpoint that it goes on from."""
    config = replace(small("paper", snapshots=4), interval=1e-9)
    run = trained(config, "whole")
    early = Run.create(tmp_path / "early", config)
    with pytest.raises(loop.Interrupted):
        loop.fit(setup(config, digits), early, lambda _: None, stop_at(8))
    run.checkpoint.write_bytes(early.checkpoint.read_bytes())
    (run.path / "shares.json").unlink()
    (run.path / "samples" / "step-notes.png").touch()
    loop.resume(setup(config, digits), run)
    assert [snapshot.step for snapshot in kept(run)] == [6]
    grids = sorted(path.stem for path in (run.path / "samples").glob("*.png"))
    assert grids == ["step-0000004", "step-0000008", "step-notes"]


def test_snapshots_are_told_in_the_order_of_their_steps(small, copied):
    run = copied(small("paper", snapshots=4))
    first, second, third = (snapshot.file for snapshot in kept(run))
    third.rename(first.with_name("000.safetensors"))  # kept when the budget was cut into other parts
    assert [snapshot.step for snapshot in kept(run)] == [6, 12, 18]
    assert second in {snapshot.file for snapshot in kept(run)}
