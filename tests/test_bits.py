"""The proof of the same bits runs what it says, sees a difference where there is one, and survives being killed."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cengine.model import Config
from cengine.parity import sample_batch
from cktrack import bits
from cktrack.bits import HASHED, Task, Way
from cktrack.cli import app
from experiments.pack import Packed

CONFIG = Config(vocab=61, layers=1, d_model=32, d_ff=48, heads=4, kv_heads=2, head_dim=8, ctx=512)


def packed(seed: int) -> Packed:
    return Packed(sample_batch(CONFIG, 24, 512, seed), tuple((i,) for i in range(24)), 24, 24 * 512, 24 * 512, 9000)


@pytest.fixture(scope="module")
def task() -> Task:
    """Both stages of a real rung with a small model on random windows: five steps each."""
    return Task("spec12/r17", 0.06, CONFIG, {"pretrain": packed(0), "midtrain": packed(1)}, packed(9))


def test_killed_at_random_moments_it_ends_with_the_same_bits(task):
    """kill -9, again and again, wherever it is: in a step, in a write, between two. `cktrack bits --kills 50` does it on a rung."""
    told = bits.prove(task, {"first": Way(), "otherwise": Way(threads=1, rows=2, guard=True)}, kills=4, seed=5)
    assert told["equal"] and told["kills"]["done"] == 4 and sum(told["kills"]["moments"].values()) == 4
    names = [line["way"] for line in told["ways"]]
    assert names[:3] == ["first", "otherwise", "a checkpoint after every step"] and names[3].startswith(
        "killed and resumed"
    )
    assert all(len({line[key] for line in told["ways"]}) == 1 for key in HASHED) and told["steps"] >= 8
    json.dumps(told, allow_nan=False)


@pytest.mark.parametrize("said", ["table", "json"])
def test_a_difference_is_seen_and_ends_with_one(task, monkeypatch, said):
    monkeypatch.setattr(bits, "task_of", lambda label, steps: task)
    monkeypatch.setattr(bits, "ways", lambda precision: {"one seed": Way(seed=1), "another": Way(seed=2)})
    done = CliRunner().invoke(app, ["bits", "--kills", "0", *(["--json"] if said == "json" else [])])
    assert done.exit_code == 1
    if said == "json":
        told = json.loads(done.stdout)
        assert [line["equal"] for line in told["ways"]] == [True, False] and not told["equal"]
        assert all(told["ways"][0][key] != told["ways"][1][key] for key in HASHED)
    else:
        assert "DIFFERENT" in done.stdout and "equal" in done.stdout


def test_the_ways_are_those_that_must_not_matter():
    ways = bits.ways("fp32").values()
    assert {w.threads for w in ways} >= {1, 2, 4} and {w.rows for w in ways} >= {1, bits.WINDOW}
    assert any(w.guard for w in ways) and len(set(ways)) < len(list(ways)), "one of them is the first again"


def test_a_training_that_fails_is_told_in_its_own_words(task, tmp_path):
    task.write(tmp_path)
    with pytest.raises(RuntimeError, match=r"a training ended with 1: ValueError: threads: got 300; expected 1 to 256"):
        bits.finish(bits.start(tmp_path, Way(threads=300)))


def test_a_task_is_read_as_it_was_written(task, tmp_path):
    task.write(tmp_path)
    back = Task.read(tmp_path)
    assert (back.label, back.scale, back.config, set(back.packed)) == (task.label, task.scale, CONFIG, set(task.packed))
    for name, part in {**task.packed, "dev": task.dev}.items():
        other = {**back.packed, "dev": back.dev}[name]
        assert (other.windows.ids == part.windows.ids).all() and (other.windows.pos == part.windows.pos).all()
        assert (other.members, other.rows, other.text_bytes) == (part.members, part.rows, part.text_bytes)
