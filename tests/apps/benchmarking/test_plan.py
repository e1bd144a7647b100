"""What a benchmark consists of: systems, imbalances, seeds and budgets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from elastic_infogan.apps.benchmarking.plan import Budget, expand, numbers, plan, steps_for
from elastic_infogan.apps.benchmarking.systems import systems
from elastic_infogan.errors import ConfigError, DataError
from elastic_infogan.training.choices import BATCH, ENCODE_BATCH
from elastic_infogan.training.config import Config
from elastic_infogan.training.recipes import named

BASE = Config(source="digits", classes=10)


def planned(recipes="elastic,infogan", imbalances="random:0-1", seeds="0-1", budget=None, **options):
    found = systems(recipes, options.get("variants"), options.get("common", ()))
    return plan(BASE, found, expand(imbalances), numbers(seeds, "--seeds"), budget or Budget(steps=9))


def test_every_system_meets_every_imbalance_with_every_seed():
    trials = planned()
    met = {(t.system.name, t.config.imbalance, t.config.seed) for t in trials}
    assert met == {(r, f"random:{i}", s) for r in ("elastic", "infogan") for i in (0, 1) for s in (0, 1)}
    assert len({t.name for t in trials}) == len(trials) == 8
    assert [t.config.seed for t in trials] == [0] * 4 + [1] * 4  # a whole table before the second seed


def test_a_recipe_differs_from_itself_only_in_what_the_benchmark_sets():
    trial = planned("paper", seeds="3")[0]
    assert trial.config == replace(
        named("paper"), source="digits", classes=10, imbalance="random:0", seed=3, steps=9
    )


def test_variants_start_from_a_recipe_and_take_what_is_set_for_all():
    text = "no-contrast:contrast.weight=0;soft:recipe=paper,prior.samples=soft,prior.temperature=0.5"
    elastic, bare, soft = systems("elastic", text, ["views.rotate=5"])
    assert (elastic.name, bare.name, soft.name) == ("elastic", "no-contrast", "soft")
    assert {s.config().views.rotate for s in (elastic, bare, soft)} == {5.0}
    assert bare.config().contrast.weight == 0
    assert bare.config().recipe == "elastic"
    assert (soft.config().prior.samples, soft.config().prior.temperature) == ("soft", 0.5)
    assert soft.config().networks == named("paper").networks


def test_variants_from_a_file_are_those_of_the_same_text(tmp_path):
    file = tmp_path / "variants.toml"
    file.write_text('[bare.contrast]\nweight = 0\n[soft]\nrecipe = "paper"\n[soft.prior]\nsamples = "soft"\n')
    text = "bare:contrast.weight=0;soft:recipe=paper,prior.samples=soft"
    assert systems("", str(file), []) == systems("", text, [])


@pytest.mark.parametrize(
    ("recipes", "variants", "common", "line"),
    [
        ("elastik", None, [], "did you mean 'elastic'"),
        ("", None, [], "--recipes is empty"),
        ("elastic,elastic", None, [], "elastic is named twice"),
        ("elastic", "elastic:contrast.weight=0", [], "elastic is named twice"),
        ("elastic", "a:contrast.wait=0", [], "contrast.weight"),
        ("elastic", "a:contrast.weight=lots", [], "'contrast.weight' is 'lots'"),
        ("elastic", "a b:contrast.weight=0", [], "'a b' is no name"),
        ("elastic", "a:seed=3", [], "--seeds"),
        ("elastic", None, ["minutes=3"], "--minutes"),
        ("elastic", None, ["recipe=paper"], "--recipes"),
        ("elastic", None, ["contrast.weight"], "SETTING=VALUE"),
        ("elastic", None, ["views={rotate=5}"], r"--set views=\{rotate=5\}: one setting at a time"),
        ("elastic", "missing.toml", [], r"missing\.toml cannot be read"),
        ("elastic", "a:contrast.weight=0;a:contrast.weight=2", [], "--variants: a is named twice"),
    ],
)
def test_wrong_systems_are_named(recipes, variants, common, line):
    with pytest.raises(ConfigError, match=line):
        systems(recipes, variants, common)


def test_a_file_of_variants_without_a_table_for_each_is_refused(tmp_path):
    file = tmp_path / "variants.toml"
    file.write_text("batch = 32\n[bare.contrast]\nweight = 0\n")
    with pytest.raises(ConfigError, match="needs one table a variant; batch is in none"):
        systems("", str(file), [])


def test_imbalances_expand_into_single_specs(tmp_path):
    file = tmp_path / "counts.npy"
    np.save(file, np.arange(6).reshape(3, 2))
    assert expand(f"{file}") == [f"{file}:0", f"{file}:1", f"{file}:2"]
    assert expand(f"{file}:1-2,longtail:100:3-4") == [
        f"{file}:1", f"{file}:2", "longtail:100:3", "longtail:100:4"
    ]  # fmt: skip
    assert expand("random:0-1,9,8,7,random:1-2;6,5") == ["random:0", "random:1", "9,8,7", "random:2", "6,5"]
    assert expand("random:7") == ["random:7"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("randm:0-3", "'randm:0' is none of random:SEED, longtail"),
        ("random:3-1", "--imbalances 3-1: numbers and ranges are needed"),
        ("missing.npy", r"there is no file missing\.npy with counts"),
        ("random:", "'random:' is none of random:SEED, longtail"),
        ("longtail:0.5:0-2", "'longtail:0.5:0' is none of random:SEED, longtail"),
    ],
)
def test_what_is_no_imbalance_is_refused(text, line):
    with pytest.raises((ConfigError, DataError), match=line):
        expand(text)


def test_imbalances_that_read_alike_have_trials_of_their_own(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "counts.npy", np.ones((1, 10), int))
    both = f"{tmp_path / 'a/counts.npy'},{tmp_path / 'b/counts.npy'}"
    names = [t.name for t in planned("elastic", both, "0")]
    assert len(set(names)) == 2
    assert not any(set("/:,") & set(name) for name in names)


def test_a_budget_in_images_is_the_same_number_of_images_for_every_batch():
    for name in ("elastic", "paper"):
        config = named(name)
        steps, schedule = steps_for(100_000, config), config.schedule
        before = round((schedule.encode + schedule.refine) * steps)
        batch, encode_batch = config.batch or BATCH, schedule.encode_batch or ENCODE_BATCH
        drawn = before * encode_batch + (steps - before) * batch
        assert drawn == pytest.approx(100_000, rel=0.01)
    assert planned("paper", budget=Budget(images=6400))[0].config.steps == 100


def test_budgets_exclude_each_other():
    with pytest.raises(ConfigError, match="--minutes and --steps exclude each other"):
        Budget(minutes=1, steps=5)
    with pytest.raises(ConfigError, match="--images 0"):
        Budget(images=0)
    with pytest.raises(ConfigError, match="--steps 0"):
        planned(budget=Budget(steps=0))
