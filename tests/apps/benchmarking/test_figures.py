"""Tables and plots from lines whose figures are known."""

from __future__ import annotations

import csv
import math
import statistics

import pytest
from PIL import Image

from elastic_infogan.apps.benchmarking import plots, tables
from elastic_infogan.apps.benchmarking.figures import Figure, by_system, figures_of, lost, spread

MACHINE = {"cpu": "a CPU", "cores": 2, "threads": 1, "torch": "2"}


def line(name, imbalance, seed, nmi, rmse, gone=(), **more):
    classes = [
        {"class": c, "code": None if c in gone else k, "prior": 0.5, "true_share": share}
        for k, (c, share) in enumerate({"a": 0.25, "b": 0.75}.items())
    ]
    growth = [{"seconds": 30.0, "generated_nmi": nmi / 2}, {"seconds": 60.0, "generated_nmi": nmi}]
    return {
        "name": name, "imbalance": imbalance, "seed": seed, "source": "toys", "jobs": 2, "version": "1",
        "machine": MACHINE, "budget": {"steps": 5, "minutes": None, "images": None}, "training_seconds": 60.0,
        "generated_nmi": nmi, "prior_rmse": rmse, "uniform_prior_rmse": 0.25, "classes_lost": list(gone),
        "recall": {"a": 0.9, "b": 0.9}, "rarest": {"recall": 0.9}, "classes": classes, "classes_sought": 2,
        "shares": {"prior": [0.5, 0.5]}, "curve": growth, **more,
    }  # fmt: skip


LINES = [
    line("one", "random:0", 0, 0.9, 0.01),
    line("one", "random:0", 1, 0.8, 0.03, gone=["b"]),
    line("one", "random:1", 0, 0.4, 0.02, gone=["b", "a"]),
    line("one", "random:1", 1, 0.7, 0.02, gone=["b"]),
    line("other", None, 0, 0.5, 0.1),
    {"name": "other", "imbalance": None, "seed": 1, "failed": "the loss | became NaN"},
]
NMI = Figure("", ("generated_nmi",))
RMSE = Figure("", ("prior_rmse",), larger_is_better=False)


def test_mean_spread_and_worst_with_its_trial():
    own = by_system(LINES)["one"]
    nmi, rmse = spread(NMI, own), spread(RMSE, own)
    assert nmi.mean == pytest.approx(0.7)
    assert nmi.std == pytest.approx(statistics.stdev([0.9, 0.8, 0.4, 0.7]))
    assert (nmi.worst, nmi.worst_at["imbalance"], nmi.worst_at["seed"]) == (0.4, "random:1", 0)
    assert (rmse.worst, rmse.worst_at["imbalance"], rmse.worst_at["seed"]) == (0.03, "random:0", 1)


def test_one_trial_has_no_deviation_and_a_missing_figure_no_spread():
    own = by_system(LINES)["other"]
    assert math.isnan(spread(NMI, own).std)
    assert len(own) == 1  # the failed one has no figures
    assert spread(Figure("", ("accuracy",)), own) is None


def test_lost_classes_are_counted_by_imbalance_and_by_trial():
    counts = lost(by_system(LINES)["one"])
    assert (counts["a"].splits, counts["a"].runs) == (1, 1)
    assert (counts["b"].splits, counts["b"].runs) == (2, 3)


def test_fidelity_is_named_after_its_extractor():
    judged = line("one", None, 0, 0.9, 0.1, reference="eye", class_precision_eye=0.8, fid_eye=3.0)
    titles = [figure.title for figure in figures_of([judged])]
    assert "precision (eye)" in titles
    assert "FID (eye)" in titles
    assert not any(title.startswith(("FID", "precision")) for title in (f.title for f in figures_of(LINES)))


def test_the_table_says_what_the_lines_say(tmp_path):
    tables.write(tmp_path, LINES, "elastic-infogan benchmark toys")
    text = (tmp_path / "table.md").read_text()
    assert "0.700 ± 0.216 (0.400)" in text
    assert "| one | 2 | 1 | 2 | 1 of 4 |" in text
    assert "uniform one, has RMSE 0.2500" in text
    assert "- whole, 1 of other: the loss | became NaN" in text
    assert "random:1, 0" in text
    rows = {(r["system"], r["figure"]): r for r in csv.DictReader((tmp_path / "table.csv").open())}
    assert float(rows["one", "generated_nmi"]["mean"]) == pytest.approx(0.7)
    assert rows["one", "prior_rmse"]["worst_imbalance"] == "random:0"
    assert rows["other", "generated_nmi"]["std"] == ""
    gone = {(r["system"], r["class"]): r for r in csv.DictReader((tmp_path / "lost.csv").open())}
    assert (gone["one", "b"]["imbalances_lost"], gone["one", "b"]["trials_lost"]) == ("2", "3")


def test_time_to_quality_is_that_of_the_first_moment_good_enough():
    slow = {**line("one", "random:2", 0, 0.96, 0.02), "curve": [
        {"seconds": 60.0, "generated_nmi": 0.91},
        {"seconds": 120.0, "generated_nmi": 0.2},
        {"seconds": 180.0, "generated_nmi": 0.96},
    ]}  # fmt: skip
    only_the_end = {**line("brief", None, 0, 0.99, 0.1), "curve": [{"seconds": 60.0, "generated_nmi": 0.99}]}
    text = tables.markdown([*LINES, slow, only_the_end], "")
    assert "|  | generated NMI 0.90 | generated NMI 0.95 |" in text
    assert "| one | 1.0 (1.0), 2 of 5 | 3.0 (3.0), 1 of 5 |" in text
    assert "| other | not reached | not reached |" in text
    told = text[text.index("Minutes of training until") :]
    assert "brief" not in told  # whose growth nobody scored


def test_trials_without_labels_have_lost_and_kept_nothing():
    unlabelled = {key: value for key, value in LINES[4].items() if key not in ("classes_lost", "recall")}
    text = tables.markdown([unlabelled], "elastic-infogan benchmark toys")
    assert "| other | 1 | – |" in text
    assert "0 of 1" not in text


def test_a_budget_of_many_images_is_written_out():
    budget = {"images": 1_000_000, "minutes": None, "steps": None}
    assert "1,000,000 images a trial" in tables.markdown([{**LINES[0], "budget": budget}], "")
    assert "0.5 minutes a trial" in tables.markdown(
        [{**LINES[0], "budget": {"images": None, "minutes": 0.5, "steps": None}}], ""
    )


def test_a_benchmark_without_a_result_has_a_table_that_says_so():
    text = tables.markdown([LINES[-1]], "elastic-infogan benchmark")
    assert "No trial has a result yet" in text
    assert "became NaN" in text


def test_the_plot_of_growth_goes_through_the_means():
    figure = plots.growth(by_system(LINES))
    drawn = {plot.get_label(): plot.get_xydata().tolist() for plot in figure.axes[0].lines}
    mean = drawn["one (4 trials)"]
    assert mean == [[0, 0], pytest.approx([0.5, 0.35]), pytest.approx([1, 0.7])]


def test_the_legend_says_of_how_many_trials_the_mean_is():
    short = line("one", "random:2", 0, 0.6, 0.02)
    figure = plots.growth({"one": [*LINES[:4], {**short, "curve": short["curve"][:1]}]})
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["one (4 of 5 trials)"]


def test_spare_codes_are_not_drawn_as_classes():
    found = line("one", None, 0, 0.9, 0.01)
    found["classes"].append({"class": None, "code": 2, "prior": 0.9, "true_share": 0.0})
    (panel,) = plots.priors({"one": [found]}).axes
    assert panel.collections[0].get_offsets().tolist() == [[0.25, 0.5], [0.75, 0.5]]
    assert panel.get_xlim()[1] < 0.9


def test_the_plot_of_priors_has_a_panel_a_system_with_the_uniform_line():
    one, other = plots.priors(by_system(LINES)).axes
    assert [round(float(y), 3) for y in one.lines[1].get_ydata()] == [0.5, 0.5]
    assert [len(points.get_offsets()) for points in one.collections] == [4, 4]  # with and without a code
    assert other.collections[0].get_offsets().tolist() == [[0.25, 0.5], [0.75, 0.5]]


def test_the_uniform_line_is_of_the_number_that_was_found():
    found = line("one", None, 0, 0.9, 0.01, classes_sought="auto")
    assert plots.priors(by_system([found])).axes[0].lines[1].get_ydata()[0] == 0.5


def test_plots_are_written_only_where_there_is_something_to_draw(tmp_path):
    assert len(plots.write(tmp_path, LINES)) == 2
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as picture:
            assert min(picture.size) > 300
    assert plots.write(tmp_path, [LINES[-1]]) == []
