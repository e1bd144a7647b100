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
