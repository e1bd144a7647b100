"""A shell completes verbs and flags once the script is installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from elastic_infogan.apps.cli import app


def test_bash_accepts_the_script_and_offers_verbs_and_flags():
    script = app.generate_completion(prog_name="elastic-infogan", shell="bash")
    ask = (
        "COMP_WORDS=(elastic-infogan {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); "
        'name=$(complete -p elastic-infogan | sed "s/.*-F \\([^ ]*\\).*/\\1/"); '
        '$name; echo "${{COMPREPLY[@]}}"'
    )

    def offered(words):
        done = subprocess.run(
            ["bash", "-c", script + "\n" + ask.format(words=words)],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    assert "train" in offered("tra")
    assert "--classes" in offered("train --cl")


@pytest.mark.skipif(sys.platform == "win32", reason="installs into the home folder of a Unix shell")
def test_installing_writes_into_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = app.install_completion(shell="bash", add_to_startup=False)
    assert path.is_relative_to(tmp_path)
    assert "elastic-infogan" in path.read_text()
