"""The explorer answers what it is asked by the person in front of it, and nobody else."""

from __future__ import annotations

import base64
import csv
import io
import re
import shutil
import socket
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")
from starlette.testclient import TestClient

from elastic_infogan.apps.cli import run
from elastic_infogan.apps.explored import PAGE, Explored
from elastic_infogan.apps.explorer import _bound
from elastic_infogan.apps.explorer_app import guarded
from elastic_infogan.apps.explorer_guard import MOST_BYTES
from elastic_infogan.apps.gallery import open_gallery
from elastic_infogan.apps.names import ClassNames, suggested_merges
from elastic_infogan.apps.pictures import png
from elastic_infogan.apps.steering import STEPS, directions
from elastic_infogan.errors import ConfigError, RunError
from elastic_infogan.training.run import Run

HERE = "http://127.0.0.1:8765"
TOKEN = "correct-horse"


@pytest.fixture(scope="module")
def gallery(explorable):
    return open_gallery(explorable)


@pytest.fixture
def own_run(explorable, tmp_path):
    return shutil.copytree(explorable, tmp_path / "run")


@pytest.fixture
def client(own_run, gallery):
    """The page of a run that a test may write to, as the browser on this machine gets it."""
    return opened(guarded(explored(gallery, own_run), TOKEN))


def opened(app):
    """A client that has the token."""
    return TestClient(app, base_url=HERE, headers={"Authorization": f"Bearer {TOKEN}"})


def explored(gallery, path):
    run = Run.open(path)
    return Explored(replace(gallery, run=run, trained=run.model_state()))


@pytest.fixture(scope="module")
def guest(gallery):
    """Somebody who has not been given the address."""
    app = guarded(Explored(gallery), TOKEN)
    return lambda: TestClient(app, base_url="http://lab.example:8765")


def pixels(source):
    """The image in a data URL, `(H, W)`."""
    data = base64.b64decode(source.removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


def made(client, **wish):
    answer = client.post("/api/make", json=wish)
    assert answer.status_code == 200, answer.text
    return np.stack([pixels(source) for source in answer.json()["images"]])


def all_pages(client, code, order):
    first = client.get(f"/api/classes/{code}/images", params={"order": order}).json()
    rest = [
        client.get(f"/api/classes/{code}/images", params={"order": order, "page": page}).json()
        for page in range(1, first["pages"])
    ]
    return first["total"], [image for page in (first, *rest) for image in page["images"]]


# --- browsing -----------------------------------------------------------------------------------------------


def test_every_image_is_on_one_page_of_one_class(client, gallery):
    classes = client.get("/api/run").json()["classes"]
    names = []
    for item in classes:
        total, images = all_pages(client, item["code"], "typical")
        assert total == item["count"] == len(images)
        assert all(image["likely"][0]["code"] == item["code"] for image in images)
        names += [image["name"] for image in images]
    assert sorted(names, key=int) == [str(i) for i in range(len(gallery.images))]
    assert sum(item["share"] for item in classes) == pytest.approx(1)
    assert sum(item["prior"] for item in classes) == pytest.approx(1)


def test_pages_are_in_the_order_asked_for(client, gallery):
    code = max(client.get("/api/run").json()["classes"], key=lambda item: item["count"])["code"]
    total, typical = all_pages(client, code, "typical")
    assert total > PAGE, "more than one page is needed"
    assert (np.diff(gallery.answers.typicality[[int(x["name"]) for x in typical]]) <= 0).all()
    _, uncertain = all_pages(client, code, "uncertain")
    assert (np.diff([x["likely"][0]["probability"] for x in uncertain]) >= 0).all()
    first = typical[0]
    assert (pixels(first["source"]) == gallery.images.images[int(first["name"]), ..., 0]).all()


def test_merged_classes_have_one_middle(client, gallery):
    first, second = sorted(np.argsort(-gallery.answers.counts)[:2].tolist())
    client.post("/api/merges", json={"codes": [first, second]})
    _, typical = all_pages(client, first, "typical")
    shown = np.array([int(image["name"]) for image in typical])
    features = gallery.answers.features
    assert (np.diff(features[shown] @ features[shown].mean(axis=0)) <= 1e-5).all()
    _, uncertain = all_pages(client, second, "uncertain")
    assert (np.diff([x["likely"][0]["probability"] for x in uncertain]) >= 0).all()


# --- making -------------------------------------------------------------------------------------------------


def test_a_seed_makes_the_images_of_the_verb(client, own_run, tmp_path):
    asked = [
        "generate",
        own_run,
        "--classes",
        "3",
        "--per-class",
        "7",
        "--seed",
        "5",
        "--out",
        tmp_path / "x.npz",
    ]
    assert run([str(word) for word in asked]) == 0
    with np.load(tmp_path / "x.npz") as file:
        expected = file["images"][..., 0]
    assert (made(client, first=3, count=7, seed=5) == expected).all()


def test_a_mixture_begins_with_one_class_and_ends_with_the_other(client):
    mixed = made(client, first=1, second=4, count=3, seed=2)
    rows = mixed.reshape(3, STEPS, *mixed.shape[1:])
    assert (rows[:, 0] == made(client, first=1, count=3, seed=2)).all()
    assert (rows[:, -1] == made(client, first=4, count=3, seed=2)).all()


def test_sliders_move_what_they_name(client, gallery):
    still = made(client, first=0, count=4)
    assert (made(client, first=0, count=4, walk=[0.0] * 6) == still).all()
    assert (made(client, first=0, count=4, walk=[3.0]) != still).any()
    assert (made(client, first=0, count=4, continuous=[None, None]) == still).all()
    low, high = (made(client, first=0, count=4, continuous=[None, value]) for value in (-1, 1))
    assert (low != high).any()
    axes = directions(gallery.model).numpy()
    np.testing.assert_allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-5)


# --- recognising --------------------------------------------------------------------------------------------


def test_a_picture_is_told_its_class(client, gallery):
    for index in (0, 100):
        answer = client.post("/api/recognise", content=png(gallery.images.images[index])).json()
        assert answer["likely"][0]["code"] == gallery.answers.codes[index]
        assert (pixels(answer["source"]) == gallery.images.images[index, ..., 0]).all()


def picture(size, mode="1", **how):
    file = io.BytesIO()
    Image.new(mode, size).save(file, how.pop("format", "PNG"), **how)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (picture((400, 400), "RGB")[:300], "truncated"),
        (picture((8000, 8000)), "more than 50 megapixels"),
        (
            picture((9, 9), "L", format="GIF", save_all=True, append_images=[Image.new("L", (9, 9), 9)]),
            "animated",
        ),
    ],
)
def test_a_file_that_is_no_picture_is_refused_in_one_line(client, data, reason):
    answer = client.post("/api/recognise", content=data)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_a_body_is_bounded_before_it_is_read(client):
    assert client.post("/api/recognise", content=bytes(MOST_BYTES + 1)).status_code == 413
    assert client.post("/api/recognise", content=iter([b"x"])).status_code == 411


# --- naming -------------------------------------------------------------------------------------------------


def test_names_and_merges_are_kept_with_the_run_and_reach_the_verbs(client, own_run, tmp_path):
    assert client.put("/api/classes/1/name", json={"name": ' 7" disc '}).status_code == 200
    merged = client.post("/api/merges", json={"codes": [4, 1]}).json()["classes"]
    assert [item["codes"] for item in merged if len(item["codes"]) > 1] == [[1, 4]]
    assert '"merged": [\n    [\n      1,\n      4' in (own_run / "names.json").read_text()

    table = client.get("/api/assignments.csv")
    assert run(["assign", str(own_run), "digits", "--out", str(tmp_path / "a.csv")]) == 0
    assert table.content == (tmp_path / "a.csv").read_bytes()
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert len(rows) == 1797
    assert {row["class"] for row in rows} <= set("012356789")
    assert all(row["name"] == ('7" disc' if row["class"] == "1" else "") for row in rows)
    ones = [row for row in rows if row["class"] == "1"]
    assert all(abs(float(row["probability"]) - float(row["p_1"]) - float(row["p_4"])) < 2e-6 for row in ones)

    asked = [
        "generate",
        str(own_run),
        "--classes",
        '7" disc',
        "--per-class",
        "2",
        "--out",
        str(tmp_path / "x.npz"),
    ]
    assert run(asked) == 0
    with np.load(tmp_path / "x.npz") as file:
        assert file["codes"].tolist() == [1, 1, 4, 4]

    assert len(client.delete("/api/merges/4").json()["classes"]) == 10
    for code in (1, 4):
        client.put(f"/api/classes/{code}/name", json={"name": ""})
    assert not ClassNames.of(Run.open(own_run), 10)


@pytest.mark.parametrize("name", ["3", "Class 3", "class-03"])
def test_what_stands_for_a_class_without_a_name_is_no_name(client, name):
    answer = client.put("/api/classes/1/name", json={"name": name})
    assert answer.status_code == 400
    assert "number of a class" in answer.json()["error"]


@pytest.mark.parametrize("text", ["{", '{"findings": 3}', '{"findings": [{"classes": [0, 1]}]}'])
def test_a_damaged_diagnosis_is_named(own_run, text):
    (own_run / "diagnosis.json").write_text(text)
    with pytest.raises(RunError, match=r"diagnosis\.json is damaged"):
        suggested_merges(Run.open(own_run), 10)


def test_a_damaged_file_of_names_is_named(own_run, fails, tmp_path):
    (own_run / "names.json").write_text('{"names": {"99": "x"}, "merged": []}')
    line = fails("assign", own_run, "digits", "--out", tmp_path / "a.csv")
    assert "names.json" in line
    assert "99" in line


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("GET", "/api/classes/10/images", None),
        ("GET", "/api/classes/-1/images", None),
        ("GET", "/api/classes/0/images?page=99999", None),
        ("GET", "/api/classes/0/images?order=best", None),
        ("GET", "/api/classes/10/examples.png", None),
        ("POST", "/api/make", {"first": 10}),
        ("POST", "/api/make", {"first": 0, "second": -1}),
        ("POST", "/api/make", {"first": 0, "count": 100_000}),
        ("POST", "/api/make", {"first": 0, "seed": 2**70}),
        ("POST", "/api/make", {"first": 0, "walk": [0] * 7}),
        ("POST", "/api/make", {"first": 0, "walk": [1e9]}),
        ("POST", "/api/make", {"first": 0, "continuous": [0, 0, 0]}),
        ("PUT", "/api/classes/10/name", {"name": "x"}),
        ("PUT", "/api/classes/0/name", {"name": "x" * 61}),
        ("PUT", "/api/classes/0/name", {"name": "two\nlines"}),
        ("PUT", "/api/classes/0/name", {"name": "a,b"}),
        ("PUT", "/api/classes/0/name", {}),
        ("POST", "/api/merges", {"codes": [1, 1]}),
        ("POST", "/api/merges", {"codes": [1, 10]}),
        ("DELETE", "/api/merges/10", None),
    ],
)
def test_what_does_not_fit_the_run_is_refused_in_one_line(client, own_run, method, path, content):
    answer = client.request(method, path, json=content)
    assert answer.status_code in (400, 422)
    assert len(answer.json()["error"].splitlines()) == 1
    assert not (own_run / "names.json").exists()


# --- the guard ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},  # another port of localhost
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "null"},
        {"Origin": "http://["},
    ],
)
def test_a_page_of_another_site_is_refused(client, own_run, headers):
    assert client.put("/api/classes/0/name", json={"name": "x"}, headers=headers).status_code == 403
    assert client.get("/api/run", headers=headers).status_code == 403
    assert client.get("/", headers={**headers, "Sec-Fetch-Dest": "iframe"}).status_code == 403
    assert not (own_run / "names.json").exists()


def test_a_link_from_elsewhere_opens_the_page_and_the_page_may_ask(client):
    by_link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    assert client.get("/", headers=by_link).status_code == 200
    assert client.get("/api/run", headers=by_link).status_code == 403
    assert (
        client.get("/api/run", headers={"Sec-Fetch-Site": "same-origin", "Origin": HERE}).status_code == 200
    )


def test_nothing_is_served_without_the_token(guest):
    for given in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Cookie": "elastic-infogan=wrong"},
        {"Cookie": "é=\x00"},
    ):
        for path in ("/", "/page.css", "/api/run", "/?token=", "/?token=wrong", "/nothing"):
            headers = {key: value.encode() for key, value in given.items()}
            assert guest().get(path, headers=headers).status_code == 401
    assert guest().get("/api/run", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_cannot_use(guest):
    client = guest()
    opened = client.get("/", params={"token": TOKEN})
    assert opened.status_code == 200
    for part in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert part in opened.headers["set-cookie"]
    assert client.get("/api/run").status_code == 200
    assert client.get("/api/run", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_a_cookie_of_another_program_does_not_hide_the_token(guest):
    headers = {"Cookie": f'theirs={{"a":1, "b":2}}; elastic-infogan={TOKEN}'}
    assert guest().get("/api/run", headers=headers).status_code == 200


def test_every_answer_forbids_what_is_not_needed(client, guest):
    answers = [client.get(path) for path in ("/", "/api/run", "/nothing", "/api/classes/99/images")]
    for answer in [*answers, client.get("/", headers={"Origin": "null"}), guest().get("/")]:
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    [
        "/config.toml",
        "/../config.toml",
        "/%2e%2e/config.toml",
        "/api/classes/..%2f..%2fconfig.toml/images",
        "/page.css/../../explorer.py",
        "/explorer_page/index.html",
        "/docs",
        "/openapi.json",
    ],
)
def test_no_address_leads_to_a_file(client, path):
    assert client.get(path).status_code in (404, 422)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_verb_asks_for_the_token_that_it_prints(explorable, capsys, monkeypatch, host):
    served = []
    monkeypatch.setattr("elastic_infogan.apps.explorer._serve", lambda app, server: served.append(app))
    assert run(["explore", str(explorable), "--host", host, "--port", "0"]) == 0
    base, _, query = re.search(r"http://\S+", capsys.readouterr().out)[0].partition("?")
    client = TestClient(served[0], base_url=base)
    assert client.get("/api/run").status_code == 401
    assert client.get("/?" + query).status_code == 200
    assert client.get("/api/run").status_code == 200  # by the cookie


def test_names_are_not_given_to_the_classes_of_another_model(client, own_run):
    assert client.put("/api/classes/1/name", json={"name": "cat"}).status_code == 200
    run_there = Run.open(own_run)
    run_there.save_model(run_there.load_model())  # as a longer training does
    answer = client.put("/api/classes/2/name", json={"name": "dog"})
    assert answer.status_code >= 400
    assert "trained on since" in answer.text
    assert "dog" not in (own_run / "names.json").read_text()


# --- the verb -----------------------------------------------------------------------------------------------


def test_a_missing_extra_is_one_line_with_the_remedy(explorable, fails, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert 'pip install "elastic-infogan[explorer]"' in fails("explore", explorable)


def test_an_address_that_cannot_be_bound_is_named(explorable, fails):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"--port {port} is taken" in fails("explore", explorable, "--port", port)
    assert "--port is 70000" in fails("explore", explorable, "--port", 70_000)
    assert "--host 203.0.113.1" in fails("explore", explorable, "--host", "203.0.113.1")


def test_what_is_no_run_is_named(tmp_path, fails):
    assert "is not a run folder" in fails("explore", tmp_path, "--port", 0)


def test_a_port_is_taken_before_anything_is_loaded():
    with _bound("127.0.0.1", 0) as server, pytest.raises(ConfigError, match="is taken"):
        _bound("127.0.0.1", server.getsockname()[1])


def test_what_is_no_name_of_a_host_is_said(explorable, fails):
    assert "--host my..host" in fails("explore", explorable, "--host", "my..host")


def test_two_pages_of_one_run_keep_each_others_names(own_run, gallery):
    first, second = (explored(gallery, own_run) for _ in range(2))
    first.rename(lambda classes: classes.named(0, "circle"))
    second.rename(lambda classes: classes.named(1, "stroke"))
    assert ClassNames.of(Run.open(own_run), 10).names == {0: "circle", 1: "stroke"}


def test_a_page_of_an_explore_that_has_ended_is_refused_and_changes_nothing(client, own_run):
    opened = client.get("/api/run").json()["opened"]
    for headers, status in (({"X-Opened": opened}, 200), ({"X-Opened": "another"}, 400), ({}, 200)):
        answer = client.put("/api/classes/2/name", json={"name": f"n{status}"}, headers=headers)
        assert answer.status_code == status, headers
    assert "reload it" in client.get("/api/classes/2/images", headers={"X-Opened": "another"}).json()["error"]
    assert client.get("/api/images/0.png", params={"opened": "another"}).status_code == 400
    assert client.get("/api/images/0.png", params={"opened": opened}).status_code == 200
    assert ClassNames.of(Run.open(own_run), 10).name(2) == "n200"


def test_separating_gives_each_class_its_own_name_again():
    merged = ClassNames(6).named(1, "cat").named(3, "dog").merge([1, 3, 5])
    assert [merged.name(code) for code in (1, 3, 5)] == ["cat"] * 3
    assert (merged.codes_named("cat"), merged.codes_named("dog")) == ([1, 3, 5], [])
    assert [merged.separate(3).name(code) for code in (1, 3, 5)] == ["cat", "dog", ""]
    assert [merged.named(5, "pet").separate(3).name(code) for code in (1, 3, 5)] == ["pet"] * 3


@pytest.mark.parametrize("name", ["\u200d", "a,b", "\x07"])
def test_a_name_that_cannot_be_seen_is_refused(name):
    with pytest.raises(ConfigError, match="letters that can be seen"):
        ClassNames(6).named(2, name)


def test_names_of_any_script_are_kept(own_run):
    names = ["می‌خواهم", "👩‍🔬", "a\u00a0b", " tab\t"]
    classes = ClassNames(6)
    for code, name in enumerate(names):
        classes = classes.named(code, name)
    classes.save(Run.open(own_run))
    read = ClassNames.of(Run.open(own_run), 6)
    assert [read.name(code) for code in range(4)] == ["می‌خواهم", "👩‍🔬", "a b", "tab"]


def test_large_images_are_small_among_others_and_whole_by_themselves(gallery, own_run, monkeypatch):
    monkeypatch.setattr("elastic_infogan.apps.explored.LARGEST", 4)
    page = opened(guarded(explored(gallery, own_run), TOKEN))
    code = int(gallery.answers.counts.argmax())
    shown = page.get(f"/api/classes/{code}/images").json()["images"][0]
    assert pixels(shown["source"]).shape == (4, 4)
    with Image.open(io.BytesIO(page.get("/" + shown["whole"]).content)) as whole:
        index = int(shown["whole"].removeprefix("api/images/").removesuffix(".png"))
        assert (np.asarray(whole) == gallery.images.images[index, ..., 0]).all()
    assert page.get("/api/images/1000000.png").status_code == 400
