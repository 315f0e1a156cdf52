"""What lies in the arena of a training step, and when: every slot and every group of the plan, as plain data (a run's `plan.json`).

Sizes are bytes, places are bytes from the arena's beginning, moments are numbers of groups in the order in which the plan counts them.
This file places nothing and draws nothing; a graph is enough for it, no arena is made.
"""

from __future__ import annotations

from typing import Any

from cengine.model import Config
from cengine.plan import Plan, Slot, place, schedule
from cengine.train import Window, window_of

ROLES = {  # kind of a tensor -> what it is to a reader
    "param": "weights", "grad": "weight gradients", "moment": "moments", "prepared": "packed weights",
    "input": "inputs, tables, losses", "const": "inputs, tables, losses", "control": "inputs, tables, losses", "state": "inputs, tables, losses",
    "scratch": "scratch",
}  # fmt: skip
ACTIVATIONS = ("activations", "activation gradients")


def plan_of(config: Config, rows: int, time: int, precision: str = "fp32", part: int | None = None) -> dict[str, Any]:
    """The inventory of a training step over batches [rows, time] in parts of `part` rows (all, if none is given), without its memory."""
    part = part or rows
    window = window_of(config, part, time, precision, rows)
    facts = {**config.as_dict(), "parameters": config.parameter_count(), "rows": rows, "time": time, "part": part}
    return {"model": {**facts, "precision": precision}, **inventory(window, place(window.graph, window.calls))}


def inventory(window: Window, plan: Plan) -> dict[str, Any]:
    """`bytes` by kind, `alive` (of shared memory, group by group), `needed` (its most), `spans` of groups, `groups`, and `slots`."""
    groups = schedule(window.calls)
    slots = sorted(plan.slots.values(), key=lambda s: s.offset)
    alive = [0] * len(groups)
    for slot in slots:
        if slot.first is not None and slot.last is not None:
            for at in range(slot.first, slot.last + 1):
                alive[at] += 4 * slot.words
    return {
        "bytes": plan.summary(),
        "needed": max(alive, default=0),
        "spans": spans(window),
        "groups": [list(dict.fromkeys(f"{step.call.name} {step.call.kind}" for step in group)) for group in groups],
        "alive": alive,
        "slots": [_slot(slot) for slot in slots],
    }


def spans(window: Window) -> dict[str, list[int]]:
    """First and last group of packing weights, forward, backward and optimizer; a group belongs where its first call does."""
    parts = {"pack": window.prepare, "forward": window.forward, "backward": window.main}
    part_of = {id(call): name for name, calls in reversed(parts.items()) for call in calls}
    found: dict[str, list[int]] = {}
    for at, group in enumerate(schedule(window.calls)):
        name = part_of.get(id(group[0].call), "optimizer")
        found[name] = [found.get(name, [at])[0], at]
    return found


def _slot(slot: Slot) -> dict[str, Any]:
    """One tensor's place; first and last are null where it is kept for the whole training."""
    tensor = slot.tensor
    return {
        "name": tensor.name,
        "role": ROLES.get(tensor.kind) or ACTIVATIONS[tensor.name.startswith("d_")],
        "shape": list(tensor.shape),
        "offset": 4 * slot.offset,
        "bytes": 4 * slot.words,
        "first": slot.first,
        "last": slot.last,
    }
