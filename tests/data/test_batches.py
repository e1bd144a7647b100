"""Batches are the images asked for, whether on the device or in a mapped file."""

import numpy as np
import pytest
import torch

from elastic_infogan.data.batches import ImageBatches


@pytest.fixture
def stored(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (50, 6, 6, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    return images, np.load(tmp_path / "images.npy", mmap_mode="r")


@pytest.mark.parametrize("resident", [2**30, 0])
def test_gather_gives_the_images_in_order(stored, resident):
    images, mapped = stored
    batches = ImageBatches(mapped, torch.device("cpu"), resident)
    assert (batches.on_device is None) is (resident == 0)
    chosen = torch.tensor([7, 3, 49, 3, 0])
    expected = torch.from_numpy(images[chosen.numpy()]).permute(0, 3, 1, 2)
    assert torch.equal(batches.gather(chosen), expected)


def test_both_homes_draw_the_same_batch_for_a_seed(stored):
    drawn = []
    for resident in (2**30, 0):
        torch.manual_seed(4)
        batches = ImageBatches(stored[1], torch.device("cpu"), resident)
        drawn.append(batches.gather(batches.draw(16)))
    assert torch.equal(*drawn)


def test_groups_are_drawn_by_the_square_root_of_their_size(stored):
    torch.manual_seed(0)
    batches = ImageBatches(stored[1], torch.device("cpu"))
    groups = torch.tensor([7] * 9 + [2] * 36 + [4] * 4 + [5])  # no group need have the number 0
    batches.draw_by_groups(groups)
    drawn = batches.draw(9000)
    counts = torch.bincount(groups[drawn], minlength=8)
    assert counts[[5, 4, 7, 2]].tolist() == pytest.approx([750, 1500, 2250, 4500], rel=0.1)
    assert len(set(drawn.tolist())) == 50  # everyone of each group
    batches.draw_by_groups(None)
    assert (groups[batches.draw(9000)] == 2).float().mean().item() == pytest.approx(0.72, abs=0.02)
