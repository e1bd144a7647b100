"""How many classes there are is read off the closeness of the groups that joining brings together."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from elastic_infogan.training.counting import count, counted
from elastic_infogan.training.grouping import Looks
from elastic_infogan.training.sought import Sought


def blobs(counts, seed=0, spread=0.15, features=16):
    """Unit features around as many orthogonal directions."""
    random = torch.Generator().manual_seed(seed)
    centres = torch.eye(features)[torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))]
    points = centres + spread * torch.randn(sum(counts), features, generator=random)
    return torch.nn.functional.normalize(points, dim=1)


def looks(features, pixels=None):
    """What blobs are compared by; pixels that are not given are noise, which has no say."""
    noise = torch.randn(len(features), 6, generator=torch.Generator().manual_seed(1))
    return Looks(features, noise, (noise if pixels is None else pixels,))


@cache
def found_in(*counts):
    return count(looks(blobs(counts)), Sought(2, 15), seed=0)


@pytest.mark.parametrize("counts", [(400, 400, 400), (700, 250, 120, 60, 40)])
def test_separate_groups_are_counted_however_unequal(counts):
    found = found_in(*counts)
    assert (found.found, found.low, found.high, found.how_sure) == (len(counts), *[len(counts)] * 2, "sure")
    last_two, halves = found.closeness[len(counts) - 2 : len(counts)]
    assert last_two < 0.2
    assert halves > 0.5


def test_one_cloud_is_said_to_be_one():
    found = count(looks(blobs([600])), Sought(3, 15), seed=0)
    assert found.one_kind
    assert found.found == 3
    assert found.in_words().startswith("No separate kinds were found")


def test_a_variant_that_pixels_do_not_tell_from_its_kind_is_no_kind():
    counts = [500, 300, 200, 60]  # the last is a variant of the first
    features, same = blobs(counts), blobs([560, 300, 200])
    pixels = torch.cat([same[:500], same[560:], same[500:560]])
    assert count(looks(features), Sought(2, 15), seed=0).found == 4
    assert count(looks(features, pixels), Sought(2, 15), seed=0).found == 3


def test_more_kinds_than_allowed_are_not_hidden():
    found = count(looks(blobs([150] * 6)), Sought(2, 4), seed=0)
    assert (found.found, found.beyond) == (4, True)
    assert "widen --classes" in found.in_words()
    assert found.how_sure == "not sure"


def test_fewer_kinds_than_allowed_are_not_taken_for_the_fewest():
    found = count(looks(blobs([300] * 3)), Sought(6, 15), seed=0)
    assert (found.found, found.below, found.how_sure) == (6, True, "not sure")
    assert "Fewer than were allowed look separate: lower --classes" in found.in_words()
    assert not found_in(400, 400, 400).below


def test_copies_are_not_taken_for_kinds():
    few = torch.nn.functional.normalize(torch.randn(3, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    assert count(looks(few.repeat(100, 1)), Sought(2, 20), seed=0).found <= 3


def test_starts_that_disagree_widen_the_answer():
    one, other = [*[1.0] * 20, 0.9, 0.02], [*[1.0] * 20, 0.05, 0.02]
    found = counted([one, other, other], Sought(2, 6))
    assert (found.found, found.low, found.high, found.votes) == (3, 2, 3, (2, 3, 3))
    assert found.how_sure == "fairly sure"
    assert np.allclose(found.closeness[:2], [0.02, 0.05])


def test_a_division_by_likeness_is_not_passed_off_as_kinds():
    found = replace(found_in(400, 400, 400), kinds=False)
    assert found.how_sure == "not sure"
    assert found.in_words().startswith("Apart from near-duplicates no kinds are separate")
    assert found.as_json()["kinds"] is False


@pytest.mark.parametrize(("steps", "sure"), [(57, "not sure"), (300, "sure")])
def test_features_that_have_hardly_learned_are_not_relied_on(steps, sure):
    found = replace(found_in(400, 400, 400), steps=steps)
    assert found.how_sure == sure
    assert ("for 57 steps only" in found.in_words()) is (steps == 57)
