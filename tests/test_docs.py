"""The documentation: it builds strictly, loads nothing from elsewhere, and what it tells to type is real."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from elastic_infogan.apps.benchmarking.systems import systems
from elastic_infogan.apps.benchmarking.verb import benchmark
from elastic_infogan.apps.cli import app
from elastic_infogan.training.config import Config, flatten

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TEXTS = [README, *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built so that any warning fails: a link or anchor that leads nowhere, a page left out."""
    out = tmp_path_factory.mktemp("site")
    paths = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": paths},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


def test_the_figures_can_be_drawn_again(tmp_path):
    """Those that take neither a training nor a finished run."""
    source = ROOT / "docs" / "making" / "figures.py"
    spec = importlib.util.spec_from_file_location("figures", source)
    figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figures)
    drawn = {path.stem for path in (ROOT / "docs" / "figures").iterdir()}
    assert drawn == set(figures.FIGURES)
    for name in ("gumbel", "views"):
        figures.FIGURES[name](tmp_path / name, None)
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000


class Loaded(HTMLParser):
    """What a page loads when it is opened, as opposed to what it links to."""

    def __init__(self, page):
        super().__init__()
        self.addresses = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.addresses.append(attributes.get("src"))
        elif tag == "link" and attributes.get("rel") != "canonical":
            self.addresses.append(attributes.get("href"))


def test_pages_load_files_of_the_site_and_nothing_else(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        for address in filter(None, Loaded(page).addresses):
            assert "://" not in address, (page, address)
            if page.name != "404.html":  # its addresses begin at the root of a server
                assert (page.parent / address.partition("?")[0]).exists(), (page, address)


def test_equations_are_drawn_by_the_browser(site):
    method = (site / "method.html").read_text(encoding="utf-8")
    assert method.count("<math") > 40
    assert not re.search(r"arithmatex|\$\$|\\\(|\\frac", method)


def test_the_reference_has_every_setting_and_every_verb(site):
    page = (site / "reference" / "cli.html").read_text(encoding="utf-8")
    for name in flatten(Config()):
        assert f"--{name.replace('_', '-')}" in page, name
    verbs = {name for name in app if not name.startswith("-") and app[name].show}
    assert len(verbs) > 9
    for verb in verbs:
        assert f'id="elastic-infogan-{verb}"' in page, verb


def test_examples_in_docstrings_are_code(site):
    pages = [page.read_text(encoding="utf-8") for page in sorted((site / "reference").glob("*.html"))]
    assert sum(page.count('<span class="gp">') for page in pages) > 20  # prompts
    assert not any("<blockquote>" in page for page in pages)


def blocks(text, *languages):
    """The fenced blocks of a text in some languages, with lines that a backslash continues put together."""
    found = re.findall(r"^ *```(\w+)\n(.*?)^ *```", text.read_text(encoding="utf-8"), re.M | re.S)
    return [code.replace("\\\n", " ") for language, code in found if language in languages]


BEFORE = r"elastic-infogan|srun .*?elastic-infogan|torchrun .*?-m elastic_infogan"
TYPED = re.compile(rf"^ *(?:{BEFORE}) (.*)", re.M)


def lines_to_type(text):
    """Commands of a text without their first word: in blocks, also behind a launcher, and inline."""
    for block in blocks(text, "sh"):
        yield from TYPED.findall(block)
    prose = re.sub(r"^ *```.*?^ *```", "", text.read_text(encoding="utf-8"), flags=re.M | re.S)
    inline = re.findall(r"`elastic-infogan ([^`]*)`", prose)
    yield from (line for line in inline if "…" not in line and not line.startswith("VERB "))


def commands():
    for text in TEXTS:
        for line in lines_to_type(text):
            yield pytest.param(text, line, id=f"{text.stem}: {line[:60]}")


@pytest.mark.parametrize(("text", "line"), list(commands()))
def test_every_command_in_the_documentation_is_understood(text, line, tmp_path, monkeypatch):
    words = shlex.split(line, comments=True)
    command, given, *_ = app.parse_args(words, exit_on_error=False, print_error=False)
    if command is benchmark:
        rows = {"recipes": Config().recipe, "variants": None, "common": (), **given.arguments}
        monkeypatch.chdir(ROOT)
        if (file := rows["variants"] or "").endswith(".toml") and not Path(file).exists():
            monkeypatch.chdir(tmp_path)
            (written,) = blocks(text, "toml")  # the file that the page tells to write
            Path(file).write_text(written, encoding="utf-8")
        assert systems(rows["recipes"], rows["variants"], rows["common"])


def test_commands_are_found_wherever_they_stand(tmp_path):
    text = tmp_path / "text.md"
    text.write_text(
        "Say `elastic-infogan doctor\nrun` or `elastic-infogan train …`.\n"
        "```sh\nsrun -n 2 elastic-infogan train a  # both\n"
        "torchrun --nnodes 2 \\\n    -m elastic_infogan train b\nelastic-infogan report c\n```\n",
        encoding="utf-8",
    )
    assert list(lines_to_type(text)) == ["train a  # both", "train b", "report c", "doctor\nrun"]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.stem)
def test_links_to_files_of_the_repository_lead_somewhere(text):
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text.read_text(encoding="utf-8"))
    assert [target for target in targets if not (text.parent / target).exists()] == []


def test_a_method_that_is_no_recipe_is_scored_as_the_how_to_says(monkeypatch):
    monkeypatch.setattr("elastic_infogan.evaluation.reference_network.STEPS_AT_LEAST", 30)
    (code,) = blocks(ROOT / "docs/how-to/benchmark.md", "python")
    names = {}
    exec(code.replace('"mnist"', '"digits"'), names)
    assert names["real"]["accuracy"] > 0.5
    assert 0 <= names["generated"]["generated_nmi"] <= 1


def test_the_python_of_readme_and_tutorial_runs(tmp_path, monkeypatch):
    (estimator,), (modules,) = blocks(README, "python"), blocks(ROOT / "docs/tutorials/research.md", "python")
    names = {}
    monkeypatch.chdir(tmp_path)  # one after another in one folder, as a reader would
    for code, budget, made in ((estimator, "steps=1500", "digits"), (modules, "minutes=0.5", "research")):
        assert budget in code
        exec(code.replace(budget, "steps=4"), names)  # every line, not how good the result is
        assert (tmp_path / "runs" / made / "model.json").exists()
    assert names["probabilities"].shape == (100, 10)
