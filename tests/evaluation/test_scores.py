"""The protocol as a whole: what goes in, what comes out, and that it is JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from elastic_infogan.errors import DataError
from elastic_infogan.evaluation.scores import evaluate_assigned, evaluate_generated

FIDELITY = ("fid", "kid", "precision", "recall", "density", "coverage")


def copies(digits, class_of_code):
    """A sampler that answers a code with real images of its class, each image in turn."""
    members = {c: np.flatnonzero(digits.labels == c) for c in range(10)}

    def sample(codes):
        picked = [members[class_of_code[int(k)]][i % 150] for i, k in enumerate(codes)]
        return torch.from_numpy(digits.images[picked])

    return sample


def test_assigned_without_a_fault():
    labels = np.array([0] * 6 + [1] * 3 + [2])
    scores = evaluate_assigned((labels + 1) % 3, labels, np.array([0.1, 0.6, 0.3]), 3, ("a", "b", "c"))
    assert [scores[name] for name in ("accuracy", "nmi", "ari")] == pytest.approx([1, 1, 1])
    assert scores["prior_rmse"] == pytest.approx(0)
    assert scores["prior_jsd"] == pytest.approx(0)
    assert scores["uniform_prior_rmse"] == pytest.approx(np.std([0.1, 0.6, 0.3]))
    assert scores["recall"] == {"a": 1, "b": 1, "c": 1}
    expected = {"class": "a", "code": 1, "prior": 0.6, "assigned_share": 0.6, "true_share": 0.6, "recall": 1}
    assert scores["classes"][0] == expected


def test_assigned_with_a_spare_code_and_a_class_without_images():
    codes, labels = np.array([0, 0, 1, 2]), np.array([1, 1, 0, 0])
    scores = evaluate_assigned(codes, labels, np.array([0.5, 0.2, 0.2, 0.1]), 3)
    assert [row["class"] for row in scores["classes"]] == ["0", "1", "2", None]
    assert scores["recall"]["2"] is None
    assert sum(row["prior"] for row in scores["classes"]) == pytest.approx(1)
    assert sum(row["assigned_share"] for row in scores["classes"]) == pytest.approx(1)
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_assigned_with_fewer_codes_than_classes():
    scores = evaluate_assigned(np.array([0, 0, 1]), np.array([0, 0, 2]), np.array([0.7, 0.3]), 3)
    assert scores["classes"][1] == {
        "class": "1", "code": None, "prior": 0, "assigned_share": 0, "true_share": 0, "recall": None
    }  # fmt: skip


def test_assigned_needs_images():
    nothing = np.zeros(0, np.int64)
    with pytest.raises(DataError, match="no labelled images"):
        evaluate_assigned(nothing, nothing, np.ones(2) / 2, 2)


def test_generated_by_a_perfect_sampler(trained, digits):
    class_of_code = np.roll(np.arange(10), 3)
    scores = evaluate_generated(copies(digits, class_of_code), 10, trained.reference, 100, digits)
    assert scores["generated_nmi"] > 0.95
    assert scores["ent"] < 0.15
    assert scores["classes_generated"] == 10
    assert np.array(scores["count_matrix"]).sum(1).tolist() == [100] * 10
    assert scores["precision_reference_cnn1"] > 0.95
    assert scores["coverage_reference_cnn1"] > 0.8
    per_class = scores["per_class_reference_cnn1"]
    assert set(per_class) == set("0123456789")
    assert all(set(row) == set(FIDELITY) and row["precision"] > 0.8 for row in per_class.values())
    mean = np.mean([row["coverage"] for row in per_class.values()])
    assert scores["class_coverage_reference_cnn1"] == pytest.approx(mean)
    assert not set(scores) & set(FIDELITY)  # never without the extractor's name
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_generated_with_a_lost_class(trained, digits):
    nine_is_a_four = [*range(9), 4]
    scores = evaluate_generated(copies(digits, nine_is_a_four), 10, trained.reference, 100, digits)
    assert scores["classes_generated"] == 9
    assert scores["classes_lost"] == ["9"]
    assert scores["ent"] > np.log(10) / 20
    whole = evaluate_generated(copies(digits, range(10)), 10, trained.reference, 100, digits)
    assert scores["fid_reference_cnn1"] > whole["fid_reference_cnn1"]
    assert scores["recall_reference_cnn1"] < whole["recall_reference_cnn1"]


def test_a_class_that_no_code_stands_for_has_no_fidelity(trained, digits):
    scores = evaluate_generated(copies(digits, [0, 1, 2]), 3, trained.reference, 40, digits)
    per_class = scores["per_class_reference_cnn1"]
    assert per_class["7"] == dict.fromkeys(FIDELITY)
    assert per_class["1"]["precision"] > 0.8
    assert scores["class_precision_reference_cnn1"] < 0.31  # seven classes of ten count as nothing


def test_fidelity_needs_labels_and_is_left_out_without_real_images(trained, digits):
    sampler = copies(digits, range(10))
    assert not any("fid" in key for key in evaluate_generated(sampler, 10, trained.reference, 5))
    with pytest.raises(DataError, match="fidelity per class"):
        evaluate_generated(sampler, 10, trained.reference, 5, replace(digits, labels=None))


def test_a_class_of_one_real_image_does_not_count_in_the_mean_over_classes(trained, digits):
    others, zeros = np.flatnonzero(digits.labels > 0), np.flatnonzero(digits.labels == 0)
    but_one = digits.subset(np.concatenate([others, zeros[:1]]))
    scores = evaluate_generated(copies(digits, range(10)), 10, trained.reference, 40, but_one)
    assert scores["per_class_reference_cnn1"]["0"] == dict.fromkeys(FIDELITY)
    assert scores["class_precision_reference_cnn1"] > 0.8


def test_a_class_that_no_measured_image_is_of_is_not_lost(trained, digits):
    """An imbalanced draw may take no image of a class, which a model then cannot have learned."""
    sampler, seven = copies(digits, range(7)), np.flatnonzero(digits.labels < 7)
    whole = evaluate_generated(sampler, 7, trained.reference, 40, digits)
    drawn = evaluate_generated(sampler, 7, trained.reference, 40, digits, among=digits.labels[seven])
    assert whole["classes_lost"] == ["7", "8", "9"]
    assert drawn["classes_lost"] == []
    mean = np.mean([drawn["per_class_reference_cnn1"][str(c)]["coverage"] for c in range(7)])
    assert drawn["class_coverage_reference_cnn1"] == pytest.approx(mean)
    for key in ("generated_nmi", "ent", "per_class_reference_cnn1", "fid_reference_cnn1"):
        assert drawn[key] == whole[key]
