"""Layers that compute what torch's do, on another way where that is faster."""

import copy

import pytest
import torch
from torch import nn

from elastic_infogan.core import layers

WIDE = 1024
CASES = {
    "convolution": (lambda: layers.Conv2d(64, 128, 4, 2, 1), (64, 64, 14, 14)),
    "transposed": (lambda: layers.ConvTranspose2d(128, 64, 4, 2, 1), (64, 128, 7, 7)),
    "linear": (lambda: layers.Linear(WIDE, 2 * WIDE), (32, WIDE)),
}
THEIRS = {layers.Conv2d: nn.Conv2d, layers.ConvTranspose2d: nn.ConvTranspose2d, layers.Linear: nn.Linear}


@pytest.fixture(params=CASES)
def case(request):
    """A layer, torch's own with the same parameters, and inputs."""
    make, shape = CASES[request.param]
    layer = make()
    return layer, as_torchs(layer), torch.randn(shape)


def as_torchs(layer):
    theirs = copy.deepcopy(layer)
    theirs.__class__ = THEIRS[type(layer)]
    return theirs


def run(layer, inputs):
    """The output, and the gradients of inputs and parameters."""
    inputs = inputs.clone().requires_grad_()
    output = layer(inputs)
    weights = torch.linspace(-1, 1, output.numel(), dtype=inputs.dtype).view_as(output)
    return [output, *torch.autograd.grad((output * weights).sum(), [inputs, *layer.parameters()])]


def test_it_is_what_torch_computes(case):
    layer, theirs, inputs = case
    exact = run(theirs.double(), inputs.double())
    for found, expected in zip(run(layer, inputs), exact, strict=True):
        assert (found - expected).std() < 3e-5 * expected.std()


def test_it_goes_another_way(case):
    """Which shows in rounding, or there would be no reason for this layer."""
    layer, theirs, inputs = case
    assert any(not torch.equal(a, b) for a, b in zip(run(layer, inputs), run(theirs, inputs), strict=True))


def test_an_answer_is_torchs_own(case):
    layer, theirs, inputs = case
    assert torch.equal(layer.eval()(inputs), theirs.eval()(inputs))


def test_under_autocast_it_is_torchs_own(case):
    layer, theirs, inputs = case
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(inputs), theirs(inputs))


def test_so_it_is_in_double_precision(case):
    layer, theirs, inputs = case
    assert torch.equal(layer.double()(inputs.double()), theirs.double()(inputs.double()))


def test_a_small_batch_of_maps_is_torchs_own():
    layer = layers.Conv2d(64, 128, 4, 2, 1)
    maps = torch.randn(layers.LEAST_IMAGES - 1, 64, 8, 8)
    assert torch.equal(layer(maps), as_torchs(layer)(maps))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Conv2d(64, 64, 4, 2, 1), (64, 64, 14, 14)),
        (layers.Conv2d(64, 128, 4, 2, 1), (64, 64, 18, 18)),
        (layers.Conv2d(64, 128, 4, 2, 1), (64, 64, 9, 9)),
        (layers.Conv2d(64, 128, 4, 2, 1), (64, 64, 8, 12)),
        (layers.Conv2d(64, 128, 4, 2, 2), (64, 64, 7, 7)),
        (layers.Conv2d(64, 128, 3, 1, 1), (64, 64, 8, 8)),
        (layers.ConvTranspose2d(64, 1, 4, 2, 1), (64, 64, 8, 8)),
        (layers.ConvTranspose2d(128, 64, 4, 2, 1), (64, 128, 9, 9)),
        (layers.Linear(256, 256), (8, 256)),
        (layers.Linear(WIDE, WIDE), (WIDE, WIDE)),
    ],
    ids=str,
)
def test_what_does_not_suit_it_is_torchs_own(layer, shape):
    inputs = torch.randn(shape)
    assert torch.equal(layer(inputs), as_torchs(layer)(inputs))
