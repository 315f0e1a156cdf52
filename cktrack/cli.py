"""The command line. Every command validates its input, prints a sentence for what went wrong, and exits non-zero then.

Exit codes: 0 done, 1 a check did not pass, 2 wrong input or a refused precondition, 3 a promotion was refused, 130 interrupted,
143 terminated.
Heavy imports (mlflow, torch) happen inside the commands that need them, so that `--help` is quick.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cktrack import bench, check, climb, corpus, dataset, gallery, preflight, registry, tokenizer
from cktrack.console import Console
from cktrack.ending import Terminated, terminable
from cktrack.option import Json, Precision, Scale, Seed, Threads, Torch, of_run, within

app = typer.Typer(
    help="Train small transformers to speak a formal language on a CPU; prove every rung; promote through MLflow.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
rung_app = typer.Typer(help="Rungs of the training ladder.", no_args_is_help=True)
bench_app = typer.Typer(help="Benchmarks: ours and theirs in one run, in turn.", no_args_is_help=True)
app.add_typer(rung_app, name="rung")
app.add_typer(bench_app, name="bench")
app.add_typer(corpus.app, name="corpus")
app.add_typer(tokenizer.app, name="tokenizer")
app.command("preflight")(preflight.command)
app.command("dataset")(dataset.command)
app.command("ladder")(climb.command)
app.command("check")(check.command)
app.command("gallery")(gallery.command)


Rung = Annotated[str, typer.Argument(help="SPEC/RUNG, for example spec12/r17")]
console = Console(stderr=True)


@rung_app.command("list")
def rung_list() -> None:
    """Every rung of the ladder; * marks the best of its spec. Exits 2 if a spec cannot be read, after the list of the others."""
    from cktrack import ladder

    found, errors = ladder.every()
    table = Table("rung", "families", "axis", "change", box=None, pad_edge=False)
    for selected in found:
        rung = selected.rung
        label = selected.label + (" *" if rung.headline else "")
        table.add_row(label, ", ".join(selected.spec.families), rung.axis or "-", rung.change)
    Console().print(table)
    for error in errors:
        _complain(error)
    if errors:
        raise typer.Exit(2)


@rung_app.command("run")
def rung_run(
    rung: Rung,
    seed: Seed = -1,
    budget_scale: Scale = 1.0,
    threads: Threads = 0,
    precision: Precision = "rung",
    guard: Annotated[
        bool,
        typer.Option("--guard", help="check every kernel call for writes outside its tensors: slower, the same bits"),
    ] = False,
    across: Annotated[
        bool,
        typer.Option(
            "--across", help="go on from what was interrupted on another instruction set or in another precision"
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="train even if an equal run is there")] = False,
    torch: Torch = True,
    promote: Annotated[
        bool, typer.Option("--promote", help="ask for promotion, once for equal runs (exit 3 if refused)")
    ] = False,
    json_: Json = False,
) -> None:
    """Train a rung, probe it, log it as one MLflow run and register its checkpoint."""
    from cktrack import ladder, show
    from cktrack.promote import champion_version, last_event
    from cktrack.rung import run_rung
    from cktrack.store import open_store

    ladder.select(rung)  # a rung that cannot be run opens no store
    options = of_run(
        threads, seed=seed, scale=budget_scale, torch=torch, precision=precision, across=across, guard=guard
    )
    store = open_store()
    result = run_rung(store, rung, options, console, force)
    numbers = store.client.get_run(result.run_id).data.metrics
    if json_:
        show.document(
            {
                "run_id": result.run_id,
                "model": result.model,
                "version": result.version,
                "folder": result.folder,
                "reused": result.reused,
                "metrics": numbers,
                "autopsy": result.autopsy(),
            }
        )
    else:
        show.scores(numbers, f"{result.model} version {result.version}" + (" (reused)" if result.reused else ""))
        show.advice(numbers, result.autopsy())
    if not promote:
        console.print(
            f"`cktrack promote {result.model} {result.version}` asks for promotion; `cktrack ui` shows everything",
            highlight=False,
        )
    elif champion_version(store, result.model) == result.version:
        console.print(f"{result.model} version {result.version} holds the champion alias already", highlight=False)
    elif result.reused and (before := last_event(store, result.model, result.version)):
        console.print(
            f"judged before, and not again: {before.sentence}; `cktrack promote {result.model} {result.version}` asks again",
            highlight=False,
            soft_wrap=True,
        )
        if before.kind == "refused":
            raise typer.Exit(3)
    else:
        registry.settle(store, result.model, result.version, "", False, json_)


@app.command()
def parity(
    rung: Annotated[str, typer.Argument(help="SPEC/RUNG whose model shape is checked")] = "spec12/r17",
    vocab: Annotated[
        int,
        typer.Option(
            help="vocabulary size; 0 takes the tokenizer budget of the spec",
            callback=within(0, 2**24, "0 for the spec's own, or at most 2^24 tokens"),
        ),
    ] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="measure again even if a report is cached")] = False,
    threads: Threads = 0,
    precision: Annotated[
        str,
        typer.Option(
            help="operands of matrix products: fp32, or bf16 (needs AMX); a run proves the one that it trains in by itself"
        ),
    ] = "fp32",
    json_: Json = False,
) -> None:
    """Compare every gradient and ten optimizer steps with float64 references at a rung's own shape. Exits 1 if parity fails."""
    from functools import partial

    from cengine import loader
    from cengine import parity as gate
    from cktrack import home, show
    from experiments.run import model_of

    loader.kernels(precision)
    config = model_of(rung, vocab or None)
    measure = partial(gate.run, threads=threads or None)
    cache = home.cache() / "parity"
    report = (
        measure(config, precision=precision)
        if fresh
        else gate.cached(config, cache, measure=measure, precision=precision)
    )
    if json_:
        show.document(report)
    else:
        show.parity(report, f"parity of {rung}'s shape" + (" (cached)" if report["cached"] else ""))
    if not report["passed"]:
        raise typer.Exit(1)


@app.command()
def bits(
    rung: Annotated[str, typer.Argument(help="SPEC/RUNG whose model and rows are trained")] = "spec12/r17",
    steps: Annotated[
        int, typer.Option(help="optimizer steps of a training", callback=within(2, 10**6, "2 or more"))
    ] = 24,
    kills: Annotated[
        int, typer.Option(help="how often a training is killed in all", callback=within(0, 10**6, "0 or more"))
    ] = 8,
    seed: Annotated[
        int, typer.Option(help="seed of the moments of killing", callback=within(0, 2**64 - 1, "0 to 2^64 - 1"))
    ] = 1,
    precision: Annotated[str, typer.Option(help="operands of matrix products: fp32, or bf16 (needs AMX)")] = "fp32",
    json_: Json = False,
) -> None:
    """Prove that threads, cuts of a batch, repetition and kill -9 change no bit: sha256 of every way. Exits 1 if one differs."""
    from cengine import loader
    from cktrack import bits as proof
    from cktrack import show

    loader.kernels(precision)
    told = proof.prove(
        proof.task_of(rung, steps),
        proof.ways(precision),
        kills,
        seed,
        lambda line: console.print(line, highlight=False),
    )
    if json_:
        show.document(told)
    else:
        show.bits(told)
    if not told["equal"]:
        raise typer.Exit(1)


app.command("promote")(registry.promote)
app.command("rollback")(registry.rollback)
app.command("champion")(registry.champion)
app.command("repair")(registry.repair)


@app.command()
def plan(
    rung: Rung,
    rows: Annotated[
        int,
        typer.Option(
            help="windows of one batch; 0 takes the rung's",
            callback=within(0, 2**16, "0 for the rung's own, or 1 to 65536 windows"),
        ),
    ] = 0,
    precision: Annotated[str, typer.Option(help="operands of matrix products: fp32 or bf16")] = "fp32",
    threads: Threads = 0,
    svg: Annotated[str, typer.Option(help="draw the arena into this file")] = "",
    json_: Json = False,
) -> None:
    """The memory plan of a rung's training step: where every tensor lies and when, as a table, as JSON, and drawn. Nothing is allocated.

    More threads take more rows of a batch at once, and more memory.
    """
    from cengine import loader
    from cengine.inventory import plan_of
    from cengine.train import part_of
    from cktrack import arena, show
    from experiments import ladder
    from experiments.run import model_of

    if precision not in loader.PRECISIONS:
        raise ValueError(f"precision: got {precision!r}; expected one of {list(loader.PRECISIONS)}")
    count = rows or ladder.select(rung).rung.rows
    config = model_of(rung)
    part = part_of(count, config.ctx, loader.thread_count(threads or None))
    made = plan_of(config, count, config.ctx, precision, part)
    if svg:
        place = Path(svg).absolute()
        if not place.parent.is_dir():
            raise ValueError(f"--svg: got {svg!r}; expected a file in a folder that exists")
        place.write_text(arena.svg(made, f"Memory of a training step: {rung}"))
    if json_:
        show.document(made)
    else:
        show.plan(made, rung)


@app.command()
def export(
    what: Annotated[str, typer.Argument(help="checkpoint folder, run folder, run id, NAME/VERSION or NAME@ALIAS")],
    format_: Annotated[
        str, typer.Option("--format", help="c: one standalone C file; hf: for transformers; gguf: for llama.cpp")
    ] = "c",
    product: Annotated[str, typer.Option("--what", help="of format c: decode (the default) or step")] = "",
    rows: Annotated[int, typer.Option(help="rows of a step's batch; 0 is one row")] = 0,
    out: Annotated[str, typer.Option(help="new folder; by default it is named after what is exported")] = "",
    json_: Json = False,
) -> None:
    """Write a model as C that needs nothing but a C compiler, with its weights; as the folder that transformers loads; or for llama.cpp."""
    from cktrack import show
    from cktrack.export import export as write

    place, files = write(what, format_, product, rows, out)
    if json_:
        show.document({"folder": str(place), "files": files})
    else:
        listed = ", ".join(f"{name} ({size} bytes)" for name, size in files.items())
        console.print(f"{place}: {listed}", highlight=False, soft_wrap=True)


@app.command("ask")
def ask_contract(
    what: Annotated[str, typer.Argument(help="checkpoint folder, run folder, run id, NAME/VERSION or NAME@ALIAS")],
    rung: Rung,
    precision: Annotated[
        str, typer.Option(help="of the weights: fp32, int8, or both with a comma: compared with the first")
    ] = "fp32,int8",
    threads: Threads = 0,
    json_: Json = False,
) -> None:
    """Ask a checkpoint a rung's contract with weights in several precisions, and measure what that changes. Logs nothing."""
    from cengine import checkpoint
    from cktrack import ask, export, show
    from experiments import ladder, material

    names, selected = ask.precisions(precision), ladder.select(rung)
    with export.found(what) as (label, folder):
        result = ask.compare(checkpoint.load(folder), material.draw(selected).contract, names, threads or None)
    if json_:
        show.document({"what": label, "rung": rung, **result})
    else:
        show.asked(result, f"{label} asked the contract of {rung}, {result['cases']} cases")


@app.command()
def deliver() -> None:
    """Send what was kept while the tracking server was away. Exits 1 if something is still kept."""
    from cktrack.recorder import deliver as send_all
    from cktrack.store import open_store

    left = send_all(open_store())
    for run_id, count in left.items():
        console.print(f"run {run_id}: {'delivered' if not count else f'{count} events still kept'}", highlight=False)
    if any(left.values()):
        raise typer.Exit(1)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="port on this machine", callback=within(1, 65535, "1 to 65535"))] = 5000,
) -> None:
    """Open MLflow's UI on the store (Ctrl-C ends it)."""
    import os

    from cktrack.store import open_store

    if not 1 <= port <= 65535:
        raise ValueError(f"port: got {port}; expected 1 to 65535, for example --port 5000")
    store = open_store()
    if not store.local:
        console.print(f"the store is a server: open {store.uri}", highlight=False)
        return
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    serve = [
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        store.uri,
        "--workers",
        "1",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    console.print(f"MLflow UI: http://127.0.0.1:{port} (ready in about ten seconds; Ctrl-C ends it)", highlight=False)
    os.execv(sys.executable, [sys.executable, *serve])


bench.add_commands(bench_app, Threads, Json)


def main() -> None:
    """Run the command line; an error that one of our packages raised with a sentence becomes that sentence and exit code 2."""
    try:
        with terminable():
            app()
    except Terminated:
        console.print("cktrack: terminated; a run that was open is marked KILLED", highlight=False, soft_wrap=True)
        sys.exit(143)
    except (ValueError, RuntimeError, ArithmeticError, MemoryError, OSError, ImportError) as error:
        if not _ours(error):
            raise
        _complain(error)
        sys.exit(2)


def _complain(error: BaseException) -> None:
    console.print(f"[red]cktrack:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)


def _ours(error: BaseException) -> bool:
    """Whether a line of our packages raised it: those carry a sentence. Anything else is a bug and keeps its traceback."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    packages = Path(__file__).resolve().parent.parent
    places = [packages / name for name in ("cengine", "experiments", "promotion", "cktrack")]
    return last is not None and any(
        place in Path(last.tb_frame.f_code.co_filename).resolve().parents for place in places
    )
