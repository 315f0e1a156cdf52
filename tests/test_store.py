"""A run's status tells the truth however it ends; a server that is away costs nothing; nothing is cut off silently."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from cktrack import recorder as recording
from cktrack import store as stores
from cktrack.recorder import MlflowRecorder
from cktrack.store import StoreError, open_store, run

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def place(home):
    return home


@pytest.fixture
def store(place, empty_database):
    shutil.copy(empty_database, place / "mlflow.db")
    return open_store()


def status(store, run_id) -> str:
    return store.client.get_run(run_id).info.status


def test_the_default_store_lies_beside_the_project(store, place):
    assert store.uri == f"sqlite:///{place}/mlflow.db" and (place / "mlflow.db").exists()
    with run(store, "spec", "a", {}) as run_id:
        (place / "x.txt").write_text("hello")
        store.client.log_artifact(run_id, str(place / "x.txt"))
    assert list((place / "mlartifacts").rglob("x.txt"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, "FINISHED"),
        (ValueError("x"), "FAILED"),
        (SystemExit(0), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (stores.Terminated(), "KILLED"),
    ],
)
def test_how_a_block_ends_is_the_runs_status(store, error, expected):
    seen = []
    try:
        with run(store, "spec", "a", {"k": "v"}) as run_id:
            seen.append(run_id)
            if error is not None:
                raise error
    except BaseException as raised:  # noqa: BLE001 - the test is about every way of leaving
        assert raised is error
    assert status(store, seen[0]) == expected and store.client.get_run(seen[0]).data.tags["k"] == "v"


CHILD = """
import sys, time
from cktrack.store import open_store, run
store = open_store()
with run(store, "spec", "child", {}) as run_id:
    print(run_id, flush=True)
    time.sleep(60)
"""


def as_in_a_terminal() -> None:
    """Signals as a shell's foreground leaves them: a background job begins with SIGINT and SIGHUP ignored."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def child(place, **more) -> tuple[subprocess.Popen, str]:
    environment = {**os.environ, "CKTRACK_HOME": str(place), "PYTHONPATH": str(ROOT), **more}
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=as_in_a_terminal,
    )
    return process, process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_the_run_killed(store, place, number):
    process, run_id = child(place)
    process.send_signal(number)
    assert process.wait(30) != 0
    assert status(store, run_id) == "KILLED"


def test_a_process_that_was_killed_is_found_by_the_next(store, place):
    process, run_id = child(place)
    process.kill()
    process.wait(30)
    assert status(store, run_id) == "RUNNING"
    open_store()
    assert status(store, run_id) == "KILLED"


def test_a_run_that_is_alive_is_left_alone(store, place):
    process, run_id = child(place)
    try:
        assert stores.close_stale(store) == [] and status(store, run_id) == "RUNNING"
    finally:
        process.terminate()
        process.wait(30)


def test_a_run_that_mlflow_began_is_adopted_and_left_to_its_driver(store, monkeypatch):
    experiment = store.experiment("spec")
    given = store.client.create_run(experiment).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    with run(store, "spec", "a", {"k": "v"}) as run_id:
        assert run_id == given and "MLFLOW_RUN_ID" not in os.environ
    assert status(store, given) == "RUNNING" and store.client.get_run(given).data.tags["k"] == "v"


def orphan(store, place, before="") -> str:
    """A run that a driver began and adopted by a child behind a shell, as `mlflow run` does it; the driver is killed. Returns the run's id."""
    given = store.client.create_run(store.experiment("spec")).info.run_id
    code = "import subprocess, sys, time; p = subprocess.Popen(['bash', '-c', sys.argv[1]]); time.sleep(60)"
    shell = f"true && {before}{sys.executable} -c '{CHILD}'; true"
    environment = {**os.environ, "CKTRACK_HOME": str(place), "PYTHONPATH": str(ROOT), "MLFLOW_RUN_ID": given}
    process = subprocess.Popen(
        [sys.executable, "-c", code, shell],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=as_in_a_terminal,
        text=True,
    )
    assert process.stdout.readline().strip() == given
    process.kill()
    process.wait(30)
    return given


def wait_for(what, seconds: float = 15.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not what():
        time.sleep(0.1)
    return what()


def test_an_adopted_run_whose_driver_is_gone_ends_itself(store, place):
    given = orphan(store, place)
    assert wait_for(lambda: status(store, given) == "KILLED")
    pid = int(store.client.get_run(given).data.tags[stores.OWNER].rpartition(":")[2])
    assert wait_for(lambda: not stores._alive(pid))


def test_nohup_asks_to_be_left_behind(store, place):
    given = orphan(store, place, "nohup ")
    pid = int(store.client.get_run(given).data.tags[stores.OWNER].rpartition(":")[2])
    time.sleep(2.5)
    try:
        assert stores._alive(pid) and status(store, given) == "RUNNING"
    finally:
        os.kill(pid, signal.SIGTERM)
    assert wait_for(lambda: status(store, given) == "KILLED")


def test_a_run_that_logged_everything_is_not_called_killed(store, place):
    """The child was done, and its driver died before it could say FINISHED."""
    process, run_id = child(place)
    stores.set_tags(store, run_id, {stores.COMPLETE: "true"})
    process.kill()
    process.wait(30)
    assert stores.close_stale(store) == [run_id] and status(store, run_id) == "FINISHED"


def test_a_second_signal_does_not_cut_off_the_end(store, place):
    """The driver of `mlflow run` sends SIGTERM behind every Ctrl-C."""
    process, run_id = child(place)
    process.send_signal(signal.SIGINT)
    time.sleep(0.002)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) != 0
    assert status(store, run_id) == "KILLED"


def cktrack(place, *arguments) -> subprocess.Popen:
    environment = {**os.environ, "CKTRACK_HOME": str(place), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "cktrack", *arguments],
        env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=as_in_a_terminal,
    )  # fmt: skip


def test_sigterm_on_the_command_line_is_one_sentence_and_its_own_exit_code(store, place):
    process = cktrack(place, "rung", "run", "spec12/r17")
    seen = [process.stderr.readline()]
    while seen[-1] and "pretrain" not in seen[-1] and "probe cases" not in seen[-1]:
        seen.append(process.stderr.readline())
    process.terminate()
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 143 and "Traceback" not in rest and "terminated" in rest.splitlines()[-1]
    (found,) = store.client.search_runs([store.experiment("spec12")])
    assert found.info.status == "KILLED"


def test_repairing_a_model_that_is_not_there_is_one_sentence(store, place):
    process = cktrack(place, "repair", "nosuch")
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 2 and "there is no registered model 'nosuch'" in said and "Traceback" not in said


def test_a_port_that_is_none_is_refused(store, place):
    process = cktrack(place, "ui", "--port", "99999999")
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 2 and "99999999" in said and "65535" in said and "Traceback" not in said


def test_first_use_by_many_processes_at_once_works(place):
    code = "from cktrack.store import open_store; s = open_store(); s.experiment('spec')"
    environment = {**os.environ, "CKTRACK_HOME": str(place), "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE) for _ in range(3)
    ]
    assert [p.wait(120) for p in processes] == [0, 0, 0]
    assert len([e for e in open_store().client.search_experiments() if e.name == "spec"]) == 1


def test_values_that_the_server_would_cut_off_are_refused(store):
    with run(store, "spec", "a", {}) as run_id:
        with pytest.raises(StoreError, match="has 6001 characters"):
            stores.set_params(store, run_id, {"long": "x" * 6001})
        with pytest.raises(StoreError, match="has 8001 characters"):
            stores.set_tags(store, run_id, {"long": "x" * 8001})
        stores.set_params(store, run_id, {f"p{i}": i for i in range(250)})
    assert len(store.client.get_run(run_id).data.params) == 250


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_metrics_are_buffered_and_all_arrive(store):
    with run(store, "spec", "a", {}) as run_id:
        clock = Clock()
        recorder = MlflowRecorder(store, run_id, clock=clock)
        for step in range(100):
            recorder.metrics({"loss": 1.0 / (step + 1), "lr": 0.1}, step)
        assert store.client.get_metric_history(run_id, "loss") == []
        clock.now = 10.0
        recorder.metrics({"loss": 0.0, "lr": float("nan")}, 100)
        assert len(store.client.get_metric_history(run_id, "loss")) == 101
        assert recorder.close()
    data = store.client.get_run(run_id).data.metrics
    assert data["not_finite.lr"] == 1.0 and len(store.client.get_metric_history(run_id, "lr")) == 100


def test_events_wait_for_a_server_that_is_away_and_arrive_once_in_order(store, place, monkeypatch):
    from mlflow.exceptions import MlflowException

    with run(store, "spec", "a", {}) as run_id:
        clock, away, real = Clock(), [True], recording.send

        def flaky(target, run_id, event):
            if away[0]:
                raise MlflowException("API request to http://server failed with exception: connection refused")
            real(target, run_id, event)

        monkeypatch.setattr(recording, "send", flaky)
        recorder = MlflowRecorder(store, run_id, clock=clock)
        recorder.params({"p": 1})
        for step in range(50):
            clock.now += 3.0
            recorder.metrics({"loss": float(step)}, step)
        (place / "file.txt").write_text("x")
        recorder.artifact(place / "file.txt", "folder")
        assert not recorder.close() and recording.spool_path(run_id).exists()
        away[0] = False
        assert recording.deliver(store) == {run_id: 0} and not recording.spool_path(run_id).exists()
    history = store.client.get_metric_history(run_id, "loss")
    assert [m.value for m in sorted(history, key=lambda m: m.step)] == [float(s) for s in range(50)]
    assert store.client.get_run(run_id).data.params == {"p": "1"}
    assert [a.path for a in store.client.list_artifacts(run_id, "folder")] == ["folder/file.txt"]


def test_a_mistake_is_not_taken_for_a_server_that_is_away(store):
    from mlflow.exceptions import MlflowException

    with run(store, "spec", "a", {}) as run_id:
        recorder = MlflowRecorder(store, run_id)
        recorder.params({"p": 1})
        with pytest.raises(MlflowException, match="Changing param values"):
            recorder.params({"p": 2})
        assert not recording.spool_path(run_id).exists()


def test_a_server_that_cannot_be_reached_is_told_in_one_sentence(place, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    before = time.monotonic()
    with pytest.raises(StoreError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        open_store()
    assert time.monotonic() - before < 30


def test_mlflow_run_goes_to_the_experiment_of_the_spec(place):
    """The driver picks the experiment before our code runs; our plugin tells it which one."""
    code = textwrap.dedent(
        """
        import sys
        sys.argv = ["mlflow", "run", ".", "-P", "rung=spec12/r17"]
        from cktrack.experiment_provider import RungExperimentProvider as P
        p = P()
        print(p.in_context(), p.get_experiment_id())
        sys.argv = ["mlflow", "run", ".", "-e", "bench"]
        print(p.in_context())
        """
    )
    environment = {**os.environ, "CKTRACK_HOME": str(place), "PYTHONPATH": str(ROOT)}
    lines = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split("\n")
    name = open_store().client.get_experiment(lines[0].split()[1]).name
    assert lines[0].startswith("True") and name == "spec12" and lines[1] == "False"
