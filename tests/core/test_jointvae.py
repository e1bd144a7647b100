"""JointVAE: its published layers, its gradients, and the surface that it shares with the GAN."""

from dataclasses import asdict, replace

import pytest
import torch

from elastic_infogan.core import objectives
from elastic_infogan.core.jointvae import JointVAE, JointVAESpec

SPEC = JointVAESpec(
    size=28, channels=1, n_classes=4, noise=0, continuous=3, features=16, encoder_width=4, generator_width=4,
    generator_hidden=8,
)  # fmt: skip


def published(size, channels):
    return JointVAE(JointVAESpec(
        size=size, channels=channels, n_classes=10, noise=0, continuous=10, features=256, encoder_width=32,
        generator_width=32, generator_hidden=256,
    ))  # fmt: skip


def layers(network):
    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d, torch.nn.Linear)
    width = lambda m: m.out_features if isinstance(m, torch.nn.Linear) else m.out_channels  # noqa: E731
    return [width(m) for m in network.modules() if isinstance(m, kinds)]


@pytest.mark.parametrize(
    ("size", "channels", "down", "up"),
    [
        (32, 1, [32, 64, 64, 256], [256, 1024, 32, 32, 1]),
        (64, 3, [32, 32, 64, 64, 256], [256, 1024, 64, 32, 32, 3]),
        (28, 1, [32, 64, 256], [256, 3136, 32, 1]),
        (128, 3, [32, 32, 32, 64, 64, 256], [256, 1024, 64, 64, 32, 32, 3]),
    ],
)
def test_the_published_layers_and_those_of_other_sizes(size, channels, down, up):
    model = published(size, channels)
    assert layers(model.encoder) == down
    assert layers(model.generator) == up
    images = model.generate(torch.zeros(2, 0), torch.eye(10)[:2], torch.zeros(2, 10))
    assert images.shape == (2, channels, size, size)
    assert model.recognise(images).mean.shape == (2, 10)


def test_each_term_updates_exactly_the_groups_of_its_row():
    model, images = JointVAE(SPEC), torch.rand(8, 1, 28, 28) * 2 - 1
    for term, row in objectives.VARIATIONAL_TABLE.items():
        model.zero_grad(set_to_none=True)
        with objectives.learning(model, frozenset(model.groups)):
            terms = objectives.variational_terms(model, images, 0.67, "soft", torch.tensor(0.5), 1.0)
        terms[term].backward()
        moved = {g for g in model.groups if any(p.grad is not None and p.grad.any() for p in model.group(g))}
        # The prior is no learner of any step, although a divergence from it has a gradient there.
        assert moved - {"prior"} == row, term
    assert terms.keys() == objectives.VARIATIONAL_TABLE.keys()


def test_the_reconstruction_reaches_the_class_code_through_its_sample():
    model, images = JointVAE(SPEC), torch.rand(8, 1, 28, 28) * 2 - 1
    for kind, reaches in (("soft", True), ("straight-through", True), ("hard", False)):
        model.zero_grad(set_to_none=True)
        terms = objectives.variational_terms(model, images, 0.67, kind, torch.tensor(0.5), 1.0)
        terms["reconstruction"].backward()
        gradient = model.q_head.classes.weight.grad
        assert (gradient is not None and bool(gradient.any())) is reaches


def test_without_continuous_codes_there_is_one_capacity():
    model = JointVAE(replace(SPEC, continuous=0))
    terms = objectives.variational_terms(
        model, torch.zeros(4, 1, 28, 28), 0.67, "soft", torch.tensor(0.5), 1.0
    )
    assert terms.keys() == {"reconstruction", "capacity_class"}


def test_uniform_codes_become_gaussian_quantiles():
    """A caller's continuous codes are uniform on [-1, 1] whatever the model."""
    model, code = JointVAE(SPEC).eval(), torch.eye(4)[:2]
    uniform = torch.tensor([[-0.5, 0.0, 0.9], [0.3, -0.99, 0.6]])
    gaussian = torch.distributions.Normal(0.0, 1.0).icdf((uniform + 1) / 2)
    expected = 2 * model.decode(code, gaussian).sigmoid() - 1
    torch.testing.assert_close(model.generate(torch.zeros(2, 0), code, uniform), expected, atol=1e-3, rtol=0)
    ends = model.generate(torch.zeros(2, 0), code, torch.tensor([[1.0] * 3, [-1.0] * 3]))
    assert ends.isfinite().all()


def test_the_surface_is_that_of_every_model():
    model = JointVAE(JointVAESpec(**asdict(SPEC))).for_inference()
    assert not any(p.requires_grad for p in model.parameters())
    once, again = (model.sample(torch.arange(4), torch.Generator().manual_seed(3)) for _ in range(2))
    assert (once.dtype, once.shape) == (torch.uint8, (4, 28, 28, 1))
    assert torch.equal(once, again)
    probabilities, features = model.posterior(once)
    assert features.shape == (4, 16)
    assert model.hidden(once).shape == (4, 8 * 7 * 7)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(4))
    grouped = [id(p) for name in model.groups for p in model.group(name)]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())
