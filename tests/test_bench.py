"""Benchmarks say what was measured and nothing else: turns, ratios from planted seconds, null with a reason, structure. No test asserts a speed."""

from __future__ import annotations

import json
import shutil
import sys
from inspect import getdoc

import numpy as np
import pytest

from cengine import loader, oracle
from cengine.decode import Decoder
from cengine.engine import Pool
from cengine.model import initial
from cengine.plan import schedule
from cengine.train import Trainer
from cktrack import bench, cli, contest, footprint, machine, product, show, table
from cktrack.bench import Shape, gemm, scaling, train
from cktrack.contest import Absent, Contestant
from cktrack.publish_bench import publish_bench
from cktrack.store import open_store

TINY = Shape(layers=1, d_model=16, d_ff=32, heads=2, kv_heads=1, head_dim=8, ctx=16, vocab=32)
MODEL = [f"--{name.replace('_', '-')}={value}" for name, value in vars(TINY).items()] + ["--threads=1"]
OWN = {
    "compile": ["--styles=2", "--family=stat_cards", "--family=atoms"],
    "train": ["--batch=1,2", "--against=eager", "--no-memory"],
    "gemm": ["--batch=1"],
    "decode": ["--prompts=1,3", "--new=2", "--prefill=4"],
    "scaling": ["--batch=1"],
}
needs_torch = pytest.mark.skipif(oracle.available() is not None, reason=str(oracle.available()))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Small peaks and short repeats."""
    monkeypatch.setattr(machine, "SIZES", (32,))
    monkeypatch.setattr(machine, "TRIES", 1)
    monkeypatch.setattr(gemm, "FLOP", 1.0)


@pytest.fixture
def call(home, monkeypatch, capsys):
    """Runs `cktrack ARGUMENTS` in this process; returns (exit code, standard output, what it said besides)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cktrack", *arguments])
        monkeypatch.setenv("COLUMNS", "300")
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, " ".join(said.err.split())

    return run


class Planted:
    """Contestants whose units take given seconds of a clock that nothing else moves."""

    def __init__(self) -> None:
        self.now, self.order = 0.0, ""

    def clock(self) -> float:
        return self.now

    def contestant(self, name: str, *seconds: float | Exception) -> Contestant:
        left = iter(seconds)

        def unit() -> None:
            self.order += name
            taken = next(left)
            if isinstance(taken, Exception):
                raise taken
            self.now += taken

        return Contestant(name, lambda: unit)

    def run(self, *field: Contestant, rounds: int = 3, warmup: int = 0) -> list[contest.Outcome]:
        return contest.contest(field, rounds, warmup, self.clock, rest=0.0)


# ---------------------------------------------------------------------------------------------------- contests


def test_a_ratio_is_the_median_of_the_ratios_within_rounds():
    """The ratio of the medians would be 1."""
    p = Planted()
    ours, theirs = p.run(p.contestant("a", 1, 10, 2), p.contestant("b", 2, 40, 2))
    assert (ours.seconds, theirs.seconds) == ([1, 10, 2], [2, 40, 2])
    assert contest.ratio(theirs, ours) == 2 and contest.ratio(ours, theirs) == 0.5 and contest.ratio(ours, ours) == 1


def test_everyone_runs_once_a_round_in_rotating_order_and_the_warm_up_does_not_count():
    p = Planted()
    outcomes = p.run(*(p.contestant(n, 9, 1, 2, 3, 4) for n in "abc"), rounds=4, warmup=1)
    assert p.order == "abc" + "abc" + "bca" + "cab" + "abc"
    assert all(o.seconds == [1, 2, 3, 4] for o in outcomes)


def test_figures_are_computed_from_the_seconds():
    p = Planted()
    ours, theirs = p.run(p.contestant("a", 1, 2, 3, 4, 5), p.contestant("b", 2, 4, 6, 8, 10), rounds=5)
    said = contest.report({"batch": 4}, "tokens/s", [ours, theirs], 60.0)
    assert said["case"] == {"batch": 4} and said["unit"] == "tokens/s"
    first, second = said["contestants"]
    assert (first["median"], first["best"], first["ratio"], first["spread"]) == (20, 60, 1, pytest.approx(2 / 3))
    assert (second["median"], second["best"], second["ratio"], second["why"]) == (10, 30, 2, None)
    once = contest.Outcome("a", "fp32", [2.0])
    assert contest.figures(once, once, 1)["spread"] is None, "one round has no spread"


def test_who_cannot_run_has_a_reason_and_no_number():
    def absent():
        raise Absent("it is not installed")

    p = Planted()
    outcomes = p.run(
        p.contestant("a", 1, 1, 1),
        Contestant("b", absent),
        p.contestant("c", 1, RuntimeError("\nno compiler\nat line 3"), 1),
        p.contestant("d", 2, 2, 2),
    )
    lines = contest.report({}, "x", outcomes, 1.0)["contestants"]
    assert [line["why"] for line in lines] == [None, "it is not installed", "RuntimeError: no compiler", None]
    for line in lines[1:3]:
        assert line["median"] is line["best"] is line["spread"] is line["ratio"] is None and line["seconds"] == []
    assert lines[3]["ratio"] == 2, "the others go on"


def test_an_error_of_ours_is_no_absence():
    p = Planted()
    with pytest.raises(RuntimeError, match="broken"):
        p.run(p.contestant("a", RuntimeError("broken")), p.contestant("b", 1))


def test_a_busy_machine_is_told():
    p = Planted()
    quiet, busy = (p.run(p.contestant("a", *s), rounds=5) for s in ((1, 1, 1, 1, 1), (1, 2, 3, 4, 5)))
    assert table.busy({"contests": [contest.report({}, "x", quiet, 1.0)]}) == ""
    assert "spreads of up to 67%" in table.busy({"contests": [contest.report({}, "x", busy, 1.0)]})


# ---------------------------------------------------------------------------------------------------- every bench


def test_every_bench_is_found_and_has_options_here():
    assert set(bench.found()) == set(OWN) and all(getdoc(measure) for measure in bench.found().values())


@pytest.mark.parametrize("name", sorted(OWN))
def test_a_bench_prints_one_document_writes_it_and_makes_tables(call, home, name):
    out = home / "x.json"
    model = MODEL if "shape" in bench.found()[name].__annotations__ else []
    code, printed, _ = call("bench", name, "--rounds=1", *model, *OWN[name], "--json", "--out", str(out))
    result = json.loads(printed)
    assert code == 0 and json.loads(out.read_text()) == result and result["benchmark"] == name
    assert set(machine.FACTS) <= set(result) and result["cpu"] == machine.cpu() and result["threads"] == 1
    assert result["instruction_set"] == loader.current()
    assert {"python", "numpy", "torch", "engine"} <= set(result["versions"])
    for each in result["contests"]:
        assert set(each["case"]) == set(result["contests"][0]["case"])
        for line in each["contestants"]:
            assert (line["median"] is None) == bool(line["why"]) == (line["seconds"] == []), line
        assert each["contestants"][0]["median"] > 0
    text = table.markdown(result)
    assert result["cpu"] in text and all(line.count("|") > 3 for line in text.splitlines() if line.startswith("|"))
    show.bench(result)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train --batch 4,x", "bench: batch='4,x'; expected whole numbers with commas"),
        ("train --batch 4,0", "bench: batch=0; expected at least 1 row of ctx tokens"),
        ("train --against jax", "--against got 'jax'; expected torch, none, or some of eager,compile,bf16"),
        ("train --rounds 0", "pairs=0; expected at least 1"),
        ("train --d-model 0 --against none", "model: d_model is 0; expected 1"),
        ("train --out nowhere/x.json", "--out: got 'nowhere/x.json'; expected a file in a folder that exists"),
        ("gemm --batch 0", "bench: batch=0; expected at least 1"),
        ("decode --prompts 1,-2", "bench: prompts=-2; expected at least 1 prompt"),
        ("decode --new 0", "bench: new=0; expected at least 1 token"),
        ("decode --prefill 512", "prefill=512; expected less than ctx=512"),
        ("compile --styles 0", "bench: styles=0; expected at least 1 style"),
        ("compile --family timelime", "family: got 'timelime'; expected some of architecture_map"),
        ("scaling --batch 0", "bench: batch=0; expected at least 1"),
        ("scaling --threads 300", "threads: got 300; expected 1 to 256"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_measured(call, home, monkeypatch, command, said):
    monkeypatch.setattr(contest, "contest", lambda *a, **k: pytest.fail("measured"))
    monkeypatch.setattr(machine, "peaks", lambda *a, **k: pytest.fail("measured"))
    code, _, told = call("bench", *command.split())
    assert code == 2 and said in told and "Traceback" not in told, told
    assert not list(home.iterdir())


# ---------------------------------------------------------------------------------------------------- train


def test_without_torch_every_opponent_is_null_with_the_reason(monkeypatch):
    monkeypatch.setattr(oracle, "available", lambda: "torch is not installed")
    result = train.measure(TINY, 1, 1, "torch", "1", memory=False)
    ours, _, *theirs = result["contests"][0]["contestants"]
    assert ours["median"] > 0 and len(theirs) == len(train.TORCH)
    assert {(line["median"], line["mfu"], line["why"]) for line in theirs} == {(None, None, "torch is not installed")}
    assert result["theirs"] == {"name": "torch", "tokens_per_second": None, "why": "torch is not installed"}
    assert result["ratio"] is None and result["peaks"]["bf16"]["gflop_per_second"] is None
    assert result["peaks"]["bf16"]["why"] == "torch is not installed"


def test_a_processor_without_bfloat16_does_not_imitate_it(monkeypatch):
    monkeypatch.setattr(machine, "flags", lambda: ["avx2", "fma"])
    monkeypatch.setattr(oracle, "available", lambda: None)
    with pytest.raises(Absent, match="no bfloat16 products"):
        train.theirs(TINY, 1, 1, "bf16", False)


def test_without_amx_our_bf16_is_null_with_the_reason(monkeypatch):
    monkeypatch.setattr(loader, "why_not", lambda precision: None if precision == "fp32" else "bf16 needs AMX")
    lines = train.measure(TINY, 1, 1, "none", "1", memory=False)["contests"][0]["contestants"]
    assert [(line["name"], line["median"] is None, line["why"]) for line in lines] == [
        ("cktrack", False, None),
        ("cktrack bf16", True, "bf16 needs AMX"),
    ]


def test_useful_work_is_divided_by_the_measured_peak(monkeypatch):
    peak = {"gflop_per_second": 50.0, "by": "planted", "why": None}
    monkeypatch.setattr(machine, "peaks", lambda *a: {"fp32": peak, "bf16": peak})
    result = train.measure(TINY, 3, 1, "none", "2", memory=False)
    line, flop = result["contests"][0]["contestants"][0], TINY.config().flops_per_token(TINY.ctx / 2)
    assert line["median"] == pytest.approx(2 * TINY.ctx / sorted(line["seconds"])[1], rel=1e-2)
    assert line["gflop_per_second"] == pytest.approx(line["median"] * flop / 1e9)
    assert line["mfu"] == pytest.approx(line["gflop_per_second"] / 50.0)
    ours = result["ours"]
    assert ours["min"] <= ours["tokens_per_second"] <= ours["max"] and ours["runs"] == result["pairs"] == 3
    assert result["theirs"]["why"] == "not asked for (--against none)" and result["ratio"] is None


@needs_torch
def test_ours_against_torch_is_the_ratio_of_the_same_run():
    result = train.measure(TINY, 3, 1, "eager", "1", memory=False)
    mine, _, other = result["contests"][0]["contestants"]
    within = sorted(t / m for t, m in zip(other["seconds"], mine["seconds"], strict=True))
    assert result["ratio"] == other["ratio"] == pytest.approx(within[1], rel=0.1), "seconds are rounded in the document"
    assert result["theirs"]["name"] == f"torch {oracle.version()} eager fp32" and result["theirs"]["tokens_per_second"]


@needs_torch
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_torchs_step_computes_the_loss_that_ours_does(precision):
    weights, batch, settings = train.work(TINY, 2)
    config = TINY.config()
    trainer = Trainer(config, 2, config.ctx, settings, 1)
    trainer.load(weights)
    theirs = oracle.Bench(config, weights, batch, 1, settings, precision)
    for _ in range(3):
        assert theirs.step() == pytest.approx(
            trainer.step([batch], 1e-3).loss, rel=1e-4 if precision == "fp32" else 1e-2
        )


def test_peak_memory_is_asked_of_another_process():
    size, why = footprint.ask("train", "cktrack", TINY, {"rows": 1, "threads": 1, "names": []})
    assert why is None and size is not None and 5e6 < size < 1e9
    size, why = footprint.ask("train", "nobody", TINY, {"rows": 1, "threads": 1, "names": []})
    assert size is None and why and "its process ended with 1: " in why
    room = bytearray(300_000_000)
    room[::4096] = b"1" * len(room[::4096])
    mine, _ = footprint.ask("train", "cktrack", TINY, {"rows": 1, "threads": 1, "names": []})
    assert machine.peak_memory() > 3e8 > (mine or 0) > 0, "what this process holds is not the other's"


# ---------------------------------------------------------------------------------------------------- gemm, decode, scaling


@pytest.mark.parametrize("tied", [True, False])
def test_every_linear_layer_is_multiplied(tied):
    config = TINY.config()
    parameters = {**config.parameters()} | ({} if tied else {"lm_head.weight": (config.vocab, config.d_model)})
    shapes = gemm.layers(parameters, tied)
    assert sorted(" ".join(shapes).split()) == sorted(["head", "q", "k", "v", "o", "gate", "up", "down"])
    assert set(shapes.values()) == {s for n, s in parameters.items() if len(s) == 2}


@pytest.mark.parametrize("kind", product.KINDS)
def test_our_product_is_the_product_that_it_is_called(kind):
    unit = product.Ours(kind, 2, 70, 50, 100, Pool(1))
    view = unit.machine.view
    x, w, dy = (view(n).astype(np.float64) for n in ("x", "w", "d_y"))
    unit()
    name, wanted = {
        "forward": ("y", x @ w.T),
        "dx": ("d_x", dy @ w),
        "dw": ("d_w", np.einsum("bto,btc->oc", dy, x)),
    }[kind]
    assert np.abs(view(name) - wanted).max() < 1e-3 and np.abs(wanted).max() > 1


@needs_torch
def test_torch_decodes_the_same_ids():
    config, prompts = TINY.config(), np.random.default_rng(1).integers(0, TINY.vocab, (3, 5)).tolist()
    weights = {n: w * 10 if "norm" not in n else w for n, w in initial(config, 3).items()}
    ours = Decoder(config, weights, 3, 1).generate(prompts, 8, None)
    assert oracle.Greedy(config, weights, 3, 1).generate(prompts, 8).tolist() == [g.ids for g in ours]


def test_the_prediction_follows_from_items():
    groups = [(4, 4.0), (1, 1.0)]
    assert [scaling.predicted(groups, n) for n in (1, 2, 3, 4, 64)] == [1, 5 / 3, 5 / 3, 2.5, 2.5]
    assert scaling.shares([*groups, (4, 5.0)]) == [
        {"items": 1, "groups": 1, "share": 0.1},
        {"items": 4, "groups": 2, "share": 0.9},
    ]
    assert [scaling.counted(n) for n in (1, 2, 6)] == [[1], [1, 2], [1, 2, 4, 6]]


def test_the_groups_that_are_timed_are_those_of_the_plan():
    weights, batch, settings = train.work(TINY, 2)
    trainer = Trainer(TINY.config(), 2, TINY.ctx, settings, 1)
    trainer.load(weights)
    trainer.step([batch], 1e-3)
    planned = [schedule(program.calls) for program in trainer._step_programs()]
    timed = trainer.groups()
    assert len(timed) == sum(map(len, planned)) and all(items >= 1 and seconds >= 0 for items, seconds in timed)
    by_rows = [group for program in planned for group in program if len(group) > 1 and group[0].blocks]
    assert by_rows and sum(items == 2 for items, _ in timed) >= len(by_rows), "two rows of one block each"


# ---------------------------------------------------------------------------------------------------- the store


def test_a_logged_result_is_a_run_with_params_metrics_and_the_document(home, empty_database):
    shutil.copy(empty_database, home / "mlflow.db")
    result = train.measure(TINY, 1, 1, "none", "1", memory=False)
    store = open_store()
    run = store.client.get_run(publish_bench(store, result))
    assert run.info.status == "FINISHED" and store.client.get_experiment(run.info.experiment_id).name == "bench"
    assert run.data.params["model.layers"] == "1" and run.data.params["machine.cpu"] == machine.cpu()
    line = result["contests"][0]["contestants"][0]
    assert run.data.metrics["batch_1/cktrack/median"] == pytest.approx(line["median"])
    assert "batch_1/cktrack/peak_memory" not in run.data.metrics, "what was not measured has no metric"
    document = store.client.download_artifacts(run.info.run_id, "bench.json", str(home))
    with open(document) as file:  # noqa: PTH123
        assert json.load(file) == json.loads(json.dumps(result))


def test_a_named_shape_is_taken_and_sizes_replace_its_own():
    from cktrack.bench import SHAPES, shape_of

    sizes = dict.fromkeys(vars(Shape()))
    assert shape_of("small", sizes) == Shape() and shape_of("gpt2", {**sizes, "layers": 2}).vocab == 50304
    assert shape_of("deep", {**sizes, "ctx": 64}).ctx == 64
    for shape in SHAPES.values():
        shape.config()
    assert 120e6 < SHAPES["gpt2"].config().parameter_count() < 128e6
    with pytest.raises(ValueError, match="--shape: got 'big'; expected one of small, deep, gpt2"):
        shape_of("big", sizes)


def test_what_does_not_fit_in_memory_is_refused_before_it_begins(monkeypatch):
    monkeypatch.setattr("experiments.preflight.machine.free_memory", lambda: 2 * 10**6)
    monkeypatch.setattr(machine, "facts", lambda *_: pytest.fail("measured"))
    with pytest.raises(
        ValueError, match=r"3 contestants would need about \d+\.\d GB at once, 0\.0 GB are free; ask for fewer"
    ):
        train.measure(Shape(), 1, 1, "eager", "4")
    monkeypatch.setattr("experiments.preflight.machine.free_memory", lambda: None)
    train.fits(Shape(), 4, 2, ["eager"])
