"""The diagnosis: what it says of measured evidence, and that models broken on purpose give such evidence.

The models are copies of one that a short run taught three digits; faults are put into its weights, its prior
or its views.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from elastic_infogan.data.sources import load
from elastic_infogan.evaluation.answers import Answers, ask
from elastic_infogan.evaluation.doctor import diagnose, listed
from elastic_infogan.evaluation.evidence import Evidence, game_losses, gather
from elastic_infogan.evaluation.groups import TwoGroups, bimodality
from elastic_infogan.training import loop
from elastic_infogan.training.config import Networks, Schedule, SelfLabelling
from elastic_infogan.training.recipes import ELASTIC
from elastic_infogan.training.run import Run

NONE = np.zeros(0, np.int64)


def codes_of(*counts):
    probabilities = np.repeat(np.eye(len(counts), dtype=np.float32), counts, axis=0)
    return Answers(probabilities, np.ones((sum(counts), 2), np.float32))


HEALTHY = Evidence(
    answers=codes_of(600, 300, 100),
    prior=np.array([0.59, 0.3, 0.11]),
    learned_prior=True,
    informed=True,
    groups={0: TwoGroups(0.63, 0.5, NONE, NONE)},
    links=np.full((3, 3), 0.01),
    view_changes={"all": 0.1, "rotate": 0.03, "mirror": 0.05},
    views={"rotate": 15.0, "mirror": True},
    variety=np.array([0.9, 0.5, np.nan]),
    copies=1 - np.eye(3),
    recognised=np.eye(3),
    losses={"adversarial_d": 1.0, "adversarial_g": 1.2},
)


def test_nothing_is_found_in_a_healthy_run():
    assert diagnose(HEALTHY) == []


def changed(matrix, i, j, value):
    matrix = matrix.copy()
    matrix[i, j] = matrix[j, i] = value
    return matrix


@pytest.mark.parametrize(
    ("changes", "kind", "severity", "classes", "said"),
    [
        (
            {"answers": codes_of(600, 400, 0), "prior": np.array([0.6, 0.4, 0])},
            "unused", "fault", (2,), "--classes 2",
        ),
        (
            {"answers": codes_of(1300, 699, 1), "prior": np.array([0.65, 0.35, 0])},
            "hardly-used", "hint", (2,), "1 of 2,000",
        ),
        ({"links": changed(HEALTHY.links, 0, 2, 0.05)}, "alike", "hint", (0, 2), "merge 0 and 2"),
        ({"groups": {1: TwoGroups(0.67, 0.3, NONE, NONE)}}, "two-groups", "hint", (1,), "split 1"),
        ({"copies": changed(HEALTHY.copies, 1, 2, 0.02)}, "same-pictures", "fault", (1, 2), "near-identical"),
        ({"variety": np.array([0.9, 0.04, 0.5])}, "collapsed", "fault", (1,), "vary 4%"),
        ({"recognised": np.eye(3)[[0, 0, 2]]}, "not-generated", "fault", (1,), "look like class 0"),
        ({"losses": {"adversarial_d": 0.1, "adversarial_g": 5}}, "d-overpowers-g", "fault", (), "is 0.10"),
        ({"prior": np.array([0.52, 0.31, 0.17])}, "prior-disagrees", "hint", (0,), "posterior-rate"),
        (
            {"prior": np.ones(3) / 3, "learned_prior": False},
            "prior-disagrees", "fault", (0,), "--recipe elastic",
        ),
        (
            {"view_changes": {"all": 0.3, "rotate": 0.2, "mirror": 0.1}},
            "views-change-identity", "fault", (), "try --views.rotate 7.5.",
        ),
        (
            {"view_changes": {"all": 0.3, "rotate": 0.04, "mirror": 0.1}},
            "views-change-identity", "hint", (), "try --views.no-mirror.",
        ),
    ],
)  # fmt: skip
def test_each_fault_is_found_alone_and_told(changes, kind, severity, classes, said):
    findings = diagnose(replace(HEALTHY, **changes))
    assert [(f.kind, f.severity, f.classes) for f in findings] == [(kind, severity, classes)]
    assert said in findings[0].says + findings[0].do


def test_a_few_outliers_are_no_second_group():
    assert diagnose(replace(HEALTHY, groups={1: TwoGroups(0.9, 0.04, NONE, NONE)})) == []


def test_classes_that_hold_some_of_each_other_are_not_said_to_be_two_kinds_as_well():
    links, groups = changed(HEALTHY.links, 0, 2, 0.05), {0: TwoGroups(0.67, 0.3, NONE, NONE)}
    assert [f.kind for f in diagnose(replace(HEALTHY, links=links, groups=groups))] == ["alike"]


def test_many_classes_that_may_be_two_groups_are_one_finding():
    groups = {0: TwoGroups(0.67, 0.3, NONE, NONE), 2: TwoGroups(0.8, 0.4, NONE, NONE)}
    (finding,) = diagnose(replace(HEALTHY, groups=groups))
    assert "examples" not in finding.as_json()
    assert "Classes 0 and 2 may each be two groups" in finding.says
    assert "70% and 30%, 60% and 40%" in finding.says
    assert finding.classes == (0, 2)


def test_many_classes_that_repeat_one_image_are_one_finding():
    (finding,) = diagnose(replace(HEALTHY, variety=np.array([0.04, 0.5, 0.11])))
    assert "Classes 0 and 2 each generate near-identical images: they vary 4%, 11% as much" in finding.says
    assert finding.classes == (0, 2)


def test_many_classes_that_are_not_recognised_are_one_finding():
    (finding,) = diagnose(replace(HEALTHY, recognised=np.array([[0.4, 0.3, 0.3], [0.9, 0.1, 0], [0, 0, 1]])))
    assert "Classes 0 and 1: generated images are not recognised as these" in finding.says
    assert "probability 0.40, 0.10 (most look like class 0) on average" in finding.says
    assert finding.classes == (0, 1)


def test_faults_come_before_hints_and_all_are_json():
    worse = replace(HEALTHY, links=changed(HEALTHY.links, 0, 1, 0.1), copies=changed(HEALTHY.copies, 0, 1, 0))
    findings = diagnose(worse)
    assert [finding.severity for finding in findings] == ["fault", "hint"]
    assert findings[1].as_json()["numbers"] == {"affinity": 0.1}
    assert findings[1].as_json()["classes"] == [0, 1]


def test_classes_in_words():
    assert listed([4]) == "Class 4"
    assert listed([4, 5, 9]) == "Classes 4, 5 and 9"


def test_losses_are_those_of_the_end_of_the_game():
    stats = [{"stage": "encode", "losses": {"contrast": 9.0}}]
    stats += [{"stage": "play", "losses": {"adversarial_d": float(i)}} for i in range(6)]
    stats[-1]["losses"]["contrast"] = 3.0
    assert game_losses(stats) == {"adversarial_d": 4.5, "contrast": 3.0}
    assert game_losses(stats[:1]) == {}


def test_bimodality_of_known_distributions():
    random = np.random.default_rng(0)
    normal = random.normal(size=100_000)
    assert bimodality(normal) == pytest.approx(1 / 3, abs=0.01)
    assert bimodality(random.uniform(size=100_000)) == pytest.approx(5 / 9, abs=0.01)
    assert bimodality(np.sign(normal) * 10 + normal) > 0.9


# Evidence from models


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A model that tells zeros, fours and sixes apart, its images, configuration and evidence."""
    digits = load("digits")
    chosen = [np.flatnonzero(digits.labels == digit)[:n] for digit, n in ((0, 170), (4, 130), (6, 100))]
    images = digits.images[np.concatenate(chosen)]
    schedule = Schedule(encode=0.4, refine=0.2, encode_batch=64)
    networks = Networks(generator_width=16, discriminator_width=16)
    config = replace(
        ELASTIC, source="digits", classes=3, steps=150, batch=32, schedule=schedule, networks=networks
    )
    run = Run.create(tmp_path_factory.mktemp("runs") / "three", config)
    loop.train(images, run)
    model = run.load_model()
    evidence = gather(model, images, ask(model, images), config, run.stats())
    assert np.sort(evidence.answers.counts).tolist() == pytest.approx([100, 130, 170], abs=8)
    return model, images, config, evidence


@pytest.fixture
def broken(taught):
    """A copy of the model to break, and its codes, the one with most images first."""
    with torch.no_grad():
        yield copy.deepcopy(taught[0]), *taught[3].answers.counts.argsort()[::-1].tolist()


def measured(taught, model=None, **views):
    before, images, config, _ = taught
    model = model or before
    config = replace(config, views=replace(config.views, **views))
    return gather(model, images, ask(model, images), config, [])


def kinds(evidence):
    return {finding.kind: finding for finding in diagnose(evidence)}


def test_the_healthy_model_gives_healthy_evidence(taught):
    assert not {"unused", "alike", "same-pictures", "prior-disagrees", "views-change-identity"} & set(
        kinds(taught[3])
    )


def test_a_code_that_q_never_gives(taught, broken):
    model, *_, rarest = broken
    model.q_head.classes.bias[rarest] -= 1000
    assert kinds(measured(taught, model))["unused"].classes == (rarest,)


def test_two_kinds_under_one_code(taught, broken):
    model, first, *others = broken
    model.q_head.classes.bias[others] -= 1000
    evidence = measured(taught, model)
    assert kinds(evidence)["two-groups"].classes == (first,)
    groups = evidence.groups[first]
    before = taught[3].answers.codes
    on_one_side, on_the_other = (np.bincount(before[g]).argmax() for g in (groups.first, groups.second))
    assert on_one_side != on_the_other
    examples = kinds(evidence)["two-groups"].examples
    assert list(examples) == [
        f"{share:.0%} of class {first}" for share in (1 - groups.smaller, groups.smaller)
    ]
    large, small = examples.values()
    assert len(large) >= len(small)
    assert {before[g].tolist()[0] for g in (large, small)} == {on_one_side, on_the_other}


def test_one_kind_under_two_codes(taught, broken):
    model, first, _, third = broken
    answers, head = taught[3].answers, model.q_head.classes
    features = torch.from_numpy(answers.features[answers.codes == first])
    across = torch.linalg.svd(features - features.mean(0), full_matrices=False).Vh[0]
    head.weight[third] = head.weight[first] + 50 * across  # cuts the commonest kind through its middle
    head.bias[third] = head.bias[first] - 50 * (features @ across).median()
    assert set(kinds(measured(taught, model))["alike"].classes) == {first, third}


def test_two_codes_that_make_the_same_pictures(taught, broken):
    model, first, second, _ = broken
    weight, noise = model.generator.dense[0].weight, model.spec.noise
    weight[:, noise + second] = weight[:, noise + first]
    found = kinds(measured(taught, model))
    assert set(found["same-pictures"].classes) == {first, second}
    assert f"look like class {first}" in found["not-generated"].says


def test_a_generator_that_ignores_its_noise(taught, broken):
    model, *_ = broken
    model.generator.dense[0].weight[:, : model.spec.noise] = 0
    assert measured(taught, model).variety.max() < taught[3].variety.min() / 1000


def test_a_prior_that_is_not_the_shares(taught, broken):
    model, *_, rarest = broken
    model.prior.assign(torch.eye(3)[rarest] + 0.1)
    assert kinds(measured(taught, model))["prior-disagrees"].classes == (rarest,)


def test_views_that_make_another_digit_are_named(taught):
    finding = kinds(measured(taught, rotate=180.0))["views-change-identity"]
    assert finding.numbers["rotate"] > 0.15
    assert "--views.rotate 90" in finding.do


def test_views_that_q_never_learned_from_are_no_fault(taught):
    model, images, config, _ = taught
    views, contrast = replace(config.views, rotate=180.0), replace(config.contrast, weight=0.0)
    config = replace(config, views=views, contrast=contrast, self_labelling=SelfLabelling(0.0))
    found = gather(model, images, ask(model, images), config, [])
    assert found.view_changes == {}
    assert "views-change-identity" not in kinds(found)


@pytest.mark.parametrize("changes", [{"copies": np.full((3, 3), 0.01)}, {"recognised": np.eye(3)[[1, 1, 2]]}])
def test_nobody_is_told_of_a_setting_that_the_model_lacks(changes):
    told = [diagnose(replace(HEALTHY, informed=informed, **changes))[0].do for informed in (True, False)]
    assert ["--information.weight" in one for one in told] == [True, False]


def test_one_class_that_has_all_images_is_no_number_of_classes():
    alone = {"answers": codes_of(1000, 0), "prior": np.array([1.0, 0.0]), "links": np.zeros((2, 2))}
    rest = {
        "variety": np.array([0.9, np.nan]),
        "copies": 1 - np.eye(2),
        "recognised": np.eye(2),
        "groups": {},
    }
    (finding,) = diagnose(replace(HEALTHY, **alone, **rest))
    assert finding.kind == "unused"
    assert "--classes" not in finding.do


def test_the_same_answers_come_from_the_same_run(taught):
    again = measured(taught)
    assert again.view_changes == taught[3].view_changes
    assert (again.copies == taught[3].copies).all()
