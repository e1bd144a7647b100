"""The report of real runs, parsed as a browser would: whole, without a network, and honest about gaps."""

from __future__ import annotations

import base64
import json
import re
import shutil
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from elastic_infogan.apps.cli import run
from elastic_infogan.apps.gallery import open_gallery
from elastic_infogan.apps.report import percent
from elastic_infogan.apps.report_classes import examples, strip
from elastic_infogan.apps.report_training import command
from elastic_infogan.apps.traversals import along_continuous, between_classes
from elastic_infogan.evaluation.doctor import Finding
from elastic_infogan.training.recipes import named
from elastic_infogan.training.run import Run

VOID = {"meta", "link", "img", "br", "use", "path", "rect"}


class Page(HTMLParser):
    """What a page holds: elements with their attributes, text, and whether every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text, self.styles = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            (self.styles if self.open[-1] == "style" else self.text).append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def page_of(path):
    return Page((path / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def reported(trained, tmp_path_factory):
    """The page of the run, with scores."""
    path = shutil.copytree(trained, tmp_path_factory.mktemp("report") / "run")
    scores = {
        "accuracy": 0.5,
        "ent": 1.25,
        "classes": [
            {
                "class": "<b>",
                "code": 1,
                "prior": 0.1,
                "assigned_share": 0.2,
                "true_share": 0.3,
                "recall": None,
            }
        ],
    }
    (path / "metrics.json").write_text(json.dumps(scores))
    assert run(["report", str(path), "--out", str(path.parent / "report.html")]) == 0
    return page_of(path.parent)


def test_every_section_is_there_and_linked(reported):
    ids = [attributes["id"] for _, attributes in reported.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    sections = ["shares", "diagnosis", "classes", "walks", "confusion", "training", "scores", "repeat"]
    assert [attributes["id"] for attributes in reported.all("section")] == sections
    links = [a["href"] for a in reported.all("a")]
    assert {f"#{name}" for name in sections} <= set(links)
    assert {link[1:] for link in links} <= set(ids)
    assert not reported.open


def test_nothing_comes_from_elsewhere(reported):
    for tag, attributes in reported.elements:
        for name in ("src", "href", "xlink:href", "srcset", "action"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:")), (tag, value)
        assert tag not in ("script", "iframe", "object", "embed")
    inline = [attributes.get("style") or "" for _, attributes in reported.elements]
    assert len("".join(reported.styles)) > 1000
    assert not re.search(r"url\((?![\"']?(#|data:))|@import", " ".join([*reported.styles, *inline]))


def test_every_picture_decodes_to_its_size_and_says_what_it_shows(reported):
    pictures = reported.all("img")
    assert len(pictures) > 20
    for picture in pictures:
        assert "alt" in picture
        coded = picture["src"].partition(",")[2]
        with Image.open(BytesIO(base64.b64decode(coded))) as image:
            assert image.size == (int(picture["width"]), int(picture["height"]))
    assert sum(not picture["alt"] for picture in pictures) <= 10  # those beside a class's name


def test_charts_are_told_to_those_who_cannot_see_them_and_follow_the_page(reported):
    charts = reported.all("svg")
    assert len(charts) == len({chart["aria-label"] for chart in charts}) >= 6
    assert all(chart["role"] == "img" and chart["viewbox"] for chart in charts)
    drawn = " ".join(
        attributes.get("style") or ""
        for tag, attributes in reported.elements
        if tag in ("path", "text", "use")
    )
    assert not re.search(r"#[0-9a-f]{6}", drawn)  # no colour that dark paper would swallow
    assert "var(--accent)" in drawn


def test_tables_have_headers(reported):
    assert {th["scope"] for th in reported.all("th")} == {"row", "col"}


def test_it_says_shares_scores_and_the_command(reported, trained):
    shares = json.loads((trained / "shares.json").read_text())["assigned"]
    assert percent(max(shares)) in reported.words
    assert "Accuracy 0.500" in reported.words
    assert "ENT 1.250" in reported.words
    assert "<b> 1 30.0 % 20.0 % 10.0 % –" in reported.words  # and the name of a label is text
    assert "elastic-infogan train digits --classes 10 --steps 30" in reported.words


def test_it_holds_the_diagnosis(reported, trained):
    for finding in json.loads((trained / "diagnosis.json").read_text())["findings"]:
        assert finding["says"] in reported.words
        assert finding["do"].split(" --")[0] in reported.words


def test_groups_within_a_class_are_shown(digits_run):
    gallery = open_gallery(digits_run, "digits")
    groups = {"60% of class 1": np.array([5, 3, 8]), "40% of class 1": np.arange(20)}
    (few, few_shown), (many, many_shown) = examples(
        gallery, Finding("two-groups", "hint", "", "", (1,), {}, groups)
    )
    assert [few, many] == list(groups)
    assert few_shown["src"] == strip(gallery.images.images[[5, 3, 8]], 6, "")["src"]
    assert many_shown["src"] == strip(gallery.images.images[:12], 6, "")["src"]


def test_names_and_merges_of_the_explorer_are_those_of_the_page(digits_run, tmp_path):
    assert run(["assign", str(digits_run), "digits", "--out", str(tmp_path / "before.csv")]) == 0
    counts = np.bincount(np.loadtxt(tmp_path / "before.csv", delimiter=",", skiprows=1)[:, 1].astype(int))
    one, other = sorted(np.argsort(-counts)[:2].tolist())  # 30 steps leave some classes empty
    names = {"names": {str(one): "round <ones>"}, "merged": [[one, other]]}
    (digits_run / "names.json").write_text(json.dumps(names))
    (digits_run / "classes.json").write_text(json.dumps({"found": 10, "says": "About 10 classes, sure."}))
    assert run(["assign", str(digits_run), "digits", "--out", str(tmp_path / "after.csv")]) == 0
    assert run(["report", str(digits_run), "digits"]) == 0
    page = page_of(digits_run)
    count = (tmp_path / "after.csv").read_text().count(",round <ones>\n")
    assert f"round <ones> {count:,} images" in page.words
    assert f"class {one} together with {other}" in page.words
    assert "was found out as well. About 10 classes, sure." in page.words
    ids = {attributes["id"] for attributes in page.all("article")}
    assert f"class-{one}" in ids
    assert f"class-{other}" not in ids
    header = next(attributes for attributes in page.all("img") if "most typical" in attributes["alt"])
    assert header["alt"].endswith("images of round <ones>")  # the most common class comes first
    assert sum(th["scope"] == "col" for th in page.all("th")) == 4 + 9  # shares, and confusion of nine


def test_without_scores_it_says_how_to_get_them(digits_run):
    assert run(["report", str(digits_run)]) == 0
    page = page_of(digits_run)
    assert f"elastic-infogan evaluate {digits_run}" in page.words
    assert "scores" not in [attributes["id"] for attributes in page.all("section")]
    assert (digits_run / "report.html").stat().st_size < 3e6


def test_a_diagnosis_that_cannot_be_kept_is_in_the_report(digits_run, capsys):
    says = json.loads((digits_run / "diagnosis.json").read_text())["findings"][0]["says"]
    (digits_run / "diagnosis.json").unlink()
    (digits_run / "diagnosis.json").mkdir()
    assert run(["report", str(digits_run)]) == 0
    assert "diagnosis.json is in the report alone" in capsys.readouterr().err
    assert says in page_of(digits_run).words


def test_walks_from_class_to_class_begin_and_end_at_them(explorable):
    model = Run.open(explorable).load_model()
    there, elsewhere, back = (between_classes(model, *ends, 5) for ends in ((2, 5), (2, 7), (5, 2)))
    assert there.shape == (5, 8, 8, 1)
    assert np.array_equal(there[0], elsewhere[0])
    assert np.array_equal(there[0], back[-1])
    assert np.array_equal(there[-1], back[0])
    assert not np.array_equal(there[0], there[-1])
    assert not np.array_equal(there[-1], elsewhere[-1])


def test_walks_along_continuous_codes_meet_where_all_are_zero(explorable):
    model = Run.open(explorable).load_model()
    one, other = (along_continuous(model, 2, axis, 5) for axis in (0, 1))
    assert np.array_equal(one[2], other[2])
    assert np.array_equal(one[2], between_classes(model, 2, 5, 5)[0])
    assert len({image.tobytes() for image in (one[0], one[-1], other[0], other[-1])}) == 4


def test_continuous_codes_have_walks_of_their_own(explorable, tmp_path):
    assert run(["report", str(shutil.copytree(explorable, tmp_path / "run"))]) == 0
    words = page_of(tmp_path / "run").words
    assert [words.count(f"Along continuous code {axis}") for axis in range(3)] == [1, 1, 0]


def test_a_run_cut_short_is_shown_as_far_as_it_got(digits_run):
    for name in ("shares.json", "model.safetensors"):
        (digits_run / name).unlink()
    assert run(["report", str(digits_run)]) == 0
    page = page_of(digits_run)
    assert "training stopped in stage play after step 30" in page.words
    assert "no model has been saved yet" in page.words
    assert [attributes["id"] for attributes in page.all("section")] == ["training", "repeat"]


def test_a_run_that_has_only_begun_says_so(digits_run):
    for name in ("shares.json", "model.safetensors", "stats.jsonl"):
        (digits_run / name).unlink()
    assert run(["report", str(digits_run)]) == 0
    assert "not told anything yet" in page_of(digits_run).words


def test_no_run_and_damaged_scores_are_named(fails, digits_run, tmp_path):
    assert "is not a run folder" in fails("report", tmp_path / "nowhere")
    (digits_run / "metrics.json").write_text("{")
    assert "metrics.json is damaged" in fails("report", digits_run)
    assert not (digits_run / "report.html").exists()


def test_large_photographs_are_made_small_and_keep_their_look():
    across = np.linspace(0, 255, 96).astype(np.uint8)
    photographs = np.broadcast_to(across[None, None, :, None], (3, 96, 96, 3))
    shown = strip(photographs, 2, "three")
    assert (shown["width"], shown["height"], shown["sharp"]) == (128, 128, False)
    start, _, coded = shown["src"].partition(",")
    assert "webp" in start
    with Image.open(BytesIO(base64.b64decode(coded))) as image:
        row = np.asarray(image)[32, :64, 0].astype(int)
    assert np.abs(row - np.linspace(0, 255, 64)).max() < 16


def test_the_command_names_what_differs_from_the_recipe():
    from dataclasses import replace

    paper = named("paper")
    config = replace(
        paper, source="a b", classes=3, steps=9, prior=replace(paper.prior, learned=False, temperature=0.2)
    )
    wanted = "elastic-infogan train 'a b' --recipe paper --classes 3 --steps 9 --prior.no-learned "
    assert command(config, "out") == wanted + "--prior.temperature 0.2 --out out"
