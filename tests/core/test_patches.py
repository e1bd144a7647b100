"""Convolutions whose kernels' gradient is a product with patches, against torch's own."""

import pytest
import torch
import torch.nn.functional as F

from elastic_infogan.core import patches

PAIRS = {
    "convolution": (patches.convolve, F.conv2d),
    "transposed": (patches.convolve_transposed, F.conv_transpose2d),
}
SIDES = [(2, 1), (6, 1), (7, 2), (8, 2), (14, 1)]
"""of the larger maps, with the padding"""


def inputs(which, side, padding, images=3, channels=4):
    """Maps, kernels, biases and a gradient of the output in double precision; `channels` of the larger."""
    small = side // 2 + padding - 1
    if which == "transposed":
        side = 2 * (small + 1 - padding)
    shapes = {True: (images, channels, side, side), False: (images, 5, small, small)}
    maps, back = shapes[which == "convolution"], shapes[which == "transposed"]
    weight, bias = torch.randn(5, channels, 4, 4), torch.randn(back[1])
    tensors = [t.double().requires_grad_() for t in (torch.randn(maps), weight, bias)]
    return tensors, torch.randn(back).double()


def both(which, tensors, gradient, padding, dtype=torch.float64):
    """The output and the three gradients of ours, computed in `dtype`, and of torch's."""
    ours, theirs = PAIRS[which]
    found, expected = ours(*tensors, padding, dtype), theirs(*tensors, stride=2, padding=padding)
    of = [torch.autograd.grad(output, tensors, gradient.to(output.dtype)) for output in (found, expected)]
    return list(zip([found, *of[0]], [expected, *of[1]], strict=True))


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize(("side", "padding"), SIDES)
@pytest.mark.parametrize("which", PAIRS)
def test_outputs_and_gradients_are_those_of_torch(which, side, padding, channels):
    tensors, gradient = inputs(which, side, padding, channels=channels)
    for found, expected in both(which, tensors, gradient, padding):
        assert torch.allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("channels", [1, 4, 16])
@pytest.mark.parametrize("which", PAIRS)
def test_in_bf16_it_is_rounded_and_gradients_keep_their_own_type(which, channels):
    tensors, gradient = inputs(which, 14, 1, images=16, channels=channels)
    (output, exact), *gradients = both(which, tensors, gradient, 1, torch.bfloat16)
    assert output.dtype == torch.bfloat16
    assert (output - exact).norm() < 1e-2 * exact.norm()
    for found, expected in gradients:
        assert found.dtype == torch.float64
        assert (found - expected).norm() < 1e-2 * expected.norm()


@pytest.mark.parametrize(("side", "padding"), SIDES)
@pytest.mark.parametrize("images", [1, 2, 3])
def test_kernels_gradients_of_some_images_at_once_add_up(side, padding, images, monkeypatch):
    (maps, weight, _), gradient = inputs("convolution", side, padding)
    one = gradient.shape[2] ** 2 * 16 * maps.shape[1] * maps.element_size()
    monkeypatch.setattr(patches, "AT_ONCE", images * one)
    (expected,) = torch.autograd.grad(F.conv2d(maps, weight, None, 2, padding), weight, gradient)
    found = patches.kernel_gradient(maps, gradient, padding)
    assert torch.allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("side", "padding"), SIDES)
def test_patches_are_added_up_where_they_overlap(side, padding, channels):
    (maps, weight, _), gradient = inputs("convolution", side, padding, channels=channels)
    (expected,) = torch.autograd.grad(F.conv2d(maps, weight, None, 2, padding), maps, gradient)
    found = patches.fold(gradient, weight, padding, side)
    assert torch.allclose(found, expected, rtol=0, atol=1e-10)
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("which", PAIRS)
@pytest.mark.parametrize("learns", range(3))
def test_what_does_not_learn_gets_no_gradient(which, learns):
    tensors, gradient = inputs(which, 6, 1)
    for n, tensor in enumerate(tensors):
        tensor.requires_grad_(n == learns)
    PAIRS[which][0](*tensors, 1, torch.float64).backward(gradient)
    assert [tensor.grad is not None for tensor in tensors] == [n == learns for n in range(3)]


@pytest.mark.parametrize("which", PAIRS)
def test_maps_and_gradients_come_in_channels_last(which):
    tensors, gradient = inputs(which, 8, 1)
    first, weight, bias = (t.detach() for t in tensors)
    order = {"memory_format": torch.channels_last}
    tensors = [t.requires_grad_() for t in (first.contiguous(**order), weight.contiguous(**order), bias)]
    output = PAIRS[which][0](*tensors, 1, torch.float32)
    of_maps, of_kernels, _ = torch.autograd.grad(output, tensors, gradient.float().contiguous(**order))
    for maps in (output, of_maps, of_kernels):
        assert maps.is_contiguous(**order)
