"""A benchmark's result as an MLflow run: what was measured and where as parameters, figures as metrics, the whole as `bench.json`."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from mlflow.entities import Metric

from cktrack import store
from cktrack.machine import FACTS
from cktrack.store import Store

EXPERIMENT = "bench"


def publish_bench(target: Store, result: Mapping[str, Any]) -> str:
    """Log a result as a run of its own in the experiment `bench`; returns the run's id."""
    with store.run(target, EXPERIMENT, f"bench {result['benchmark']}", {"machine.cpu": result["cpu"]}) as run_id:
        store.set_params(target, run_id, params(result))
        now = int(time.time() * 1000)
        points = [Metric(name, value, now, 0) for name, value in metrics(result).items()]
        for at in range(0, len(points), 800):
            target.client.log_batch(run_id, metrics=points[at : at + 800])
        target.client.log_dict(run_id, dict(result), "bench.json")
        store.set_tags(target, run_id, {store.COMPLETE: "true"})
    return run_id


def params(result: Mapping[str, Any]) -> dict[str, Any]:
    """The shape, the machine and the versions, flat: `model.layers`, `machine.cpu`, `version.torch`."""
    found = {"benchmark": result["benchmark"], "rounds": result["rounds"]}
    found |= {f"model.{key}": value for key, value in result.get("shape", {}).items()}
    found |= {f"machine.{key}": _words(result[key]) for key in FACTS if key != "versions"}
    return found | {f"version.{key}": value for key, value in result["versions"].items()}


def metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """Every figure that was measured: CASE/CONTESTANT/FIGURE. What was not measured has no metric."""
    found = {}
    for contest in result["contests"]:
        case = _slug("_".join(f"{key}_{value}" for key, value in contest["case"].items()))
        for line in contest["contestants"]:
            for key, value in line.items():
                if isinstance(value, int | float):
                    found[f"{case}/{_slug(line['name'])}/{key}"] = float(value)
    for precision, peak in result.get("peaks", {}).items():
        if peak["gflop_per_second"]:
            found[f"peak/{precision}/gflop_per_second"] = peak["gflop_per_second"]
    for each in result.get("predicted", []):
        found[f"predicted/threads_{each['threads']}/speedup"] = each["speedup"]
    return found


def _slug(text: str) -> str:
    """Only what a metric's name may hold."""
    return re.sub(r"[^\w.\-]+", "_", text)


def _words(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list) else value
