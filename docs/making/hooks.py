"""What the site's builder does besides: equations become MathML, and the command line describes itself."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from math_core import LatexToMathML

__all__ = ["on_page_content", "on_page_markdown"]

VERBS = (
    "train",
    "assign",
    "generate",
    "evaluate",
    "doctor",
    "report",
    "explore",
    "export",
    "push",
    "benchmark",
    "data",
)
MARK = "<!-- every verb and its options -->"
_FILE = re.compile(r"<!-- file: (\S+\.py) -->")
_EQUATION = re.compile(r'<(span|div) class="arithmatex">(\\\(|\\\[)(.*?)(\\\)|\\\])</\1>', re.DOTALL)
_LATEX = LatexToMathML()


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the help of the command line and files of the repository, as they are, where a page wants them."""
    markdown = _FILE.sub(
        lambda found: f"```python\n{Path(found[1]).read_text(encoding='utf-8')}```", markdown
    )
    return markdown.replace(MARK, _command_line()) if MARK in markdown else markdown


def _command_line() -> str:
    from elastic_infogan.apps.cli import app

    told = app.generate_docs(output_format="markdown")
    # one part a verb; the first parts are the overview and its table of contents
    parts = {part.split("\n", 1)[0]: part for part in re.split(r"^## elastic-infogan ", told, flags=re.M)[1:]}
    chosen = [*VERBS, *(name for name in parts if name not in VERBS)]
    text = "".join(f"## elastic-infogan {parts[name]}" for name in chosen)
    # a usage line of our own already names its verb
    return re.sub(r"^elastic-infogan (\w+) \1 ", r"elastic-infogan \1 ", text, flags=re.M)


def on_page_content(content: str, **_: Any) -> str:
    """Equations as MathML, which browsers draw by themselves. One that cannot be read fails the build."""
    return _EQUATION.sub(_as_mathml, content)


def _as_mathml(found: re.Match[str]) -> str:
    latex, displayed = html.unescape(found[3]).strip(), found[1] == "div"
    mathml: str = _LATEX.convert_with_local_state(latex, displaystyle=displayed)
    # one that is wider than a phone is scrolled by itself, by keyboard too
    scrolled = f'<div class="equation" role="group" aria-label="Equation" tabindex="0">{mathml}</div>'
    return scrolled if displayed else mathml
