"""Winograd's filtering against torch's own convolutions."""

import pytest
import torch
import torch.nn.functional as F

from elastic_infogan.core import winograd

SIDES = range(1, winograd.LARGEST + 1)
PAIRS = {
    "convolution": (winograd.convolve, F.conv2d),
    "transposed": (winograd.convolve_transposed, F.conv_transpose2d),
}


def inputs(which, side, images=3, channels=(5, 4), dtype=torch.float64):
    """Maps, kernels, biases and a gradient of the output."""
    small, large = channels
    maps = {"convolution": (images, large, 2 * side, 2 * side), "transposed": (images, small, side, side)}
    back = {"convolution": (images, small, side, side), "transposed": (images, large, 2 * side, 2 * side)}
    weight, bias = torch.randn(small, large, 4, 4), torch.randn(back[which][1])
    tensors = [t.to(dtype).requires_grad_() for t in (torch.randn(maps[which]), weight, bias)]
    return tensors, torch.randn(back[which]).to(dtype)


def both(which, tensors, gradient):
    """The output and the three gradients of ours and of torch's."""
    ours, theirs = PAIRS[which]
    found, expected = ours(*tensors), theirs(*tensors, stride=2, padding=1)
    of = [torch.autograd.grad(output, tensors, gradient) for output in (found, expected)]
    return zip([found, *of[0]], [expected, *of[1]], strict=True)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("which", PAIRS)
def test_outputs_and_gradients_are_those_of_torch(which, side):
    for found, expected in both(which, *inputs(which, side)):
        assert torch.allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("which", PAIRS)
def test_the_gradients_are_those_of_the_outputs(which):
    tensors, _ = inputs(which, side=3, images=2, channels=(2, 3))
    assert torch.autograd.gradcheck(PAIRS[which][0], tensors)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("which", PAIRS)
def test_single_precision_is_off_by_less_than_is_said(which, side):
    """As a share of the standard deviation; bf16 rounds to four thousandths."""
    tensors, gradient = inputs(which, side, images=16, channels=(64, 64), dtype=torch.float32)
    exact = [t.detach().double().requires_grad_() for t in tensors]
    output = PAIRS[which][1](*exact, stride=2, padding=1)
    expected = [output, *torch.autograd.grad(output, exact, gradient.double())]
    for (found, _), right in zip(both(which, tensors, gradient), expected, strict=True):
        assert (found - right).std() < 3e-5 * right.std()


@pytest.mark.parametrize("which", PAIRS)
@pytest.mark.parametrize("learns", range(3))
def test_what_does_not_learn_gets_no_gradient(which, learns):
    tensors, gradient = inputs(which, side=2)
    for n, tensor in enumerate(tensors):
        tensor.requires_grad_(n == learns)
    PAIRS[which][0](*tensors).backward(gradient)
    assert [tensor.grad is not None for tensor in tensors] == [n == learns for n in range(3)]


@pytest.mark.parametrize("which", PAIRS)
def test_maps_and_gradients_come_in_channels_last(which):
    tensors, gradient = inputs(which, side=4, channels=(8, 8))
    output = PAIRS[which][0](*tensors)
    of_maps, of_kernels, _ = torch.autograd.grad(output, tensors, gradient)
    for maps in (output, of_maps, of_kernels):
        assert maps.is_contiguous(memory_format=torch.channels_last)
