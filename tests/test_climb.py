"""`cktrack ladder`: which rungs are chosen, where each stands, what one failure does to the others, and what is told of them."""

from __future__ import annotations

import io
import json
import shutil
import threading
import time

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cengine import loader
from cktrack import beside, cli, climb, home, standing
from cktrack import rung as rungs
from cktrack.recorder import MlflowRecorder
from cktrack.store import COMPLETE, IDENTITY, open_store, run, set_params, set_tags
from experiments import ladder
from experiments.ladder import LadderError
from experiments.run import Options, identity

LABELS = ladder.rungs()
BEST = [label for label in LABELS if ladder.select(label).rung.headline]
FIRST, SECOND = "spec12/r17", "spec16/r11"


@pytest.fixture
def store(home, empty_database):
    shutil.copy(empty_database, home / "mlflow.db")
    return open_store()


class Trained:
    """Stands in for training a rung: logs a finished run with fixed scores, or raises. `asked` are the labels in order."""

    def __init__(self, **failing: Exception) -> None:
        self.failing, self.asked = {k.replace("_", "/"): v for k, v in failing.items()}, []

    def __call__(self, store, label, options, console, parent="", shared=None, prepared=None):
        self.asked.append(label)
        assert prepared.selected.label == label and prepared.selected.rung.precision != "auto"
        if label in self.failing:
            raise self.failing[label]
        return log(store, label, options, parent)


def log(store, label, options, parent="", exact=0.9):
    selected = ladder.select(label)
    tags = {IDENTITY: identity(selected, options), "cktrack.rung": label, "cktrack.version": "1", COMPLETE: "true"}
    with run(store, selected.spec.name, label, tags) as run_id:
        if parent:
            set_tags(store, run_id, {"mlflow.parentRunId": parent})
        set_params(store, run_id, {"seed.init_and_order": options.seed or 42, "budget.scale": options.scale})
        for split, said in selected.spec.splits.items():
            store.client.log_metric(run_id, f"exact.split.{split}", 1.0 if said.kind == "seen" else exact)
            store.client.log_metric(run_id, f"cases.split.{split}", 200)
        store.client.log_metric(run_id, "processed_tokens", 800_000)
    return rungs.Result(run_id, selected.spec.name, "1", "", False)


def take(store, labels, trained, monkeypatch, stop=False, options=None, jobs=1):
    monkeypatch.setattr(rungs, "run_rung", trained)
    options = options or Options()
    chosen = [ladder.select(label) for label in labels]
    return climb.climb(store, chosen, options, Console(file=io.StringIO()), "a selection", stop, jobs)


# ------------------------------------------------------------------------------------------------- choosing


@pytest.mark.parametrize(
    ("patterns", "headline", "expected"),
    [
        (["all"], False, LABELS),
        ([], True, BEST),
        (["all"], True, BEST),
        (["spec12"], False, [label for label in LABELS if label.startswith("spec12/")]),
        (["spec16/r11", "spec12/r17"], False, [FIRST, SECOND]),
        (["*/r1*", "spec12/r17"], False, [label for label in LABELS if label.partition("/")[2].startswith("r1")]),
        (["spec12*/*"], True, [FIRST]),
    ],
)
def test_a_selection_keeps_the_order_of_the_ladder(patterns, headline, expected):
    found, errors = climb.choose(patterns, headline)
    assert [s.label for s in found] == expected and not errors


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ([], "got no rung; expected --headline, all, or names"),
        (["spec12/r177"], r"got 'spec12/r177', which no rung of .* matches; did you mean `spec12/r17`\?"),
        (["spec12", "nowhere*"], r"got 'nowhere\*', which no rung"),
    ],
)
def test_a_selection_of_nothing_is_refused(patterns, message):
    with pytest.raises(LadderError, match=message):
        climb.choose(patterns, False)


def test_a_selection_of_a_spec_that_cannot_be_read_says_why(monkeypatch, tmp_path):
    from experiments import ladder as records

    (tmp_path / "torn.yaml").write_text("title: 3\n")
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    with pytest.raises(LadderError, match=r"ladder/torn\.yaml: 7 faults"):
        climb.choose(["torn/r1"], False)


# ------------------------------------------------------------------------------------------------- where rungs stand


def test_a_rung_is_new_then_interrupted_then_done_and_changed_by_another_seed(store, tmp_path):
    chosen, options = [ladder.select(FIRST)], Options(unfinished=tmp_path / "unfinished")

    def look(asked=options):
        (step,) = climb.look(store, chosen, asked)
        return step

    assert look().state == "new" and look().done is None
    (options.unfinished / identity(chosen[0], options) / "step-7").mkdir(parents=True)
    assert look().state == "interrupted"
    result = log(store, FIRST, options)
    assert look().state == "done" and look().done.run_id == result.run_id
    other = look(Options(seed=7))
    assert other.state == "changed" and "seed.init_and_order" in other.why and "budget.scale" not in other.why


def test_a_rung_that_cannot_be_drawn_is_broken_and_the_others_are_not(store, monkeypatch):
    from experiments import material

    real = material.rows

    def rows(selected):
        if selected.label == FIRST:
            raise ValueError("hold out fewer")
        return real(selected)

    monkeypatch.setattr(material, "rows", rows)
    assert [s.state for s in climb.look(store, [ladder.select(n) for n in (FIRST, SECOND)], Options())] == [
        "broken",
        "new",
    ]
    trained = Trained()
    report = take(store, [FIRST, SECOND], trained, monkeypatch)
    assert [r["status"] for r in report["rungs"]] == ["failed", "run"] and trained.asked == [SECOND]


# ------------------------------------------------------------------------------------------------- climbing


def test_rungs_run_in_order_below_one_run_and_are_told_beside_what_was_published(store, monkeypatch):
    trained = Trained()
    report = take(store, [FIRST, SECOND], trained, monkeypatch)
    assert trained.asked == [FIRST, SECOND] and report["counts"] == {"run": 2, "reused": 0, "failed": 0, "skipped": 0}
    parent = store.client.get_run(report["run_id"])
    assert parent.info.status == "FINISHED" and parent.data.metrics[f"exact/{FIRST}"] == 0.9
    for record in report["rungs"]:
        child = store.client.get_run(record["run_id"])
        assert child.data.tags["mlflow.parentRunId"] == report["run_id"]
        assert (
            f"#/experiments/{child.info.experiment_id}/runs/{record['run_id']}"
            in parent.data.tags["mlflow.note.content"]
        )
    first, second = report["rungs"]
    assert first["unseen"]["n"] == 600 and first["unseen"]["k"] == 540 and first["splits"]["seen"]["value"] == 1.0
    assert first["unseen"]["low"] < 0.9 < first["unseen"]["high"]
    assert first["reached"] is False
    assert first["reached_why"] == "exact 0.900 is below 1.000; 800,000 processed tokens are more than 198,144"
    assert second["reached"] is True and second["processed_tokens"] == 800_000 and second["published"]["exact"] == 0.812
    kept = json.loads((home.runs() / report["run_id"] / "ladder.json").read_text())
    assert kept["rungs"] == report["rungs"]
    assert [a.path for a in store.client.list_artifacts(report["run_id"])] == ["ladder.json"]


def test_one_failure_leaves_the_others_alone_and_the_group_says_failed(store, monkeypatch):
    trained = Trained(spec12_r17=ValueError("preflight: no"))
    report = take(store, [FIRST, SECOND], trained, monkeypatch)
    failed, fine = report["rungs"]
    assert (failed["status"], fine["status"]) == ("failed", "run") and failed["why"] == "ValueError: preflight: no"
    assert failed["unseen"] is None and failed["reached"] is None and failed["run_id"] is None
    parent = store.client.get_run(report["run_id"])
    assert parent.info.status == "FAILED" and "spec12/r17: ValueError" in parent.data.tags["mlflow.note.content"]


def test_stop_ends_at_the_first_failure(store, monkeypatch):
    trained = Trained(spec12_r17=KeyError("a bug"))
    report = take(store, [FIRST, SECOND], trained, monkeypatch, stop=True)
    assert [r["status"] for r in report["rungs"]] == ["failed", "skipped"] and trained.asked == [FIRST]


def test_an_interruption_ends_everything_and_the_next_time_goes_on(store, monkeypatch):
    class Interrupted(Trained):
        def __call__(self, store, label, *arguments, **named):
            if label == SECOND:
                raise KeyboardInterrupt
            return super().__call__(store, label, *arguments, **named)

    with pytest.raises(KeyboardInterrupt):
        take(store, [FIRST, SECOND], Interrupted(), monkeypatch)
    (group,) = store.client.search_runs([store.experiment("ladder")])
    assert group.info.status == "KILLED" and FIRST in group.data.tags["mlflow.note.content"]
    trained = Trained()
    report = take(store, [FIRST, SECOND], trained, monkeypatch)
    assert trained.asked == [SECOND] and [r["status"] for r in report["rungs"]] == ["reused", "run"]


def test_where_all_is_done_nothing_is_opened(store, monkeypatch):
    log(store, FIRST, Options())
    report = take(store, [FIRST], Trained(), monkeypatch)
    assert report["run_id"] is None and report["counts"]["reused"] == 1 and report["rungs"][0]["unseen"]["value"] == 0.9
    assert store.client.get_experiment_by_name("ladder") is None


class Together(Trained):
    """Rungs that begin only when as many as are awaited have begun."""

    def __init__(self, count: int, **failing: Exception) -> None:
        super().__init__(**failing)
        self.begun, self.given = threading.Barrier(count, timeout=120), {}

    def __call__(self, store, label, options, console, parent="", shared=None, prepared=None):
        self.given[label] = options, shared
        self.begun.wait()
        return super().__call__(store, label, options, console, parent, shared, prepared)


def test_two_rungs_at_a_time_have_a_thread_each_and_are_told_in_the_order_of_the_selection(store, monkeypatch):
    monkeypatch.setattr(loader, "thread_count", lambda asked: asked or 2)
    trained = Together(2, spec12_r17=ValueError("no"))
    report = take(store, [FIRST, SECOND], trained, monkeypatch, jobs=0)
    assert [(r["rung"], r["status"]) for r in report["rungs"]] == [(FIRST, "failed"), (SECOND, "run")]
    pools = [options.pool for options, _ in trained.given.values()]
    assert pools[0] is not pools[1] and [options.threads for options, _ in trained.given.values()] == [1, 1]
    assert {pool.wanted for pool in pools} == {2}  # whoever was left had both
    group = store.client.get_run(report["run_id"])
    assert group.info.status == "FAILED" and group.data.metrics[f"exact/{SECOND}"] == 0.9


def test_an_interruption_ends_what_goes_on_beside(store, monkeypatch):
    class Ends(Together):
        def __call__(self, store, label, options, console, parent="", shared=None, prepared=None):
            super().__call__(store, label, options, console, parent, shared, prepared)
            if label == FIRST:
                raise KeyboardInterrupt
            recorder = MlflowRecorder(store, parent, console, shared=shared)
            while True:
                recorder.progress("train", 1, 2, {})
                time.sleep(0.01)

    monkeypatch.setattr(loader, "thread_count", lambda asked: asked or 2)
    with pytest.raises(KeyboardInterrupt):
        take(store, [FIRST, SECOND], Ends(2), monkeypatch, jobs=2)
    (group,) = store.client.search_runs([store.experiment("ladder")])
    assert group.info.status == "KILLED"


@pytest.mark.parametrize(
    ("published", "unseen", "tokens", "reached"),
    [
        ({"exact": None, "processed_tokens": None}, 1.0, 10, None),
        ({"exact": 0.0, "processed_tokens": None}, 0.0, 10, None),
        ({"exact": 0.0, "processed_tokens": 20}, 0.9, 10, None),
        ({"exact": 0.9, "processed_tokens": None}, 0.9, 10, True),
        ({"exact": 0.9, "processed_tokens": 10}, 0.95, 10, True),
        ({"exact": 0.9, "processed_tokens": 9}, 0.95, 10, False),
        ({"exact": 0.9, "processed_tokens": 10}, 0.89, 10, False),
        ({"exact": 0.9, "processed_tokens": 10}, None, None, None),
    ],
)
def test_reached_is_as_exact_in_no_more_tokens(published, unseen, tokens, reached):
    found = {
        "published": published,
        "unseen": None if unseen is None else {"value": unseen},
        "processed_tokens": tokens,
    }
    assert standing._reached(found)[0] is reached


@pytest.mark.parametrize(
    ("label", "best", "exact"), [("gen1/r6", "r2", 1.0), ("spec19/r2", "sft_b", 0.886), (FIRST, None, 1.0)]
)
def test_a_headline_is_held_to_the_best_that_was_published_for_its_spec(label, best, exact):
    published = standing.record(None, ladder.select(label), "skipped", "", None)["published"]
    assert (published["best"], published["exact"]) == (best, exact)


def test_renderable_and_the_best_baseline_are_told_where_they_were_measured(store, monkeypatch):
    bare = take(store, [FIRST], Trained(), monkeypatch)["rungs"][0]
    assert bare["renderable"] is None and bare["baseline"] is None and standing.lines(bare, FIRST)[0][6:8] == ["-", "-"]
    for split in ladder.select(FIRST).spec.splits:
        store.client.log_metric(bare["run_id"], f"renderable.split.{split}", 0.5 if split == "seen" else 0.75)
    for name, value in {"copy.unseen_target": 0.1, "topic_lookup.unseen_target": 0.4, "copy.seen": 0.9}.items():
        store.client.log_metric(bare["run_id"], f"baseline.{name}", value)
    report = take(store, [FIRST], Trained(), monkeypatch)
    (told,) = report["rungs"]
    assert (told["renderable"]["k"], told["renderable"]["n"]) == (450, 600)
    assert told["baseline"] == {"name": "topic_lookup", "value": 0.4}
    assert all(len(line) == len(standing.HEADINGS) for line in standing.lines(told, FIRST))
    assert standing.lines(told, FIRST)[0][6:8] == ["0.750", "0.400"]
    assert "| 0.900 | 600 | 0.750 | 0.400 | 0.80 M | 1.000 |" in standing.note(report)


def rate(value):
    return {"value": value}


RUNG = {"rung": "a/r2", "of": "a/r1", "size": 10, "renderable": rate(0.9), "unseen": rate(0.5)}
BASE = {"rung": "a/r1", "of": None, "size": 10, "renderable": rate(0.95), "unseen": rate(0.6)}


@pytest.mark.parametrize(
    ("rung", "others", "name", "found", "said"),
    [
        (RUNG, [BASE], "over_repair_fragmentation", True, "renderable 0.900, 0.950 in a/r1"),
        (RUNG, [{**BASE, "renderable": rate(0.91)}], "over_repair_fragmentation", False, "0.910 in a/r1"),
        (RUNG, [], "over_repair_fragmentation", None, "select both"),
        (BASE, [RUNG], "over_repair_fragmentation", None, "no baseline"),
        ({**RUNG, "size": 99}, [BASE], "capacity_misdiagnosis", True, "exact 0.500, 0.600 in a/r1"),
        ({**RUNG, "size": 99, "unseen": rate(0.7)}, [BASE], "capacity_misdiagnosis", False, "exact 0.700"),
        (RUNG, [BASE], "capacity_misdiagnosis", None, "no rung of the spec with a smaller model"),
        ({**RUNG, "size": 99}, [{**BASE, "rung": "b/r1"}], "capacity_misdiagnosis", None, "no rung of the spec"),
        ({**RUNG, "size": 99}, [{**BASE, "unseen": None}], "capacity_misdiagnosis", None, "no rung of the spec"),
    ],
)
def test_what_only_several_rungs_can_tell(rung, others, name, found, said):
    told = beside.classes(rung, [rung, *others])[name]
    assert told["found"] is found and said in told["why"]


# ------------------------------------------------------------------------------------------------- as a user meets it


def test_dry_shows_and_makes_nothing(home):
    chosen = [label for label in LABELS if label.startswith("spec12/r1")]
    told = CliRunner().invoke(cli.app, ["ladder", *chosen, "--dry", "--json"])
    assert told.exit_code == 0, told.output
    assert [(r["rung"], r["state"]) for r in json.loads(told.stdout)["rungs"]] == [(label, "new") for label in chosen]
    assert f"rung 1 of {len(chosen)}: {chosen[0]}, new" in told.stderr, "told as they are looked at: each takes seconds"
    assert not list(home.iterdir())


def test_the_exit_code_and_the_table_say_what_failed(store, monkeypatch):
    monkeypatch.setattr(rungs, "run_rung", Trained(spec12_r17=ValueError("no room [here]")))
    monkeypatch.setenv("COLUMNS", "200")
    told = CliRunner().invoke(cli.app, ["ladder", FIRST, SECOND])
    assert told.exit_code == 1 and "spec12/r17 failed: ValueError: no room [here]" in told.stdout
    assert "spec16/r11" in told.stdout and "0.812" in told.stdout and "1 run, 1 failed" in told.stdout
    again = CliRunner().invoke(cli.app, ["ladder", SECOND, "--json"])
    assert again.exit_code == 0 and json.loads(again.stdout)["rungs"][0]["status"] == "reused"
