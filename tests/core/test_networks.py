"""Shapes at every size, and the published layers at 28 pixels."""

from dataclasses import replace

import pytest
import torch

from elastic_infogan.core.networks import (
    Discriminator,
    Encoder,
    Generator,
    ImageShape,
    QHead,
    Trunk,
    initialise,
    stages,
)
from elastic_infogan.training.recipes import ELASTIC
from elastic_infogan.training.state import build


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 16, 28, 32, 64, 128])
def test_every_network_fits_every_size(size, channels):
    shape = ImageShape(size, channels)
    images = Generator(shape, 12, 8, 0)(torch.zeros(2, 12))
    assert images.shape == (2, channels, size, size)
    trunk = Trunk(shape, 8, 16)
    assert Discriminator(trunk, 10)(images, torch.zeros(2, 10)).shape == (2,)
    assert Encoder(shape, 8, 16)(images).shape == (2, 16)


def test_populations_that_pass_at_once_are_normalised_apart():
    torch.manual_seed(0)
    trunk = Trunk(ImageShape(28, 1), 8, 16).double()
    one, other = torch.randn(2, 3, 1, 28, 28, dtype=torch.float64)
    apart = torch.cat([trunk(one), trunk(5 * other + 1)])
    at_once = trunk(torch.cat([one, 5 * other + 1]), populations=2)
    torch.testing.assert_close(at_once, apart)
    assert (trunk(torch.cat([one, 5 * other + 1])) - apart).abs().max() > 0.01


@pytest.mark.parametrize("size", [4, 30])
def test_a_size_that_cannot_be_halved_is_refused(size):
    with pytest.raises(ValueError, match=f"{size} pixels"):
        stages(size)


def test_the_published_networks_at_28_pixels():
    shape = ImageShape(28, 1)
    count = lambda module: sum(p.numel() for p in module.parameters())  # noqa: E731
    dense = 72 * 1024 + 1024 + 2 * 1024 + 1024 * 6272 + 6272 + 2 * 6272
    up = 128 * 64 * 16 + 64 + 2 * 64 + 64 * 16 + 1
    assert count(Generator(shape, 72, 64, 1024)) == dense + up
    down = 16 * 64 + 64 + 64 * 128 * 16 + 128 + 2 * 128 + 6272 * 1024 + 1024 + 2 * 1024
    assert count(Trunk(shape, 64, 1024)) == down


def test_encoder_features_have_unit_length():
    features = Encoder(ImageShape(28, 1), 8, 16)(torch.randn(4, 1, 28, 28))
    torch.testing.assert_close(features.norm(dim=1), torch.ones(4))


def test_initial_weights_are_the_published_ones():
    torch.manual_seed(0)
    trunk = Trunk(ImageShape(28, 1), 64, 1024)
    initialise(trunk)
    for layer in trunk.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert layer.bias.abs().max() == 0


def test_a_conditional_discriminator_reads_the_code_and_a_plain_one_does_not():
    torch.manual_seed(0)
    images, codes = torch.randn(3, 1, 28, 28), torch.eye(3)
    for n_classes, differs in ((3, True), (0, False)):
        judge = Discriminator(Trunk(ImageShape(28, 1), 8, 0), n_classes).eval()
        changed = not torch.equal(judge(images, codes), judge(images, codes.roll(1, 0)))
        assert changed is differs


def test_continuous_codes_get_a_mean_and_a_variance_each():
    output = QHead(16, 10, 2)(torch.zeros(5, 16))
    assert output.mean.shape == output.log_variance.shape == (5, 2)
    assert QHead(16, 10, 0)(torch.zeros(5, 16)).mean.shape == (5, 0)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_map_and_every_gradient_lies_channels_last(channels):
    """One map in the other order slows down the layers around it by half, and nothing else would tell."""
    networks = replace(ELASTIC.networks, generator_width=4, discriminator_width=4, encoder_width=4)
    model = build(replace(ELASTIC, classes=3, networks=networks), 28, channels)
    seen = []

    def keep(module, inputs, output):
        seen.append(output.detach())
        output.register_hook(seen.append)

    for layer in model.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            layer.register_forward_hook(keep)
    latent = model.draw(6, 0.5, "hard")
    fake = model.generate(latent.noise, latent.code.value, latent.continuous)
    judged = model.discriminator(fake, latent.code.value).sum() + model.recognise(fake).features.sum()
    judged.backward()
    assert len(seen) == 2 * (2 + 2 + 3)
    assert all(t.stride(1) == 1 for t in seen if t.shape[1] > 1)
