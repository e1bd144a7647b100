"""`train --devices 2`: its processes end together, with one line and a run that any number goes on with."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from elastic_infogan.apps.cli import run
from elastic_infogan.training.tensor_files import read_tensors

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes in /proc"),
]
TRAIN = ["train", "digits", "--interval", "0.05", "--device", "cpu", "--networks.features", "16"]
NAMESPACE, PORT = "elastic-infogan-test-", "29511"
"""Names of network namespaces begin so; in a namespace of its own any port is free."""


@contextmanager
def start(out):
    """The command that starts two processes; killed where the block fails, upon which they stop too."""
    command = [sys.executable, "-m", "elastic_infogan", *TRAIN, "--steps", "100000", "--devices", "2"]
    with subprocess.Popen([*command, "--out", str(out)], stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def workers(process):
    """The processes that `process` started, in the order of their ranks."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return sorted(map(int, children), key=lambda pid: b"LOCAL_RANK=1" in environment(pid))


def environment(pid):
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def wait_for_checkpoint(out, process, later_than=0):
    deadline = time.monotonic() + 200
    while step(out) <= later_than:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def step(out):
    file = out / "checkpoint" / "state.safetensors"
    return read_tensors(file)[1]["step"] if file.exists() else 0


def ended(pids):
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.fixture
def machines():
    """Two network namespaces with a cable between them, by name and address."""
    if shutil.which("ip") is None:
        pytest.skip("this machine has no ip command")
    names, addresses = [f"{NAMESPACE}{os.getpid()}-{i}" for i in (0, 1)], ("10.77.0.1", "10.77.0.2")
    remove_left_over()
    try:
        made = subprocess.run(["ip", "netns", "add", names[0]], capture_output=True, text=True, check=False)
        if re.search("not permitted|denied", made.stderr):
            pytest.skip("this machine does not let this user make network namespaces")
        assert made.returncode == 0, made.stderr
        ip("netns", "add", names[1])
        ip("-n", names[0], "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", names[1])
        for name, address in zip(names, addresses, strict=True):
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                ip("-n", name, "link", "set", device, "up")
        yield list(zip(names, addresses, strict=True))
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def remove_left_over():
    """Namespaces of tests that were killed: the process in their name is no more, or is this one."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    for name, pid in re.findall(rf"^({NAMESPACE}(\d+)-[01])\b", listed, re.M):
        if int(pid) == os.getpid() or not Path(f"/proc/{pid}").exists():
            ip("netns", "del", name)


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def test_two_machines_train_one_run(machines, tmp_path):
    """Each runs the plain command; they have no network in common but the cable, and one run folder."""
    first = {"MASTER_ADDR": machines[0][1], "MASTER_PORT": PORT, "GLOO_SOCKET_IFNAME": "cable"}
    train = [sys.executable, "-m", "elastic_infogan", *TRAIN, "--steps", "20", "--nodes", "2"]
    started = [
        subprocess.Popen(
            ["ip", "netns", "exec", name, *train, "--out", str(tmp_path / name)],
            env={**os.environ, **first, "NODE_RANK": str(rank)}, stderr=subprocess.PIPE, text=True,
        )
        for rank, (name, _) in enumerate(machines)
    ]  # fmt: skip
    try:
        for process in started:
            message = process.communicate(timeout=200)[1]
            assert process.returncode == 0, message
    finally:
        for process in started:
            process.terminate()
    assert step(tmp_path / machines[0][0]) == 20
    assert not (tmp_path / machines[1][0]).exists()


def test_two_processes_end_together_and_leave_a_run_that_goes_on(tmp_path):
    out = tmp_path / "run"
    with start(out) as process:
        wait_for_checkpoint(out, process)
        both = workers(process)
        os.kill(both[1], signal.SIGTERM)  # one is asked to stop: both do, once the run is saved
        message = process.communicate(timeout=100)[1]
    assert process.returncode == 130, message
    assert message.count("To go on:") == 1
    assert ended(both)

    before = step(out)
    with start(out) as process:
        wait_for_checkpoint(out, process, later_than=before)
        both = workers(process)
        os.kill(both[1], signal.SIGKILL)
        message = process.communicate(timeout=100)[1]
    assert process.returncode == 2, message
    assert message.splitlines()[-1].startswith("elastic-infogan: process 1 was ended by SIGKILL;")
    assert "Traceback" not in message
    assert ended(both)

    reached = step(out)
    assert reached > before
    assert run([*TRAIN, "--steps", str(reached + 2), "--devices", "1", "--out", str(out)]) == 0
    assert step(out) == reached + 2
