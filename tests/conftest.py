"""Shared pytest options and fixtures. `--bless` rewrites golden files, and the git diff is the review."""

from __future__ import annotations

import os

import pytest

TRACKING = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="rewrite golden files instead of comparing with them")


def pytest_configure() -> None:
    """Workers share the CPUs instead of starving each other; tests of threads ask for their own number."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        os.environ.setdefault("CKTRACK_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))


@pytest.fixture
def bless(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--bless"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A cktrack home of its own: no tracking server, no adopted run, nothing shared with the project's own store."""
    for name in TRACKING:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CKTRACK_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """An initialised, empty MLflow database: making one takes seconds, copying one does not."""
    place = tmp_path_factory.mktemp("template")
    kept = {n: os.environ.pop(n, None) for n in (*TRACKING, "CKTRACK_HOME")}
    os.environ["CKTRACK_HOME"] = str(place)
    try:
        from cktrack.store import open_store

        open_store()
    finally:
        os.environ.pop("CKTRACK_HOME")
        os.environ.update({n: v for n, v in kept.items() if v is not None})
    return place / "mlflow.db"
