"""The MLflow store: where runs go, how a run begins and ends, and what happens when the server is away.

The default store is a SQLite file beside the project, set explicitly and initialised once under a lock; MLFLOW_TRACKING_URI names
another. Everything goes through `MlflowClient` with an explicit run id: no fluent call, no global active run. A run is a `with` block,
and how the block ends is the run's status: FINISHED, FAILED (an error) or KILLED (Ctrl-C, SIGTERM).
"""

from __future__ import annotations

import fcntl
import getpass
import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass

from cktrack import home
from cktrack.ending import Terminated, ended_with_driver, terminable, undisturbed

# A tracking server that is away must cost seconds, not minutes; what cannot be sent is kept (`recorder.py`).
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_TRUNCATE_LONG_VALUES": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}
for _name, _value in DEFAULTS.items():
    os.environ.setdefault(_name, _value)

import mlflow  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Param, RunTag  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

PARAM_LIMIT, TAG_LIMIT = 6000, 8000
OWNER, IDENTITY, COMPLETE = "cktrack.process", "cktrack.identity", "logging.complete"


class StoreError(RuntimeError):
    """The store cannot be used; the message says what to try."""


def uri() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home.database()}"


@dataclass(frozen=True)
class Store:
    """An open store. `uri` is where; the client is MLflow's own."""

    uri: str
    client: MlflowClient

    @property
    def local(self) -> bool:
        return self.uri.startswith("sqlite:")

    def experiment(self, name: str) -> str:
        """The id of an experiment, made if there is none. Local artifacts lie beside the database."""
        found = self.client.get_experiment_by_name(name)
        if found and found.lifecycle_stage == "deleted":
            raise StoreError(
                f"experiment {name!r} was deleted; restore it with `mlflow experiments restore -x {found.experiment_id}`"
            )
        if found:
            return str(found.experiment_id)
        place = (home.artifacts() / name).as_uri() if self.local else None
        with suppress(MlflowException):  # another process may have made it meanwhile
            return str(self.client.create_experiment(name, artifact_location=place))
        made = self.client.get_experiment_by_name(name)
        if made is None:
            raise StoreError(f"experiment {name!r} could not be made in {self.uri}")
        return str(made.experiment_id)


def open_store() -> Store:
    """Connect; for the local file, create and initialise it once even if several processes come at the same time."""
    where = uri()
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    mlflow.set_tracking_uri(where)
    mlflow.set_registry_uri(os.environ.get("MLFLOW_REGISTRY_URI") or where)
    try:
        with _initialising(where):
            client = MlflowClient(where)
            client.search_experiments(max_results=1)
            client.search_registered_models(max_results=1)
    except MlflowException as error:
        why = str(error).splitlines()[0][:200]
        raise StoreError(
            f"tracking store {where} cannot be reached: {why}; is the server up, and its version {mlflow.__version__}?"
        ) from error
    store = Store(where, client)
    close_stale(store)
    return store


@contextmanager
def _initialising(where: str) -> Iterator[None]:
    """For a local file: one process at a time, because MLflow's first use of an empty database does not lock it."""
    if not where.startswith("sqlite:"):
        yield
        return
    home.cache().mkdir(parents=True, exist_ok=True)
    with (home.cache() / "store.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def close_stale(store: Store) -> list[str]:
    """End runs of this machine that say RUNNING but whose process is gone: KILLED, or FINISHED if all was logged; returns their ids."""
    closed = []
    for experiment in store.client.search_experiments():
        for run in store.client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'"):
            host, _, pid = run.data.tags.get(OWNER, "").rpartition(":")
            if host == socket.gethostname() and pid.isdigit() and not _alive(int(pid)):
                done = run.data.tags.get(COMPLETE) == "true"  # a driver died before it could say so
                store.client.set_terminated(run.info.run_id, "FINISHED" if done else "KILLED")
                closed.append(run.info.run_id)
    return closed


@contextmanager
def run(store: Store, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[str]:
    """A run as a block; yields its id. A run that `mlflow run` has begun (MLFLOW_RUN_ID) is adopted: its driver ends it, and if the driver
    is gone the block ends too."""
    adopted = os.environ.pop("MLFLOW_RUN_ID", None)
    every = {**tags, OWNER: _process(), "mlflow.runName": name}
    if adopted:
        run_id = adopted
        set_tags(store, run_id, every)
    else:
        source = {"mlflow.source.name": "cktrack", "mlflow.source.type": "LOCAL", "mlflow.user": getpass.getuser()}
        run_id = store.client.create_run(
            store.experiment(experiment), tags={**source, **every}, run_name=name
        ).info.run_id
    status = "FAILED"
    with terminable():
        try:
            with ended_with_driver() if adopted else nullcontext():
                yield run_id
            status = "FINISHED"
        except (KeyboardInterrupt, Terminated):
            status = "KILLED"
            raise
        finally:
            if not adopted or status == "KILLED":  # a driver that was killed too would leave it RUNNING for ever
                with undisturbed():
                    _end(store, run_id, status)


def _end(store: Store, run_id: str, status: str) -> None:
    for attempt in range(3):
        try:
            store.client.set_terminated(run_id, status)
            return
        except MlflowException:
            time.sleep(attempt)
    from cktrack.recorder import keep

    keep(run_id, {"event": "end", "status": status})


def set_tags(store: Store, run_id: str, tags: Mapping[str, str]) -> None:
    """All tags in one request; refuses values that the server would cut off."""
    for key, value in tags.items():
        if len(str(value)) > TAG_LIMIT:
            raise StoreError(
                f"tag {key} has {len(str(value))} characters; at most {TAG_LIMIT} are kept, so log it as an artifact"
            )
    store.client.log_batch(run_id, tags=[RunTag(k, str(v)) for k, v in tags.items()])


def set_params(store: Store, run_id: str, values: Mapping[str, object]) -> None:
    """All params in requests of 100; refuses values that the server would cut off."""
    params = [Param(k, str(v)) for k, v in values.items()]
    for param in params:
        if len(param.value) > PARAM_LIMIT:
            raise StoreError(f"param {param.key} has {len(param.value)} characters; at most {PARAM_LIMIT} are kept")
    for at in range(0, len(params), 100):
        store.client.log_batch(run_id, params=params[at : at + 100])
