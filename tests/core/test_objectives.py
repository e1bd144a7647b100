"""Which loss updates which parameters: the table, row by row, and that its rows can be reached."""

from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
import torch

from elastic_infogan.core import class_model, objectives
from elastic_infogan.core.model import ElasticInfoGAN, ModelSpec

SPEC = ModelSpec(
    size=28, channels=1, n_classes=4, noise=6, continuous=2, q="encoder", conditional=True, generator_width=4,
    generator_hidden=0, discriminator_width=4, discriminator_hidden=16, encoder_width=4, features=8,
    prior_floor=0.0,
)  # fmt: skip
TRUNK = replace(SPEC, q="trunk", conditional=False)

SETTINGS = {
    "encoder of its own": (SPEC, False, True, True),
    "MI spares Q": (SPEC, False, True, False),
    "published code": (TRUNK, False, True, True),
    "published formula": (TRUNK, True, True, True),
    "fixed prior": (TRUNK, False, False, True),
}
"""Networks, and whether Q trains the trunk, the prior learns, and MI trains Q."""

ROWS = {
    "encoder of its own": {
        "adversarial_d": "trunk discriminator",
        "adversarial_g": "generator prior",
        "information": "generator prior encoder q_head",
        "information_continuous": "generator prior encoder q_head",
        "contrast": "encoder",
        "self_labelling": "encoder q_head",
    }
}
"""The table of docs/architecture.md; the other settings by what differs."""
ROWS["MI spares Q"] = ROWS["encoder of its own"] | {"information": "generator prior"}
ROWS["published code"] = ROWS["encoder of its own"]
ROWS["published formula"] = ROWS["encoder of its own"] | {
    "information": "generator prior encoder q_head trunk",
    "information_continuous": "generator prior encoder q_head trunk",
    "contrast": "encoder trunk",
    "self_labelling": "encoder q_head trunk",
}
ROWS["fixed prior"] = ROWS["encoder of its own"] | {
    "adversarial_g": "generator",
    "information": "generator encoder q_head",
    "information_continuous": "generator encoder q_head",
}


def losses(model, term, target="argmax"):
    """One term by the code path that training uses."""
    torch.manual_seed(0)
    latent = model.draw(8, 0.5, "straight-through")
    fake = model.generate(latent.noise, latent.code.value, latent.continuous)
    real = torch.rand(8, 1, 28, 28) * 2 - 1
    if term == "adversarial_d":
        codes = latent.code.value.detach()
        return objectives.discriminator_terms(model, real, codes, fake.detach(), codes)[term]
    if term in ("contrast", "self_labelling"):
        output = model.recognise(real)
        if term == "contrast":
            return objectives.contrast(output.features[:4], output.features[4:], 0.5, True, None)
        return objectives.self_labelling(output.logits.argmax(1), output.logits)
    return objectives.generator_terms(model, latent, fake, fake, target)[term]


def table_of(setting):
    spec, trains_trunk, learned, informed = SETTINGS[setting]
    return objectives.update_table(
        spec.q, q_trains_trunk=trains_trunk, learned_prior=learned, information_trains_q=informed
    )


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_table_is_the_documented_one(setting):
    assert {term: set(row) for term, row in table_of(setting).items()} == {
        term: set(row.split()) for term, row in ROWS[setting].items()
    }


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_term_reaches_all_groups_of_its_row(setting):
    """What the steps of training update by them is held by `tests/training/test_steps.py`."""
    model = ElasticInfoGAN(SETTINGS[setting][0])
    for term, row in table_of(setting).items():
        model.zero_grad(set_to_none=True)
        with objectives.learning(model, row):
            losses(model, term).backward()
        assert moved_groups(model) == row, term


def moved_groups(model):
    return {g for g in model.groups if any(p.grad is not None and p.grad.any() for p in model.group(g))}


@pytest.mark.parametrize(("spec", "trains_trunk"), [(SPEC, False), (TRUNK, False), (TRUNK, True)])
def test_positive_pairs_alone_update_what_nt_xent_updates(spec, trains_trunk):
    model, real = ElasticInfoGAN(spec), torch.rand(8, 1, 28, 28) * 2 - 1
    row = objectives.update_table(
        spec.q, q_trains_trunk=trains_trunk, learned_prior=True, information_trains_q=True
    )["contrast"]
    with objectives.learning(model, row):
        features = model.recognise(real).features
        objectives.contrast(features[:4], features[4:], 0.5, False, None).backward()
    assert moved_groups(model) == row


def test_every_parameter_is_in_exactly_one_group():
    for spec in (SPEC, TRUNK):
        model = ElasticInfoGAN(spec)
        grouped = [id(p) for name in model.groups for p in model.group(name)]
        assert sorted(grouped) == sorted(id(p) for p in model.parameters())


def test_with_an_argmax_target_p_learns_through_g_alone():
    """The third trap: the published target carries no gradient to p; a relaxed target does."""
    model = ElasticInfoGAN(SPEC)
    latent = model.draw(8, 0.5, "straight-through")
    code_alone = torch.zeros_like(latent.noise), latent.code.value.detach(), latent.continuous
    for target, reaches in (("argmax", False), ("sample", True)):
        model.zero_grad(set_to_none=True)
        fake = model.generate(*code_alone)
        terms = objectives.generator_terms(model, latent, fake, fake, target)
        terms["information"].backward(retain_graph=True)
        assert (model.prior.logits.grad is not None) is reaches


def test_a_target_that_trains_p_holds_its_entropy(monkeypatch):
    """Without H(c) p would end at the one class that Q recognises best."""
    torch.manual_seed(0)
    model = ElasticInfoGAN(replace(SPEC, continuous=0))
    reliable = torch.tensor([0.9, 0.85, 0.8, 0.7])
    others = (1 - reliable)[:, None] / 3
    answers = (torch.diag(reliable) + others * (1 - torch.eye(4))).log()
    images = torch.zeros(64, 1, 28, 28)
    optimiser = torch.optim.SGD([model.prior.logits], 0.5)
    for _ in range(200):
        latent = model.draw(64, 0.5, "straight-through")
        said = SimpleNamespace(logits=answers[latent.code.index])
        monkeypatch.setattr(model, "q_of", lambda _, said=said: said)
        terms = objectives.generator_terms(model, latent, images, images, "sample")
        optimiser.zero_grad()
        terms["information"].backward()
        optimiser.step()
    p = model.prior.probabilities()
    assert p.argmax() == 0
    assert p.max() < 0.6
    assert p.min() > 0.02


def test_the_spec_rebuilds_the_model():
    model = ElasticInfoGAN(ModelSpec(**asdict(SPEC)))
    missing, unexpected = model.load_state_dict(ElasticInfoGAN(SPEC).state_dict())
    assert not missing
    assert not unexpected


def test_samples_repeat_for_a_seed_and_classes_differ():
    model = ElasticInfoGAN(SPEC).eval()
    codes = torch.tensor([0, 1])
    once, again = (model.sample(codes, torch.Generator().manual_seed(3)) for _ in range(2))
    assert once.dtype == torch.uint8
    assert once.shape == (2, 28, 28, 1)
    assert torch.equal(once, again)
    others = model.sample(codes.flip(0), torch.Generator().manual_seed(3))
    assert not torch.equal(once, others)


def test_many_samples_are_made_in_parts_and_are_the_same(monkeypatch):
    model, codes, made = ElasticInfoGAN(SPEC).eval(), torch.arange(20) % 4, []
    whole = model.sample(codes, torch.Generator().manual_seed(3))
    monkeypatch.setattr(class_model, "SAMPLED", 8)
    model.generator.register_forward_hook(lambda *given: made.append(len(given[2])))
    parts = model.sample(codes, torch.Generator().manual_seed(3))
    assert made == [8, 8, 4]
    assert (parts.int() - whole.int()).abs().max() <= 1


@pytest.mark.parametrize("spec", [SPEC, TRUNK])
def test_folding_for_inference_changes_no_answer(spec):
    torch.manual_seed(0)
    model = ElasticInfoGAN(spec).train()
    model.recognise(torch.randn(16, 1, 28, 28))  # running statistics that are not zero and one
    images = torch.randint(0, 256, (5, 28, 28, 1), dtype=torch.uint8)
    before = model.eval().posterior(images)
    layers = len(list(model.modules()))
    after = model.for_inference().posterior(images)
    assert len(list(model.modules())) < layers
    for ours, theirs in zip(after, before, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_posteriors_of_uint8_images_are_probabilities():
    model = ElasticInfoGAN(SPEC).eval()
    probabilities, features = model.posterior(torch.zeros(3, 28, 28, 1, dtype=torch.uint8))
    assert features.shape == (3, 8)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(3))
