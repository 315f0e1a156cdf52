"""Rows of your own: every kind of bad input is named with its file and line, what is mended is counted, and a small language is learned."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from cengine import parity
from cktrack import cli
from experiments import training
from experiments.preflight import machine
from experiments.split import fold
from experiments.userdata import manifest, reader, reserve, score, study
from experiments.userdata.manifest import ManifestError

ROWS = [f"[ask:{a}] [of:{b}] [OUT] [say] [of:{b}] [ask:{a}] [/say]" for a in "pqrstuvw" for b in "pqrstuvw"]
HELD, TRAINED = ROWS[::6], [row for i, row in enumerate(ROWS) if i % 6]
BLANK = (" ", "  ", "\n", "\t\n", "\u00a0", "\u2028")
SMALL = {"layers": 2, "d_model": 64, "d_ff": 128, "heads": 4, "kv_heads": 2}


def answers(rows, prompt="prompt", output="output"):
    return [dict(zip((prompt, output), row.split(" [OUT] "), strict=True)) for row in rows]


@pytest.fixture
def corpus(tmp_path):
    """Writes the files of a corpus; returns the YAML's path. `files` replace or add files, `keys` replace keys of the YAML."""

    def write(files=(), **keys):
        place = tmp_path / "mine"
        place.mkdir(exist_ok=True)
        data = {
            "name": "mine",
            "rows": {"pretrain": ["train.txt"]},
            "probes": {"test": {"expected": "test.json"}},
            "model": SMALL,
            "train": {"tokens": 40_000, "batch": 8},
            **keys,
        }
        given = {"train.txt": "\n".join(TRAINED), "test.json": json.dumps(answers(HELD)), **dict(files)}
        for name, text in given.items():
            (place / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        (place / "corpus.yaml").write_text(yaml.safe_dump({k: v for k, v in data.items() if v is not None}))
        return place / "corpus.yaml"

    return write


def read(path) -> reader.Data:
    return reader.read(manifest.read(path), path.parent)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"trian": {}}, r"trian: got an unknown key, expected one of name, .*did you mean `train`"),
        ({"train": {"token": 5}}, r"train\.token: got an unknown key.*did you mean `tokens`"),
        ({"probes": {"test": {"promts": "x"}}}, r"probes\.test\.expected: got nothing"),
        ({"probes": {"a b": {"expected": "x"}}}, "probes: got a split 'a b'"),
        ({"rows": {}}, "rows: got no file, expected at least one"),
        ({"rows": None}, "rows: got nothing"),
        ({"name": "../x"}, r"name: got '\.\./x', expected letters"),
        ({"model": {"heads": 7, "kv_heads": 2}}, "model: got heads=7 is not a multiple of kv_heads=2"),
        ({"model": {"d_model": 64, "heads": 32, "kv_heads": 4}}, "model: got head_dim=2, expected an even number"),
        ({"model": {**SMALL, "layers": 4000}}, "model.layers: got 4000, expected at most 128"),
        ({"model": {"ctx": 9000}}, r"model\.ctx: got 9000"),
        ({"train": {"lr": -1}}, r"train\.lr: got -1"),
        ({"separator": ""}, "separator: got '', expected a text that is not blank, or a tab"),
        *(({"separator": blank}, r"^corpus: 1 violation\(s\)\n  separator: got .*, expected a text that is not blank") for blank in BLANK),
        ({"rows": ["train.txt"]}, r"rows: got \['train\.txt'\], expected a mapping of keys to values"),
        ({"rows": {"pretrain": 3}}, r"rows\.pretrain: got 3, expected a list"),
        ({"rows": {"pretrain": [3]}}, r"rows\.pretrain\.0: got 3, expected a text"),
        ({"probes": {"test": "test.json"}}, r"probes\.test: got 'test\.json', expected a mapping of keys to values"),
        ({"probes": {1: {"expected": "test.json"}}}, r"probes\.1\.\[key\]: got 1, expected a text"),
        ({"probes": {}}, r"probes: got \{\}, expected at least 1 in it"),
        ({"name": 3}, "name: got 3, expected a text"),
        ({"model": 3}, "model: got 3, expected a mapping of keys to values"),
        ({"model": {"d_ff": 1.5}}, r"model\.d_ff: got 1\.5, expected a whole number"),
        ({"model": {"ctx": 8}}, r"model\.ctx: got 8, expected at least 16"),
        ({"train": {"lr": "x"}}, r"train\.lr: got 'x', expected a number"),
        ({"train": {"lr": 0}}, r"train\.lr: got 0, expected more than 0"),
        ({"train": {"seed": 2**64}}, rf"train\.seed: got {2**64}, expected less than {2**64}"),
        ({"rows": {"pretrain": ["gone.txt"]}}, r"gone\.txt: got no such file, expected a file, relative to the YAML"),
        ({"probes": {"test": {"expected": "gone.json"}}}, r"gone\.json: got no such file"),
        ({"reserved": "gone.txt"}, r"gone\.txt: got no such file"),
        ({"rows": {"pretrain": ["a\0b.txt"]}}, "got embedded null byte, expected a file, relative to the YAML"),
        ({"probes": {"test": {"expected": "test.json", "output_key": "outputs"}}},
         r"test\.json\[0\]: got no key `outputs`, expected one of its keys: prompt, output; did you mean `output`"),
        ({"model": {**SMALL, "ctx": 16}, "reserved": "none"}, "tokens with its output, expected at most ctx=16; raise model.ctx"),
    ],
)  # fmt: skip
def test_a_manifest_that_cannot_be_used_says_where(corpus, keys, said):
    with pytest.raises(ManifestError, match=said):
        study.prepare(corpus(**keys))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"train.txt": "a [OUT] b\nno way\n"}, r"train\.txt:2: got no separator in 'no way', expected one `PROMPT \[OUT\] OUTPUT`"),
        ({"train.txt": "a [OUT] b [OUT] c\n"}, r"train\.txt:1: got 2 separators"),
        ({"train.txt": "a [OUT]  \n"}, r"train\.txt:1: got no output"),
        ({"train.txt": "[OUT] b\n"}, r"train\.txt:1: got no prompt"),
        ({"train.txt": "\n \n"}, r"train\.txt: got an empty file"),
        ({"train.txt": b"a [OUT] b\nc [OUT] \xff\n"}, r"train\.txt:2: got byte 0xff, which is no UTF-8"),
        ({"train.txt": "a [OUT] b<|endoftext|>c\n"}, r"train\.txt:1: got the text <\|endoftext\|>"),
        ({"train.txt": "\n".join(["x"] * 30)}, r"train\.txt: got 10 more lines like these"),
        ({"test.json": "{"}, r"test\.json:1: got .*expected JSON"),
        ({"test.json": f'[{{"prompt": "a", "output": {"9" * 5000}}}]'}, r"test\.json: got 'Exceeds the limit .*expected JSON with smaller"),
        ({"test.json": "[]"}, r"test\.json: got an empty array, expected a JSON array of objects"),
        ({"test.json": "{}"}, r"test\.json: got a dict"),
        ({"test.json": "[1]"}, r"test\.json\[0\]: got 1, expected an object"),
        ({"test.json": '[{"prompt": "\\ud800", "output": "a"}]'}, r"test\.json\[0\]: got half of a character"),
        ({"test.json": '[{"prompt": "a", "output": "<|endoftext|> b"}]'}, r"test\.json\[0\]: got the text <\|endoftext\|>"),
        ({"test.json": '[{"prompt": "a [OUT] b", "output": "c"}]'}, r"test\.json\[0\]: got the word \[OUT\] inside"),
        ({"test.json": '[{"prompt": "a", "output": "b"}, {"prompt": "a", "output": "b", "output": "c"}]'},
         r"test\.json\[1\]: got the key 'output' twice, expected each key once; remove one"),
        ({"test.json": '{"a": 1, "a": 2}'}, r"test\.json: got a dict"),
        ({"test.json": '[{"prompt": "a", "output": 3}]'}, r"test\.json\[0\]: got 3 under `output`, expected a text"),
        ({"corpus.yaml": "a"}, ""),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used_say_where(corpus, files, said):
    path = corpus(files)
    if "corpus.yaml" in files:
        path.write_text("name: [")
        said = r"corpus\.yaml: .*expected YAML"
    with pytest.raises(ManifestError, match=said):
        study.prepare(path)


def test_tags_of_any_letters_and_any_length_come_back(corpus):
    """Some letters beyond ASCII are the signs by which byte-level BPE writes bytes, and a long list without spaces is a tag as well."""
    numbers = f"[{','.join(map(str, range(400)))}]"
    rows = [f"[caf\u00e9] ask {n}[\u00f1] [\u0442] {numbers}[caf\u00e9] [OUT] [a] red [/a] {numbers}" for n in (1, 2)]
    path = corpus({"train.txt": "\n".join(rows)}, model={**SMALL, "ctx": 2048})
    coder = study.prepare(path).coder
    assert [coder.decode(ids) for ids in coder.encode_many(rows)] == rows
    assert len(coder.encode(f" {numbers}")) == len(coder.encode(" [\u0442]")) == 1


def test_all_faults_of_all_files_come_at_once(corpus):
    with pytest.raises(ManifestError) as caught:
        read(corpus({"train.txt": "x\na [OUT] b\ny\n", "test.json": "[1, 2]"}))
    assert [v.place for v in caught.value.violations] == ["train.txt:1", "train.txt:3", "test.json[0]", "test.json[1]"]


def test_lines_end_at_line_feeds_and_nowhere_else(corpus):
    text = "\ufeffa\u2028b [OUT] c\x0bd\r\n\r\ne\x85 [OUT] \u00e9\r\n"
    data = read(corpus({"train.txt": text}))
    assert [(r.prompt, r.output) for r in data.stages["pretrain"]] == [
        ("a\u2028b [OUT]", "c\x0bd"),
        ("e [OUT]", "\u00e9"),
    ]
    assert data.counts.not_ascii == 2


@pytest.mark.parametrize(
    ("separator", "line", "pair"),
    [
        ("=>", "a b => c d", ("a b", "c d")),
        ("=", "1 == 2 = no", ("1 == 2", "no")),
        ("=", "3+4=7", ("3+4", "7")),
        ("\t", "a  b\tc d", ("a  b", "c d")),
        (" \t ", "a b \t c d", ("a b", "c d")),
        (" [OUT] ", "a [OUT] b", ("a", "b")),
    ],
)
def test_a_separator_cuts_once(corpus, separator, line, pair):
    data = read(corpus({"train.txt": line}, separator=separator))
    assert [(r.prompt, r.output) for r in data.stages["pretrain"]] == [(f"{pair[0]} [OUT]", pair[1])]


def test_a_row_over_several_lines_is_joined_where_its_tags_say_so(corpus):
    text = "p [OUT] [s]\n\n[a:b]\n[/s]\nq [OUT]\n[s]\n  [/s]\nr [OUT] [s] [x]\nt [OUT] [s] [/s]\n"
    data = read(corpus({"train.txt": text}))
    assert [r.text for r in data.stages["pretrain"]] == [
        "p [OUT] [s] [a:b] [/s]",
        "q [OUT] [s] [/s]",
        "r [OUT] [s] [x]",
        "t [OUT] [s] [/s]",
    ]
    assert data.counts.joined == 2
    with pytest.raises(ManifestError, match=r"train\.txt:2: got no separator"):
        read(corpus({"train.txt": "p [OUT] [s]\n[a:b]\nq [OUT] [s] [/s]\n"}))


def test_fragments_are_left_out_and_contradictions_counted(corpus):
    text = "p [OUT] a\np [OUT] a b\np [OUT] a b c\np [OUT] a bx\nq [OUT] a\nq [OUT] a\n"
    data = read(corpus({"train.txt": text}))
    assert [r.text for r in data.stages["pretrain"]] == ["p [OUT] a b c", "p [OUT] a bx", "q [OUT] a", "q [OUT] a"]
    counts = data.counts
    assert (counts.rows, counts.fragments, counts.duplicates, counts.contradictions) == (6, 2, 1, 1)


def test_a_stage_of_fragments_alone_is_told(corpus):
    files = {"train.txt": "p [OUT] a\nq [OUT] b", "more.txt": "p [OUT] a c\nq [OUT] b c"}
    data = read(corpus(files, rows={"pretrain": ["train.txt"], "midtrain": ["more.txt"]}))
    assert list(data.stages) == ["midtrain"] and any(
        "pretrain: every row is only the beginning" in n for n in data.notes
    )


def test_prompts_are_looked_up_with_and_without_their_separator(corpus):
    probes = {"test": {"prompts": "asked.txt", "expected": "all.json", "prompt_key": "p", "output_key": "o"}}
    catalogue = [{"p": "a  b [OUT]", "o": ["x", "y"]}, {"p": "c", "o": "z"}, {"p": "d", "o": "w"}]
    files = {"asked.txt": "c [OUT]\n\na b\n", "all.json": json.dumps(catalogue)}
    data = read(corpus(files, probes=probes))
    assert [(c["id"], fold(c["prompt"]), c["expected"]) for c in data.cases] == [
        ("test-0001", "c [OUT]", "z"),
        ("test-0002", "a b [OUT]", "x y"),
    ]
    files["asked.txt"] = "c\nnobody\n"
    with pytest.raises(ManifestError, match=r"asked\.txt:2: got 'nobody', expected a prompt under `p` of all\.json"):
        read(corpus(files, probes=probes))


def test_two_answers_to_one_probe_are_told(corpus):
    data = read(corpus({"test.json": json.dumps([{"prompt": "a", "output": x} for x in "bc"])}))
    assert len(data.cases) == 2 and "1 prompts have two or more expected outputs" in data.notes[0]


def test_what_is_reserved(corpus):
    data = read(corpus({"train.txt": "[a] x [b:1][c] [OUT] [d:7]\n[a] y [b:1][c] [OUT] [d:8]\n"}))
    assert sorted(reserve.tag_forms(data.training)) == [" [OUT]", " [b:1]", "[a]", "[c]"]  # [d:7] is payload
    files = {"keep.txt": "alpha\n\n[x]\n"}
    path = corpus(files, reserved="keep.txt")
    assert reserve.listed(path.parent, "keep.txt") == ["alpha", "[x]"]
    with pytest.raises(ManifestError, match=r"keep\.txt:2: got 'a b', expected one text without white space"):
        reserve.listed(corpus({"keep.txt": "a\na b\n"}).parent, "keep.txt")


@pytest.mark.parametrize(
    ("raw", "stop", "true"),
    [
        ("[s]  a [/s]", "eos", {"exact", "first_block_exact"}),
        ("[s] a [/s] [s]", "eos", {"first_block_exact"}),
        ("[s] a [/s]", "budget", {"first_block_exact", "truncation"}),
        ("[s] b [/s]", "eos", set()),
        ("[s] a", "context", {"truncation"}),
    ],
)
def test_scores_mean_what_they_say(raw, stop, true):
    assert {m for m, v in score.score("[s] a\n[/s]", raw, stop).items() if v} == true


@pytest.mark.parametrize(
    ("expected", "tail", "first"),
    [
        ("[c] a [/c] [c] b [/c]", " [c] d [/c]", True),
        ("[c] [c] a [/c] [/c]", " [/c]", True),
        ("[s]a[/s]", "[t]", True),
        ("<svg>a</svg>", " <svg>", True),
        ("plain words", " more", False),
    ],
)
def test_what_is_exact_begins_with_its_first_block(expected, tail, first):
    assert score.score(expected, expected, "eos") == {"exact": True, "first_block_exact": True, "truncation": False}
    assert score.score(expected, expected + tail, "eos") == {
        "exact": False,
        "first_block_exact": first,
        "truncation": False,
    }
    assert not score.score(expected, expected.replace("a", "x"), "eos")["first_block_exact"]


def test_leaks_are_counted_by_part(corpus):
    test = [("p", "a"), ("p", "b"), ("q", "b"), ("z", "z")]
    text = json.dumps([{"prompt": p, "output": o} for p, o in test])
    data = read(corpus({"train.txt": "p [OUT] a\nq [OUT] b\n", "test.json": text}))
    assert score.leaked(data.stages, data.cases) == {"test": {"prompt": 3, "target": 3, "row": 2}}


@pytest.fixture
def command(home, monkeypatch, capsys):
    """`cktrack corpus run` in a home of its own; returns (exit code, standard output, standard error)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["cktrack", "corpus", "run", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as left:
            code = left.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_the_documented_manifest_is_one(tmp_path):
    """Every key of the example in the documents is known, and every key that is known is in the example."""
    text = (Path(__file__).parent.parent / "docs" / "corpus.md").read_text()
    example = re.search(r"^    name:.*?\n\n", text, re.M | re.S)[0]
    (tmp_path / "corpus.yaml").write_text(textwrap.dedent(example))
    found = manifest.read(tmp_path / "corpus.yaml")
    assert {"name", "rows", "probes", "separator", "reserved", "model", "train"} == set(yaml.safe_load(example))
    assert found.model == manifest.Shape(ctx=512) and found.train == manifest.Train(batch=16)


def test_bad_input_opens_no_store(command, corpus, home):
    path = corpus({"train.txt": "nothing to cut\n"})
    code, _, told = command(path)
    assert code == 2 and "train.txt:1: got no separator" in " ".join(told.split()) and "Traceback" not in told
    assert not (home / "mlflow.db").exists() and not (home / "runs").exists()
    code, _, told = command(path.parent / "gone.yaml")
    assert code == 2 and "no such file" in told


@pytest.mark.parametrize(("tokens", "batch"), [(5_000, 1024), (1_000, 1_000_000), (100_000, 8), (1_000, None)])
def test_no_run_processes_more_tokens_than_its_budget(corpus, tokens, batch):
    """A batch that the budget does not pay for is cut down to one step a stage, and the report says so."""
    rows = {"pretrain": ["train.txt"], "midtrain": ["train.txt"]}
    prepared = study.prepare(corpus(rows=rows, train={"tokens": tokens, "batch": batch}))
    rung, window = prepared.plan.rung, prepared.plan.window
    steps = [training.steps_of(budget, rung, window, 1.0) for budget in rung.budget.values()]
    assert 0 < sum(steps) * rung.rows * window <= tokens
    cut = bool(batch and batch > 8)
    assert cut == any("train.batch asks for" in note for note in prepared.notes) and (not cut or steps == [1, 1])


def test_a_budget_below_one_window_is_refused(corpus):
    long = "[ask:p] [OUT] " + " ".join(map(str, range(700)))
    with pytest.raises(
        ManifestError, match=r"train\.tokens: got 1000, 1000 a stage, expected at least \d{4}, a window"
    ):
        study.prepare(corpus({"train.txt": "\n".join([*TRAINED, long])}, train={"tokens": 1_000}, reserved="none"))


def test_a_model_that_memory_does_not_hold_opens_no_store(command, corpus, home, monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: 10_000_000)
    code, _, told = command(corpus())
    assert code == 2 and re.search(r"model: got a need of \d+ MB .*expected at most the 10 MB", " ".join(told.split()))
    assert not (home / "mlflow.db").exists() and not (home / "runs").exists()


def test_a_small_language_is_learned_and_logged(command, corpus, home, monkeypatch, empty_database):
    """Unseen combinations come out exactly, the report says so, and the run holds the same figures."""
    (home / "mlflow.db").write_bytes(empty_database.read_bytes())
    passed = {"passed": True, "cached": False, "checks": []}
    monkeypatch.setattr(parity, "cached", lambda *a, **k: passed)
    seen = {"expected": "seen.json"}
    files = {"seen.json": json.dumps(answers(TRAINED[:5])), "more.txt": "\n".join(TRAINED[::2])}
    rows = {"pretrain": ["train.txt"], "midtrain": ["more.txt"]}
    path = corpus(files, probes={"test": {"expected": "test.json"}, "seen": seen}, rows=rows)
    code, out, told = command(path, "--json")
    assert code == 0, told
    report = json.loads(out)
    test = report["splits"]["test"]
    assert test["n"] == len(HELD) and test["exact"] == test["first_block_exact"] == 1.0 and test["truncation"] == 0.0
    assert test["leaked"] == {"prompt": 0, "target": 0, "row": 0}
    assert report["splits"]["seen"]["leaked"] == {"prompt": 5, "target": 5, "row": 5}
    assert test["baselines"]["nearest_neighbour"] == 0.0 and test["interval"]["exact"][1] == 1.0
    assert 0 < report["processed_tokens"] <= 40_000 and report["seconds"] > 0

    from cktrack.store import open_store

    run = open_store().client.get_run(report["run_id"])
    assert run.info.status == "FINISHED" and run.data.tags["logging.complete"] == "true"
    assert run.data.metrics["exact.split.test"] == 1.0 and run.data.params["train.tokens"] == "40000"
    assert run.data.metrics["processed_tokens"] == report["processed_tokens"]
    saved = json.loads((home / "runs" / report["run_id"] / "report.json").read_text())
    assert saved == report


def test_a_failed_parity_refuses_to_train(corpus, tmp_path, monkeypatch):
    from experiments.run import Options

    failed = {"passed": False, "cached": False, "checks": [], "model": {}, "engine": "x"}
    monkeypatch.setattr(parity, "cached", lambda *a, **k: failed)

    class Listener:
        def __getattr__(self, name):
            return lambda *a, **k: None

    with pytest.raises(parity.ParityError):
        study.run(study.prepare(corpus()), tmp_path / "run", Listener(), Options())
    assert not (tmp_path / "run" / "checkpoint").exists()
