"""The served model: one answer or one error for each prompt, the caller's token limit, and one prediction at a time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException

from cengine import checkpoint
from cengine.model import Config, initial
from cktrack.serving import SceneModel
from experiments import tokenizer

ROWS = [f"[task:svg] draw {a} {b} [OUT] [scene] {b} {a} [/scene]" for a in "abcdefgh" for b in "mnopqrst"]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A small untrained model: it babbles, but always the same."""
    coder = tokenizer.train(ROWS, tokenizer.Policy(("[scene]", "[/scene]"), (), vocab=320, min_frequency=1))
    config = Config(vocab=coder.size, layers=2, d_model=64, d_ff=96, heads=4, kv_heads=2, head_dim=16, ctx=64)
    place = tmp_path_factory.mktemp("served") / "checkpoint"
    weights = initial(config, 3, "normal", 0.3)
    checkpoint.save(place, config, weights, files=coder.files(config.ctx), eos=coder.eos, pad=coder.pad)
    model = SceneModel()
    model.load_context(SimpleNamespace(artifacts={"checkpoint": str(place)}))
    return model


def test_the_callers_limit_is_kept(served):
    (short,) = served.predict([ROWS[0]], {"max_new": 3})
    (longer,) = served.predict([ROWS[0]], {"max_new": 12})
    assert short["stop"] == "budget" and len(longer["text"]) > len(short["text"])


@pytest.mark.parametrize("limit", [0, -1, "many"])
def test_a_limit_that_is_none_is_refused(served, limit):
    with pytest.raises(MlflowException, match=r"max_new: got .*; expected a whole number of tokens"):
        served.predict([ROWS[0]], {"max_new": limit})


def test_a_bad_prompt_is_its_own_error_and_spoils_no_other(served):
    good, empty, long, same = served.predict([ROWS[0], "", ROWS[0] * 9, ROWS[0]])
    assert good == same and "error" not in good
    assert (empty["text"], empty["stop"]) == ("", "error") and "0 tokens; expected 1 to 64" in empty["error"]
    assert "tokens; expected 1 to 64" in long["error"]


def test_four_threads_get_what_one_would(served):
    """MLflow's scoring server calls predict from several threads at once."""
    prompts = ROWS[:12]
    alone = [served.predict([p], {"max_new": 20}) for p in prompts]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda p: served.predict([p], {"max_new": 20}), prompts)) == alone


def test_only_one_prediction_is_under_way(served, monkeypatch):
    inside, most, guard = [0], [0], threading.Lock()

    def generate(*arguments, **options):
        with guard:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.02)
        with guard:
            inside[0] -= 1
        return [SimpleNamespace(ids=[1], reason="eos")]

    monkeypatch.setattr(served.decoder, "generate", generate)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda p: served.predict([p]), ROWS[:8]))
    assert most[0] == 1
