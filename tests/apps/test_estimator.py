"""The estimator keeps scikit-learn's conventions, takes what it says, and comes back from a folder."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import check_clustering, parametrize_with_checks

import elastic_infogan
from elastic_infogan import ElasticInfoGAN
from elastic_infogan.apps.cli import run
from elastic_infogan.errors import ElasticInfoGANError, RunError

SMALL = {
    "networks.generator_width": 4,
    "networks.generator_hidden": 0,
    "networks.discriminator_width": 4,
    "networks.discriminator_hidden": 8,
    "networks.encoder_width": 4,
    "networks.features": 8,
}


class OfTables(ElasticInfoGAN):
    """The estimator on tables that are no pictures: each feature is a stripe of an 8×8 image.

    scikit-learn's checks feed tables of 1 to 100 features; everything else is the estimator's own.
    """

    def _from_rows(self, rows, fitting):
        stripes = np.arange(64) * rows.shape[1] // 64
        return rows[:, stripes].reshape(-1, 8, 8)

    def _remember(self, images, black_white):
        features = self.n_features_in_
        super()._remember(images, black_white)
        self.n_features_in_ = features


EXPECTED_FAILURES = {
    "check_clustering": "two steps of the published recipe learn no clusters; "
    "test_it_passes_the_check_of_clustering runs this check on the default recipe"
}


@parametrize_with_checks(
    [OfTables(3, recipe="paper", steps=2, settings=SMALL, random_state=0)],
    expected_failed_checks=lambda _: EXPECTED_FAILURES,
    xfail_strict=True,
)
def test_it_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_it_passes_the_check_of_clustering():
    check_clustering("OfTables", OfTables(3, steps=8, settings=SMALL, random_state=0))


@pytest.fixture(scope="module")
def digits():
    """Floats in 0 … 16, rows of 64."""
    return load_digits().data


@pytest.fixture(scope="module")
def fitted(digits):
    return ElasticInfoGAN(10, steps=80, random_state=0).fit(digits)


def tiny(classes=3, **changes):
    return ElasticInfoGAN(
        classes, **{"recipe": "paper", "steps": 2, "settings": SMALL, "random_state": 0} | changes
    )


def test_importing_the_package_is_cheap():
    program = (
        "import sys, elastic_infogan; heavy = {'torch', 'numpy', 'sklearn'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    with pytest.raises(AttributeError, match="Nothing"):
        elastic_infogan.Nothing  # noqa: B018


def test_it_finds_digits(fitted):
    assert adjusted_rand_score(load_digits().target, fitted.labels_) > 0.5
    assert fitted.class_prior_.sum() == pytest.approx(1, abs=1e-5)
    assert fitted.n_features_in_ == 64
    assert fitted.pixel_range_ == (0, 16)
    assert fitted.history_[-1]["step"] == 80


def test_any_layout_of_the_same_images_gets_the_same_classes(fitted, digits):
    images = digits.reshape(-1, 8, 8)
    for same in (digits, images, images[..., None], np.repeat(images[..., None], 3, 3), images.tolist()):
        assert (fitted.predict(same) == fitted.labels_).all()
    assert (fitted.predict_proba(digits).argmax(1) == fitted.labels_).all()
    assert fitted.transform(digits[:5]).shape == (5, 128)
    assert fitted.get_feature_names_out()[0] == "elasticinfogan0"


def test_a_range_of_numpy_numbers_is_saved(digits, tmp_path):
    low, high = digits.astype(np.float32).min(), digits.astype(np.float32).max()
    for name, pixel_range in {"pair": (low, high), "array": np.array([low, high])}.items():
        model = ElasticInfoGAN(10, recipe="gumbel", steps=2, pixel_range=pixel_range).fit(digits)
        model.save(tmp_path / name)
        assert ElasticInfoGAN.load(tmp_path / name).pixel_range_ == (0.0, 16.0)


def assert_same_parameters_but_chosen(loaded, fitted):
    """A loaded estimator states what a fitted one left to be chosen from the images."""
    theirs, ours = loaded.get_params(), fitted.get_params() | {"size": 8}
    theirs, ours = theirs | (theirs["settings"] or {}), ours | (ours["settings"] or {})
    del ours["settings"]
    assert ours.items() <= theirs.items()


def test_a_seed_gives_what_the_command_line_gives(tmp_path):
    flags = ["--recipe", "gumbel", "--steps", "3", "--seed", "4"]
    assert run(["train", "digits", *flags, "--out", str(tmp_path / "run")]) == 0
    ours = ElasticInfoGAN(10, recipe="gumbel", steps=3, random_state=4).fit("digits")
    theirs = ElasticInfoGAN.load(tmp_path / "run")
    assert (ours.predict_proba("digits") == theirs.predict_proba("digits")).all()
    assert_same_parameters_but_chosen(theirs, ours)
    assert not hasattr(theirs, "labels_")


def test_new_images_repeat_themselves_for_a_seed(fitted):
    images = fitted.sample(6, class_=3)
    assert images.shape == (6, 8, 8, 1)
    assert (images == fitted.sample(6, class_=[3] * 6)).all()
    assert (images != fitted.sample(6, class_=3, random_state=1)).any()
    assert fitted.sample(4).shape == (4, 8, 8, 1)
    for wrong in (10, -1):
        with pytest.raises(ValueError, match="numbered 0 to 9"):
            fitted.sample(2, class_=wrong)


@pytest.mark.parametrize("wrong", [1.5, "3", [0, 1], True])
def test_a_class_is_an_integer_for_all_or_for_each(fitted, wrong):
    with pytest.raises(ValueError, match="one for each of 3 images"):
        fitted.sample(3, class_=wrong)


def test_what_is_saved_comes_back_and_every_verb_reads_it(fitted, digits, tmp_path):
    fitted.save(tmp_path / "run")
    back = ElasticInfoGAN.load(tmp_path / "run")
    assert (back.labels_ == fitted.labels_).all()
    assert (back.predict_proba(digits) == fitted.predict_proba(digits)).all()
    assert back.history_ == fitted.history_
    assert back.config_ == fitted.config_
    assert_same_parameters_but_chosen(back, fitted)
    assert run(["generate", str(tmp_path / "run"), "--out", str(tmp_path / "g.png")]) == 0
    with pytest.raises(ElasticInfoGANError, match="not empty"):
        fitted.save(tmp_path / "run")
    with pytest.raises(RunError, match="is not a run folder"):
        ElasticInfoGAN.load(tmp_path)


def test_a_copy_by_pickle_answers_alike(fitted, digits):
    copy = pickle.loads(pickle.dumps(fitted))
    assert (copy.transform(digits[:50]) == fitted.transform(digits[:50])).all()
    with pytest.raises(NotFittedError):
        clone(fitted).predict(digits)


def test_it_works_in_a_pipeline_and_in_cross_validation(digits):
    features = make_pipeline(MinMaxScaler(), tiny(), LogisticRegression())
    assert features.fit(digits[:200], load_digits().target[:200]).predict(digits[:9]).shape == (9,)
    assert cross_val_predict(tiny(), digits[:90], cv=2, method="predict_proba").shape == (90, 3)


def test_pictures_in_a_folder_and_colour_rows_are_images_too(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (40, 32, 3), np.uint8)).save(tmp_path / f"{i:02d}.png")
    model = tiny(size=16).fit(tmp_path)
    assert model.predict(str(tmp_path)).tolist() == model.labels_.tolist()
    assert model.sample(2).shape == (2, 16, 16, 3)
    rows = rng.random((12, 3 * 8 * 8))
    assert tiny().fit(rows).sample(1).shape == (1, 8, 8, 3)


def test_the_state_of_torch_stays_the_callers(digits):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    tiny().fit(digits[:40])
    assert torch.rand(1) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": 1}, "n_classes 1: a number of 2 or more"),
        ({"classes": 60}, "n_classes 60: there are only 40 images"),
        ({"recipe": "elastik"}, "recipe elastik.*elastic"),
        ({"steps": 0}, "steps 0: 1 or more"),
        ({"steps": "many"}, "'steps' is 'many'"),
        ({"size": 50}, "size: images of 50 pixels"),
        ({"settings": {"views.miror": True}}, r"views\.miror.*views\.mirror"),
        ({"settings": {"optimiser.beta1": 2.0}}, r"settings\['optimiser.beta1'\] 2"),
    ],
)
def test_a_wrong_parameter_is_a_value_error_that_names_it(digits, changes, message):
    with pytest.raises(ValueError, match=message):
        tiny(**changes).fit(digits[:40])


@pytest.mark.parametrize("name", ["channels", "size", "source", "labels", "imbalance", "classes", "steps"])
def test_settings_that_would_be_passed_over_are_refused(digits, name):
    with pytest.raises(ValueError, match=rf"settings\['{name}'\]"):
        tiny(settings={name: 1}).fit(digits[:40])


def test_two_budgets_are_refused(digits):
    with pytest.raises(ValueError, match="minutes and steps exclude each other"):
        tiny(minutes=1, steps=2).fit(digits[:40])


def test_rows_that_are_no_square_image_are_refused(digits, fitted):
    with pytest.raises(ValueError, match="rows of 63 feature"):
        tiny().fit(digits[:40, 1:])
    with pytest.raises(ValueError, match=r"63 features.*64"):
        fitted.predict(digits[:, 1:])


def test_the_range_of_arrays_can_be_given_where_it_was_fitted_to_a_source():
    model = ElasticInfoGAN(recipe="infogan", steps=2, random_state=0, pixel_range=(0, 16)).fit("digits")
    assert model.pixel_range_ == (0, 16)
    images = load_digits().images
    told = model.predict_proba("digits")
    np.testing.assert_allclose(model.predict_proba(images), told, atol=1e-6)
    with pytest.warns(UserWarning, match="all white"):
        brighter = model.predict_proba(images * 255 / 16)  # by another range these are other images
    assert np.abs(brighter - told).max() > 1e-4


def test_values_that_would_all_be_dark_are_warned_of():
    model = ElasticInfoGAN(recipe="infogan", steps=2, random_state=0).fit("digits")
    images = load_digits().images
    with pytest.warns(UserWarning, match=r"X reaches 1, but black and white are 0 and 255 .*pixel_range"):
        model.predict(images / 16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(images * 255 / 16)


def test_a_range_without_extent_is_refused():
    with pytest.raises(ValueError, match="black has to be less than white"):
        ElasticInfoGAN(steps=2, pixel_range=(1, 0)).fit(load_digits().images)


def test_values_of_whole_numbers_far_from_the_range_are_warned_of_in_both_directions(digits):
    few = digits[:40]
    fitted = tiny(pixel_range=(0, 16)).fit(few)
    with pytest.warns(UserWarning, match="all of it is dark"):
        fitted.predict(few / 16)
    with pytest.warns(UserWarning, match="much of it is all white"):
        fitted.predict(few * 15)
    with pytest.warns(UserWarning, match="all of it is dark") as told:
        tiny().fit(few.astype(np.uint8))
    assert told[0].filename == __file__


def test_numpys_numbers_are_numbers(digits):
    fitted = tiny(steps=np.int64(2), settings={**SMALL, "views.rotate": np.float64(5)}).fit(digits[:40])
    assert (fitted.config_.steps, fitted.config_.views.rotate) == (2, 5.0)


@pytest.mark.parametrize("n_classes", [None, 10.0])
def test_a_number_of_classes_that_is_none_is_named(digits, n_classes):
    with pytest.raises(ValueError, match="n_classes="):
        tiny(n_classes).fit(digits[:40])


def test_a_fit_that_fails_leaves_what_was_fitted_before(digits, monkeypatch):
    fitted = tiny().fit(digits[:40])
    before = fitted.predict(digits[:40])
    monkeypatch.setattr(ElasticInfoGAN, "_train", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        fitted.fit(digits[:40].reshape(-1, 8, 8).repeat(2, axis=1).repeat(2, axis=2) * 100)
    assert (fitted.predict(digits[:40]) == before).all()
    assert (fitted.pixel_range_, fitted.input_shape_) == ((0.0, 16.0), (8, 8, 1))


def test_one_picture_is_not_taken_for_many(fitted):
    with pytest.raises(ValueError, match=r"shape \(64, 48, 3\) is that of one picture"):
        fitted.predict(np.zeros((64, 48, 3), np.uint8))


def test_a_range_can_be_given_to_what_is_loaded(digits, tmp_path):
    tiny().fit(digits[:40]).save(tmp_path / "run")
    loaded = ElasticInfoGAN.load(tmp_path / "run", pixel_range=(0, 1))
    told = ElasticInfoGAN.load(tmp_path / "run").predict(digits[:40])
    assert (loaded.predict(digits[:40] / 16) == told).all()
    loaded.save(tmp_path / "again")
    assert ElasticInfoGAN.load(tmp_path / "again").pixel_range_ == (0.0, 1.0)


def test_advice_names_settings_that_there_are(digits):
    with pytest.raises(ValueError, match=r"settings\['information\.trains_q'\] = False"):
        tiny(settings={**SMALL, "information.trains_q": False}).fit(digits[:40])


def test_what_is_pickled_is_a_copy_that_may_be_changed(digits):
    fitted = tiny().fit(digits[:40])
    state = fitted.__getstate__()
    state["model_"] = None  # as where the networks go to the CPU
    assert fitted.predict(digits[:2]).shape == (2,)


def test_the_range_of_a_run_of_the_command_line_can_be_saved(trained, digits, tmp_path):
    loaded = ElasticInfoGAN.load(trained, pixel_range=(0, 16))
    loaded.save(tmp_path / "again")
    again = ElasticInfoGAN.load(tmp_path / "again")
    assert again.pixel_range_ == (0.0, 16.0)
    assert not hasattr(again, "labels_")
