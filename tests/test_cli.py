"""Wrong input at the command line is refused at once, with a sentence and exit code 2, before a store or an engine is touched."""

from __future__ import annotations

import sys

import pytest

from cengine import loader, parity
from cktrack import cli
from experiments import ladder, run
from experiments.prepared import Prepared


@pytest.fixture
def call(home, monkeypatch, capsys):
    """Runs `cktrack ARGUMENTS` in this process in a home of its own; returns (exit code, what it said)."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["cktrack", *arguments])
        monkeypatch.setenv("COLUMNS", "300")
        with pytest.raises(SystemExit) as left:
            cli.main()
        return left.value.code or 0, " ".join(capsys.readouterr().err.split())

    return run


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("bench train --batch -1 --against none", "bench: batch=-1; expected at least 1"),
        ("bench train --batch 0 --against none", "bench: batch=0; expected at least 1"),
        ("bench train --pairs 0 --against none", "bench: pairs=0; expected at least 1"),
        ("bench train --threads -1 --against none", "threads: got -1; expected 1 to 256"),
        ("plan spec12/r17 --rows -1", "--rows: got -1; expected 0 for the rung's own"),
        ("parity spec12/r17 --threads -2", "threads: got -2; expected 1 to 256"),
        ("parity spec12/r17 --vocab -2", "--vocab: got -2; expected 0 for the spec's own"),
        ("rung run spec12/r17 --threads -1", "threads: got -1; expected 1 to 256, or 0 for all CPUs"),
        ("rung run spec12/r17 --threads 257", "threads: got 257"),
        ("rung run spec12/r17 --seed -2", "--seed: got -2; expected -1 for the rung's own, or 0 to 2^64 - 1"),
        ("rung run spec12/r17 --seed 18446744073709551616", "--seed: got 18446744073709551616"),
        ("rung run spec12/r1", "rung: spec12 has no 'r1', expected one of r17"),
        ("rung run spec12/r17 --budget-scale nan", "budget scale: got nan"),
        ("rung run spec12/r17 --precision fp16", "precision: got 'fp16'; expected one of ['fp32', 'bf16']"),
        ("parity spec12/r17 --precision int8", "precision: got 'int8'"),
        ("ui --port 70000", "--port: got 70000; expected 1 to 65535"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_opened(call, home, monkeypatch, command, said):
    monkeypatch.setattr(parity, "cached", lambda *a, **k: pytest.fail("measured"))
    code, told = call(*command.split())
    assert code == 2 and said in told and "Traceback" not in told, told
    assert not list(home.iterdir())


def test_the_environment_is_held_to_the_same_rule(call, home, monkeypatch):
    monkeypatch.setenv("CKTRACK_THREADS", "abc")
    code, told = call("rung", "run", "spec12/r17")
    assert code == 2 and "CKTRACK_THREADS: got 'abc'; expected 1 to 256, or 0 for all CPUs" in told
    assert not list(home.iterdir())


def test_what_was_asked_is_quoted_as_it_was_written(call):
    """A word between colons is no picture."""
    code, told = call("check", "a:key:b")
    assert code == 2 and "a:key:b" in told


@pytest.mark.parametrize("value", ["1.5", "-3", "300", "two"])
def test_a_wrong_thread_count_in_the_environment_is_named(monkeypatch, value):
    monkeypatch.setenv("CKTRACK_THREADS", value)
    with pytest.raises(ValueError, match=f"CKTRACK_THREADS: got '{value}'; expected 1 to 256"):
        loader.thread_count()
    assert loader.thread_count(2) == 2, "an explicit number needs no environment"


@pytest.mark.parametrize("value", ["", "0", " 0 "])
def test_no_thread_count_in_the_environment_is_all_cpus(monkeypatch, value):
    monkeypatch.delenv("CKTRACK_THREADS", raising=False)
    everything = loader.thread_count()
    monkeypatch.setenv("CKTRACK_THREADS", value)
    assert loader.thread_count() == everything >= 1


@pytest.mark.parametrize(("words", "env", "asked"), [(["--guard"], "0", True), ([], "1", None)])
def test_a_guarded_run_is_one_that_asks_for_it(call, home, monkeypatch, words, env, asked):
    """The option reaches the trainer; what it then does is tested in test_plan.py."""

    def trainer(*_, guard, **__):
        raise ValueError(f"the trainer was told {guard}, which means {loader.guarded(guard)}")

    monkeypatch.setenv("CKTRACK_GUARD", env)
    monkeypatch.setattr(run, "Trainer", trainer)
    monkeypatch.setattr(parity, "cached", lambda *a, **k: {"cached": True})
    monkeypatch.setattr(parity, "require", lambda report: None)
    with pytest.raises(ValueError, match=f"was told {asked}, which means {bool(asked) or env == '1'}"):
        options = options_of(call, monkeypatch, words)
        run.execute(Prepared(run.in_force(ladder.select("spec12/r17"), options)), home / "run", Mute(), options)


def options_of(call, monkeypatch, words) -> run.Options:
    """What `cktrack rung run` makes of its options."""
    seen = []

    def stop(store, label, options, *_):
        seen.append(options)
        raise ValueError("seen")

    monkeypatch.setattr("cktrack.rung.run_rung", stop)
    monkeypatch.setattr("cktrack.store.open_store", lambda: None)
    with pytest.raises(ValueError, match="seen"):
        cli.rung_run("spec12/r17", guard=bool(words))
    return seen[0]


class Mute:
    """A recorder that nobody listens to."""

    def __getattr__(self, name):
        return lambda *_: None


def test_parity_measures_with_the_threads_that_were_asked_for(call, monkeypatch):
    seen = {}

    def run(config, threads=None, torch=True, precision="fp32"):
        seen.update(threads=threads)
        return {"passed": False, "cached": False, "checks": [], "model": {}, "instruction_set": "", "torch": None}

    monkeypatch.setattr(parity, "run", run)
    assert call("parity", "spec12/r17", "--threads", "1", "--json")[0] == 1 and seen == {"threads": 1}
