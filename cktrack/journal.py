"""The promotion journal in MLflow: one run per registered model holds its events as artifacts, in order; the registered model's
tag `journal.head` anchors the last one, so that a cut or rewritten end is found.

The journal is the authority; the aliases are written from it. One promoter at a time: creating the registered model
`NAME-promotion-lock` is atomic on every MLflow backend, and serves as the lock.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from mlflow.exceptions import MlflowException

from cktrack.store import Store, StoreError, _alive
from promotion import Event, State, fold

EXPERIMENT, TAG, HEAD = "promotion", "cktrack.journal", "journal.head"
LOCK = "-promotion-lock"
STALE_SECONDS = 900


class Journal:
    """Events of one registered model."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, name
        runs = store.client.search_runs([store.experiment(EXPERIMENT)], f"tags.`{TAG}` = '{name}'")
        if len(runs) > 1:
            raise StoreError(
                f"journal: {len(runs)} runs say they are the journal of {name}; expected one: {[r.info.run_id for r in runs]}"
            )
        self.run_id: str | None = runs[0].info.run_id if runs else None

    def state(self) -> State:
        """The fold of all events; raises BrokenChain if they are not what was written."""
        tags = self.store.client.get_registered_model(self.name).tags
        return fold(self._events(), tags.get(HEAD))

    def _events(self) -> list[Event]:
        if self.run_id is None:
            return []
        with tempfile.TemporaryDirectory() as folder:
            if not self.store.client.list_artifacts(self.run_id, "events"):
                return []
            place = Path(self.store.client.download_artifacts(self.run_id, "events", folder))
            return [Event.unsealed(path.read_text()) for path in sorted(place.glob("*.json"))]

    def append(self, event: Event, state: State) -> None:
        """Add one event; `state` is the state after it."""
        if self.run_id is None:
            tags = {
                TAG: self.name,
                "mlflow.note.content": f"Events of the promotion of {self.name}, in order. `cktrack champion {self.name}` reads them.",
            }
            run = self.store.client.create_run(
                self.store.experiment(EXPERIMENT), tags=tags, run_name=f"journal of {self.name}"
            )
            self.run_id = run.info.run_id
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{event.sequence:06d}.json"
            path.write_text(event.sealed())
            self.store.client.log_artifact(self.run_id, str(path), "events")
        self.store.client.set_registered_model_tag(self.name, HEAD, str(state.head))
        self.store.client.set_terminated(self.run_id, "FINISHED")


@contextmanager
def promoter(store: Store, name: str) -> Iterator[None]:
    """Only one at a time may promote a model; a lock whose holder is dead or too old is taken over."""
    lock = name + LOCK
    mine = {"holder": f"{socket.gethostname()}:{os.getpid()}", "since": datetime.now(UTC).isoformat()}
    for _ in range(2):
        try:
            store.client.create_registered_model(
                lock, tags=mine, description="Held while a promotion is judged; removed afterwards."
            )
            break
        except MlflowException:
            _take_over(store, lock)
    else:
        raise StoreError(
            f"promotion: another promoter holds {lock}; wait for it, or delete that registered model if it is no more"
        )
    try:
        yield
    finally:
        store.client.delete_registered_model(lock)


def _take_over(store: Store, lock: str) -> None:
    tags = store.client.get_registered_model(lock).tags
    host, _, pid = tags.get("holder", "").rpartition(":")
    age = time.time() - datetime.fromisoformat(tags.get("since", "1970-01-01T00:00:00+00:00")).timestamp()
    dead = host == socket.gethostname() and pid.isdigit() and not _alive(int(pid))
    if not dead and age < STALE_SECONDS:
        raise StoreError(f"promotion: {json.dumps(tags)} is promoting {lock.removesuffix(LOCK)}; wait for it to end")
    store.client.delete_registered_model(lock)
