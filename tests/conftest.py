"""What every test runs under: one thread a process, repeatable examples, a cache of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hypothesis
import pytest
import torch

TOGETHER = {
    "tests/apps/benchmarking/test_benchmark.py",
    "tests/apps/test_estimator.py",
    "tests/apps/test_explorer_page.py",
    "tests/apps/test_export.py",
    "tests/apps/test_report.py",
    "tests/apps/test_survival.py",
    "tests/evaluation/test_doctor.py",
    "tests/evaluation/test_reference.py",
    "tests/evaluation/test_scores.py",
    "tests/test_docs.py",
    "tests/training/test_counting.py",
    "tests/training/test_loop.py",
    "tests/training/test_processes.py",
    "tests/training/test_restarts.py",
    "tests/training/test_run.py",
    "tests/training/test_unknown_number.py",
}
"""Files whose tests one worker runs, so that what takes long to make is made once."""

FOREIGN = {
    "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE",
    "WORLD_SIZE", "RANK", "LOCAL_RANK", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT",
}  # fmt: skip
FOREIGN_GROUPS = ("ELASTIC_INFOGAN_", "OMPI_", "PMI_", "SLURM_", "TORCHELASTIC_")
"""Variables of whoever runs the tests that would have a say in what the program does or how it looks."""

for variable in list(os.environ):
    if variable in FOREIGN or variable.startswith(FOREIGN_GROUPS):
        del os.environ[variable]
os.environ["COLUMNS"] = "80"

sys.path.append(str(Path(__file__).parent))  # for shared.py

hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Workers share two cores; children that a test starts inherit the limit."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def no_wait_for_the_disk():
    """Files are flushed against a loss of power, which no test brings about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """No test reads or fills the cache of the person who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def same_draws():
    """What a test draws from the global generator does not depend on the tests before it."""
    torch.manual_seed(0)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Tests are dealt out one by one, those of `TOGETHER` by file, the file with most tests first."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFileOrByTest(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return file if file in TOGETHER else nodeid

    return ByFileOrByTest(config, log)
