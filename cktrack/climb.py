"""`cktrack ladder`: several rungs in one go, each as its own MLflow run below one that groups them.

What was done before is found by the hash of all that decides it and not done again; what was interrupted goes on. A rung that fails
leaves the others alone. What one rung is and does, `cktrack/rung.py` knows; who does them, several at a time, `cktrack/crew.py`; how the results
are told, `cktrack/standing.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from cktrack.console import Console
from cktrack.option import Json, Precision, Scale, Seed, Threads, Torch, of_run
from cktrack.show import document

if TYPE_CHECKING:
    from cktrack.recorder import Shared
    from cktrack.rung import Result
    from cktrack.store import Store
    from experiments.prepared import Prepared
    from experiments.run import Options
    from experiments.spec import Selected

EXPERIMENT, SELECTION = "ladder", "cktrack.ladder"
ALL = "all"


class RungsFailed(RuntimeError):
    """Some rungs of a selection failed; the records say which."""


@dataclass(frozen=True)
class Step:
    """A rung of the selection and where it stands: new, changed, interrupted, done (with the run that did it), or broken."""

    selected: Selected
    state: str
    why: str
    done: Result | None = None
    prepared: Prepared | None = None  # with the rows that it was judged by


def command(
    patterns: Annotated[
        list[str] | None, typer.Argument(help="SPEC/RUNG with wildcards ('spec1*/r*'), SPEC for all its rungs, or all")
    ] = None,
    headline: Annotated[bool, typer.Option("--headline", help="only the best rung of each spec")] = False,
    dry: Annotated[bool, typer.Option("--dry", help="show what would run and why, and run nothing")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="end at the first rung that fails")] = False,
    seed: Seed = -1,
    budget_scale: Scale = 1.0,
    threads: Threads = 0,
    jobs: Annotated[
        int,
        typer.Option(
            help="rungs at a time, each on its share of the threads; 0 takes two, where there are two threads", min=0
        ),
    ] = 0,
    precision: Precision = "rung",
    torch: Torch = True,
    json_: Json = False,
) -> None:
    """Run rungs in the order of the ladder, skip what is done, and print what was published beside ours. Exits 1 if a rung fails."""
    from cktrack import standing

    chosen, errors = choose(patterns or [], headline)
    options = of_run(threads, seed=seed, scale=budget_scale, torch=torch, precision=precision)
    console = Console(stderr=True)
    store = _store(dry)
    if dry or store is None:
        report: dict[str, Any] = {"rungs": []}
        for number, step in enumerate(look(store, chosen, options)):  # each draws its rows, which takes seconds
            _say(console, number, len(chosen), step)
            report["rungs"].append({"rung": step.selected.label, "state": step.state, "why": step.why})
        failed = any(r["state"] == "broken" for r in report["rungs"])
    else:
        title = " ".join(["ladder", *(["--headline"] if headline else []), *(patterns or [])])
        report = climb(store, chosen, options, console, title, stop, jobs)
        failed = any(r["status"] == "failed" for r in report["rungs"])
    if json_:
        document({**report, "unreadable": list(map(str, errors))})
    else:
        standing.show(report)
    for error in errors:
        console.print(f"[red]cktrack:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
    if failed or errors:
        raise typer.Exit(1 if failed else 2)


def choose(patterns: Sequence[str], headline: bool) -> tuple[list[Selected], list[Any]]:
    """The rungs of a selection in the ladder's order, and an error for each spec that cannot be read. Raises LadderError for a pattern that
    nothing matches."""
    from cktrack import ladder
    from experiments import ladder as records
    from experiments.ladder import LadderError
    from experiments.violation import nearest

    found, errors = ladder.every()
    if not patterns and not headline:
        raise LadderError("ladder: got no rung; expected --headline, all, or names such as spec12/r17 or 'spec1*/r*'")
    if headline:
        found = [s for s in found if s.rung.headline]
    labels = [s.label for s in found]
    matched: set[str] = set()
    for pattern in patterns:
        whole = "*" if pattern == ALL else pattern if "/" in pattern else f"{pattern}/*"
        fitting = {label for label in labels if fnmatchcase(label, whole)}
        if not fitting:
            if (spec := whole.partition("/")[0]) in records.names():
                records.load(spec)  # raises what is wrong with it, where it cannot be read
            raise LadderError(
                f"ladder: got {pattern!r}, which no rung of {', '.join(labels)} matches{nearest(pattern, labels)}"
            )
        matched |= fitting
    return [s for s in found if s.label in matched or not patterns], errors


def _store(dry: bool) -> Store | None:
    """The open store; None if nothing shall be made and there is none."""
    from cktrack import home
    from cktrack.store import open_store, uri

    return None if dry and uri().startswith("sqlite:") and not home.database().is_file() else open_store()


# ------------------------------------------------------------------------------------------------- what is to be done


def look(store: Store | None, chosen: Sequence[Selected], options: Options) -> Iterator[Step]:
    """Where each rung stands, judged by the hash of all that decides its result."""
    for selected in chosen:
        try:
            yield _standing(store, selected, options)
        except ValueError as error:
            yield Step(selected, "broken", str(error))


def _standing(store: Store | None, selected: Selected, options: Options) -> Step:
    from cktrack.rung import find_equal
    from experiments.prepared import Prepared
    from experiments.run import identity, in_force

    prepared = Prepared(in_force(selected, options))
    rows = prepared.corpus_sha256
    name = identity(selected, options, rows)
    if store is not None and (done := find_equal(store, selected, name)):
        return Step(selected, "done", f"run {done.run_id} has the same rows, settings, seed and engine", done)
    if options.unfinished and any((options.unfinished / name).glob("step-*")):
        return Step(selected, "interrupted", "training goes on where it was interrupted", prepared=prepared)
    earlier = _earlier(store, selected) if store is not None else None
    if earlier is None:
        return Step(selected, "new", "no finished run of it", prepared=prepared)
    changed = [what for what, now in _facts(selected, options, rows).items() if earlier.get(what) != now]
    told = ", ".join(changed) or "settings, sources or libraries"
    return Step(selected, "changed", f"differs from the last finished run in {told}", prepared=prepared)


def _facts(selected: Selected, options: Options, rows: str) -> dict[str, str]:
    """Parameters of a run that its identity covers, as it would log them now."""
    from cengine import loader
    from experiments.run import in_force

    rung = in_force(selected, options).rung
    return {
        "sha256.corpus": rows,
        "sha256.engine": loader.fingerprint(),
        "engine.instruction_set": loader.current(),
        "engine.precision": rung.precision,
        "seed.init_and_order": str(rung.seed),
        "budget.scale": str(options.scale),
    }


def _earlier(store: Store, selected: Selected) -> dict[str, str] | None:
    """The parameters of the last finished run of a rung."""
    experiment = store.client.get_experiment_by_name(selected.spec.name)
    if experiment is None:
        return None
    query = f"attributes.status = 'FINISHED' AND tags.`cktrack.rung` = '{selected.label}'"
    found = store.client.search_runs(
        [experiment.experiment_id], query, max_results=1, order_by=["attributes.start_time DESC"]
    )
    return dict(found[0].data.params) if found else None


def _say(console: Console, number: int, count: int, step: Step) -> None:
    told = f"rung {number + 1} of {count}: {step.selected.label}, {step.state}: {step.why}"
    console.print(escape(told), highlight=False, soft_wrap=True)


# ------------------------------------------------------------------------------------------------- doing it


def climb(
    store: Store, chosen: Sequence[Selected], options: Options, console: Console, title: str, stop: bool, jobs: int = 0
) -> dict[str, Any]:
    """Run what is not done below one run that tells how it stands after each; begun in order, `jobs` at a time. Returns the report.

    A rung is looked at when its turn comes, with the rows that it then trains on. Where all is done already no run is opened. With `stop`,
    no rung is begun once one has failed; those are recorded as skipped.
    """
    from cktrack import standing
    from cktrack.crew import Crew
    from cktrack.recorder import MlflowRecorder
    from cktrack.store import run

    started = time.monotonic()
    before: dict[int, Step] = {}  # by their place in the selection
    for number, step in enumerate(look(store, chosen, options)):
        before[number] = step
        if step.state != "done":
            break
    else:
        records = [standing.record(store, s.selected, "reused", s.why, s.done) for s in before.values()]
        return standing.report(records, "", time.monotonic() - started)
    done: dict[int, dict[str, Any]] = {}
    crew = Crew(options, jobs, len(chosen))

    def take(number: int) -> dict[str, Any]:
        mine = crew.options()
        step = before.pop(number, None) or next(look(store, [chosen[number]], mine))
        shared.go_on()
        _say(console, number, len(chosen), step)
        halted = stop and any(r["status"] == "failed" for r in done.values())
        return _take(store, step, mine, console, parent, shared, halted)

    def report() -> dict[str, Any]:
        return standing.report([done[number] for number in sorted(done)], parent, time.monotonic() - started)

    parent = ""
    try:
        with run(store, EXPERIMENT, title, {SELECTION: title}) as parent, _display(console, len(chosen)) as shared:
            recorder = MlflowRecorder(store, parent, console)
            try:
                for number, record in crew.each(take, shared.halt):
                    done[number] = record
                    _tell(recorder, report(), record, len(done))
                    _advance(shared)
            finally:
                recorder.close()
            if any(r["status"] == "failed" for r in done.values()):
                raise RungsFailed  # the run that groups them says FAILED
    except RungsFailed:
        pass
    return report()


def _take(
    store: Store, step: Step, options: Options, console: Console, parent: str, shared: Shared, halted: bool
) -> dict[str, Any]:
    """One rung: reused, run, failed or skipped, as a record."""
    from cktrack import standing
    from cktrack.rung import run_rung

    selected = step.selected
    if halted:
        return standing.record(store, selected, "skipped", "a rung before it failed", None)
    if step.state == "broken":
        return standing.record(store, selected, "failed", step.why, None)
    if step.done:
        return standing.record(store, selected, "reused", step.why, step.done)
    try:
        result = run_rung(store, selected.label, options, console, parent=parent, shared=shared, prepared=step.prepared)
    except Exception as error:  # noqa: BLE001  whatever it is, it leaves the others alone, is told, and decides the exit code
        console.print(f"[red]{selected.label}:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        if not isinstance(error, ValueError | RuntimeError | ArithmeticError | MemoryError | OSError):
            console.print_exception()
        return standing.record(store, selected, "failed", f"{type(error).__name__}: {error}", None)
    return standing.record(store, selected, "reused" if result.reused else "run", step.why, result)


def _tell(recorder: Any, report: dict[str, Any], record: dict[str, Any], number: int) -> None:
    """The group's run as it stands behind one more rung: note, report, and a metric for each rung."""
    from cktrack import home, standing

    recorder.tags({"mlflow.note.content": standing.note(report)})
    exact = {f"exact/{record['rung']}": record["unseen"]["value"]} if record["unseen"] else {}
    counts = {status: float(n) for status, n in report["counts"].items()}
    recorder.metrics({**exact, **counts, "seconds": report["seconds"]}, number)
    recorder.flush()
    path: Path = home.runs() / report["run_id"] / "ladder.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    recorder.artifact(path, "")


@contextmanager
def _display(console: Console, total: int) -> Iterator[Shared]:
    """One display of all rungs, on a terminal."""
    from cktrack.recorder import Shared, display

    bars = display(console) if console.is_terminal else None
    with bars or nullcontext():
        if bars:
            bars.add_task("ladder", total=total, text="rungs")
        yield Shared(bars)


def _advance(shared: Shared) -> None:
    if shared.bars:
        shared.bars.advance(shared.bars.task_ids[0])
