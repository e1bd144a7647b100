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
    "from grey": (lambda: layers.Conv2d(1, 16, 4, 2, 1), (8, 1, 28, 28)),
    "to grey": (lambda: layers.ConvTranspose2d(16, 1, 4, 2, 1), (8, 16, 14, 14)),
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
    weights = torch.linspace(-1, 2, output.numel(), dtype=inputs.dtype).view_as(output)
    return [output, *torch.autograd.grad((output * weights).sum(), [inputs, *layer.parameters()])]


def test_it_is_what_torch_computes(case):
    layer, theirs, inputs = case
    exact = run(theirs.double(), inputs.double())
    for found, expected in zip(run(layer, inputs), exact, strict=True):
        assert (found - expected).norm() < 3e-5 * expected.norm()


def test_it_goes_another_way(case):
    """Which shows in rounding, or there would be no reason for this layer."""
    layer, theirs, inputs = case
    assert any(not torch.equal(a, b) for a, b in zip(run(layer, inputs), run(theirs, inputs), strict=True))


def test_an_answer_is_torchs_own(case):
    layer, theirs, inputs = case
    assert torch.equal(layer.eval()(inputs), theirs.eval()(inputs))


def test_in_bf16_it_is_what_torch_computes(case):
    """As near as bf16 is: what is rounded on the way differs."""
    layer, theirs, inputs = case
    exact = run(copy.deepcopy(theirs).double(), inputs.double())
    with torch.autocast("cpu", torch.bfloat16):
        mine, torchs = run(layer, inputs), run(theirs, inputs)
    for found, usual, expected in zip(mine, torchs, exact, strict=True):
        assert found.dtype == usual.dtype
        assert (found - expected).norm() < 1.5 * (usual - expected).norm() + 1e-6 * expected.norm()


BF16 = {
    "convolution": (lambda: layers.Conv2d(16, 32, 4, 2, 1), (4, 16, 14, 14)),
    "padded to odd": (lambda: layers.Conv2d(32, 16, 4, 2, 2), (4, 32, 7, 7)),
    "transposed": (lambda: layers.ConvTranspose2d(32, 16, 4, 2, 1), (4, 32, 7, 7)),
}


@pytest.mark.parametrize("name", BF16)
def test_in_bf16_kernels_learn_by_patches(name, monkeypatch):
    make, shape = BF16[name]
    layer, calls = make(), []
    usual = layers.patches.kernel_gradient
    monkeypatch.setattr(layers.patches, "kernel_gradient", lambda *given: calls.append(1) or usual(*given))
    with torch.autocast("cpu", torch.bfloat16):
        run(layer, torch.randn(shape))
    assert calls
    run(layer, torch.randn(shape))
    with torch.autocast("cpu", torch.bfloat16):
        run(layer.eval(), torch.randn(shape))
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Conv2d(8, 32, 4, 2, 1), (4, 8, 8, 8)),
        (layers.Conv2d(32, 32, 4, 2, 1), (4, 32, 18, 18)),
        (layers.Conv2d(32, 32, 4, 2, 1), (4, 32, 8, 12)),
        (layers.Conv2d(32, 32, 3, 1, 1), (4, 32, 8, 8)),
        (layers.ConvTranspose2d(32, 3, 4, 2, 1), (4, 32, 7, 7)),
        (layers.Linear(WIDE, WIDE), (16, WIDE)),
    ],
    ids=str,
)
def test_in_bf16_what_does_not_suit_is_torchs_own(layer, shape):
    inputs = torch.randn(shape)
    with torch.autocast("cpu", torch.bfloat16):
        for found, expected in zip(run(layer, inputs), run(as_torchs(layer), inputs), strict=True):
            assert torch.equal(found, expected)


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
        (layers.ConvTranspose2d(64, 3, 4, 2, 1), (64, 64, 8, 8)),
        (layers.ConvTranspose2d(128, 64, 4, 2, 1), (64, 128, 9, 9)),
        (layers.Linear(256, 256), (8, 256)),
        (layers.Linear(WIDE, WIDE), (WIDE, WIDE)),
    ],
    ids=str,
)
def test_what_does_not_suit_it_is_torchs_own(layer, shape):
    inputs = torch.randn(shape)
    assert torch.equal(layer(inputs), as_torchs(layer)(inputs))
