"""The emitted C files stand alone: they compile without a warning, run clean under sanitizers, and give the bits of the portable engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cengine import emit, extract, loader
from cengine.decode import Decoder
from cengine.model import Config, initial, rotary_tables
from cengine.ops import IGNORED, OPS
from cengine.train import Batch, Optimizer, Trainer

STRICT = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"]
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
COMPILERS = sorted(
    {os.path.realpath(found): name for name in ("cc", "gcc", "clang") if (found := shutil.which(name))}.values()
)
SHAPES = {
    "tied": Config(vocab=83, layers=2, d_model=64, d_ff=96, heads=6, kv_heads=2, head_dim=14, ctx=200),
    "untied": Config(vocab=211, layers=1, d_model=51, d_ff=77, heads=3, kv_heads=1, head_dim=10, ctx=70, rope_theta=1e4, tied=False),
}  # fmt: skip
EOS, RATES = 5, (1e-3, 3e-3, 2e-3)

LOGITS = """
#include "decode.c"
int main(int argc, char **argv) {
    const char *wrong = argc == 3 ? decode_load(argv[1]) : "usage: logits WEIGHTS OUT <ids";
    FILE *out = fopen(argv[2], "wb");
    int id;
    while (!wrong && scanf("%d", &id) == 1) {
        const float *logits = decode_feed((int32_t)id);
        wrong = logits && fwrite(logits, sizeof *logits, DECODE_VOCAB, out) == DECODE_VOCAB ? NULL : "refused";
    }
    fclose(out);
    if (wrong) fprintf(stderr, "%s\\n", wrong);
    return wrong != NULL;
}
"""

STEPS = """
#include "step.c"
enum { N = STEP_ROWS * STEP_TIME, WINDOW = 2 };
static int32_t data[WINDOW][3][N];
int main(int argc, char **argv) {
    const char *wrong = argc == 5 ? step_load(argv[1], NULL, 0) : "usage: steps WEIGHTS OUT OUT_MOMENTS RATE,RATE <batches";
    step_batch window[WINDOW];
    step_result r;
    for (int i = 0; i < WINDOW; i++) window[i] = (step_batch){data[i][0], data[i][1], data[i][2]};
    for (char *rate = wrong ? NULL : strtok(argv[4], ","); rate && !wrong; rate = strtok(NULL, ",")) {
        if (fread(data, sizeof data, 1, stdin) != 1) wrong = "no batch";
        if (!wrong) wrong = step_run(window, WINDOW, strtod(rate, NULL), &r);
        if (!wrong) printf("%a %a %lld %lld\\n", r.loss, r.grad_norm, (long long)r.valid, (long long)r.step);
    }
    if (!wrong) wrong = step_save(argv[2], argv[3]);
    if (wrong) fprintf(stderr, "%s\\n", wrong);
    return wrong != NULL;
}
"""


@pytest.fixture
def portable():
    yield loader.choose("portable")
    loader.choose()


@pytest.fixture(params=SHAPES)
def config(request) -> Config:
    return SHAPES[request.param]


@pytest.fixture
def weights(config):
    return initial(config, 3, "normal", 0.2)


def compiled(folder, name: str, *flags: str, compiler: str = "cc"):
    """The program `name` made from `name`.c; any warning fails."""
    made = subprocess.run(
        [compiler, *STRICT, *(flags or ["-O2"]), f"{name}.c", "-lm", "-o", name],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0 and not made.stderr, made.stderr[:4000]
    return folder / name


def run(program, *arguments, given: bytes | str = "") -> str:
    fed = given.encode() if isinstance(given, str) else given
    done = subprocess.run([program, *map(str, arguments)], input=fed, capture_output=True, cwd=program.parent)
    assert done.returncode == 0, done.stderr.decode()[:4000]
    return done.stdout.decode()


def batches(config: Config, rows: int, time: int, count: int) -> list[Batch]:
    """Packed rows, some targets without loss."""
    rng, made = np.random.default_rng(7), []
    for _ in range(count):
        ids, targets = (rng.integers(0, config.vocab, (rows, time)).astype(np.int32) for _ in range(2))
        targets[rng.random((rows, time)) < 0.3] = IGNORED
        pos = np.arange(time, dtype=np.int32)[None].repeat(rows, 0)
        pos[1:, time // 3 :] -= time // 3
        made.append(Batch(ids, targets, pos))
    return made


@pytest.mark.parametrize("flags", [["-O2"], ["-O3", "-fno-math-errno"], SANITIZE], ids=["O2", "O3", "sanitized"])
def test_the_decoder_gives_the_logits_of_the_engine(portable, config, weights, tmp_path, flags):
    (tmp_path / "decode.c").write_text(emit.decoder(config, EOS))
    (tmp_path / "logits.c").write_text(LOGITS)
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    ids = [int(i) for i in np.random.default_rng(1).integers(0, config.vocab, config.ctx)]
    run(compiled(tmp_path, "logits", *flags), "model.safetensors", "out", given=" ".join(map(str, ids)))
    decoder = Decoder(config, weights, slots=1)
    expected = b"".join(decoder.forward([token], [0], [at]).tobytes() for at, token in enumerate(ids))
    assert (tmp_path / "out").read_bytes() == expected


def test_the_program_answers_prompts_as_the_engine_does(portable, config, weights, tmp_path):
    rng, decoder = np.random.default_rng(2), Decoder(config, weights, slots=1)
    prompts = [[int(i) for i in rng.integers(0, config.vocab, n)] for n in (1, 3, 20, config.ctx - 4, config.ctx)]
    free = decoder.generate(prompts[:1], 30, None)[0].ids
    eos = free[4]
    (tmp_path / "decode.c").write_text(emit.decoder(config, eos))
    save_file(weights, tmp_path / "model.safetensors")
    program = compiled(tmp_path, "decode", "-DCK_MAIN", *SANITIZE)
    said = run(program, "model.safetensors", 30, given="\n".join(" ".join(map(str, p)) for p in prompts) + "\n")
    answers = decoder.generate(prompts, 30, eos)
    assert {a.reason for a in answers} >= {"eos", "context"}
    assert [[int(i) for i in line.split()] for line in said.split("\n")[:-1]] == [a.ids for a in answers]


def test_the_lowest_id_wins_a_tie(tmp_path):
    config = SHAPES["tied"]
    (tmp_path / "decode.c").write_text(emit.decoder(config))
    save_file({n: np.zeros_like(w) for n, w in initial(config, 1).items()}, tmp_path / "model.safetensors")
    assert run(compiled(tmp_path, "decode", "-DCK_MAIN"), "model.safetensors", 3, given="7\n") == "0 0 0\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("1 2 x\n", "expected a prompt"),
        ("\n", "expected a prompt"),
        ("1 83\n", "expected a prompt"),
        ("1 -1\n", "expected a prompt"),
    ],
)
def test_the_program_refuses_a_prompt_with_a_sentence(tmp_path, given, said):
    config = SHAPES["tied"]
    (tmp_path / "decode.c").write_text(emit.decoder(config))
    save_file(initial(config, 1), tmp_path / "model.safetensors")
    program = compiled(tmp_path, "decode", "-DCK_MAIN", *SANITIZE)
    done = subprocess.run([program, "model.safetensors"], input=given, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1 and said in done.stderr and not done.stdout


def test_weights_of_another_model_are_refused_with_a_sentence(tmp_path):
    config = SHAPES["tied"]
    weights = initial(config, 1)
    (tmp_path / "decode.c").write_text(emit.decoder(config))
    program = compiled(tmp_path, "decode", "-DCK_MAIN", *SANITIZE)
    good = tmp_path / "model.safetensors"
    save_file(weights, good)
    norm = "model.norm.weight"
    faults = {
        "lacks model.norm.weight": {n: w for n, w in weights.items() if n != norm},
        "another type or shape than float32 of this model: model.norm.weight": {
            **weights,
            norm: np.ones(640, np.float32),
        },
        "of this model: model.norm.weight": {**weights, norm: np.ones(64, np.float64)},
    }
    texts = {"no safetensors file": b"", "of this model": b"\xff" * 99, "is cut off at": good.read_bytes()[:-70000]}
    for number, (said, content) in enumerate([*faults.items(), *texts.items()]):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(content) if isinstance(content, bytes) else save_file(content, path)
        done = subprocess.run([program, path], input="1\n", capture_output=True, text=True)
        assert done.returncode == 1 and said in done.stderr and not done.stdout, (said, done.stderr)
    missing = subprocess.run([program, "absent"], input="1\n", capture_output=True, text=True)
    assert missing.returncode == 1 and "absent: cannot be opened" in missing.stderr


@pytest.mark.parametrize("flags", [["-O2"], SANITIZE], ids=["O2", "sanitized"])
def test_three_steps_give_the_weights_and_losses_of_the_engine(portable, config, weights, tmp_path, flags):
    rows, time = 2, config.ctx - 19  # more than one block of rows, and a part of one
    optimizer = Optimizer(weight_decay=0.1, max_norm=0.5)
    (tmp_path / "step.c").write_text(emit.training_step(config, rows, time, optimizer))
    (tmp_path / "steps.c").write_text(STEPS)
    save_file(weights, tmp_path / "model.safetensors")
    data = batches(config, rows, time, 2 * len(RATES))
    given = b"".join(getattr(batch, name).tobytes() for batch in data for name in ("ids", "targets", "pos"))
    program = compiled(tmp_path, "steps", *flags)
    said = run(program, "model.safetensors", "trained", "moments", ",".join(map(str, RATES)), given=given)
    trainer = Trainer(config, rows, time, optimizer)
    trainer.load(weights)
    steps = [trainer.step(data[2 * i : 2 * i + 2], rate) for i, rate in enumerate(RATES)]
    assert [line.split() for line in said.splitlines()] == [
        [c_hex(s.loss), c_hex(s.grad_norm), str(s.valid), str(s.step)] for s in steps
    ]
    for file, expected in (("trained", trainer.weights()), ("moments", trainer.moments())):
        found = load_file(tmp_path / file)
        assert set(found) == set(expected)
        assert all(found[n].tobytes() == expected[n].tobytes() for n in expected)


def c_hex(value: float) -> str:
    """A double as printf %a writes it: no zeros at the end."""
    mantissa, _, exponent = value.hex().partition("p")
    return f"{mantissa.rstrip('0').rstrip('.')}p{exponent}"


def test_the_step_program_trains_on_lines_of_ids(tmp_path):
    config = SHAPES["tied"]
    (tmp_path / "step.c").write_text(emit.training_step(config, 1, 24))
    save_file(initial(config, 1), tmp_path / "model.safetensors")
    program = compiled(tmp_path, "step", "-DCK_MAIN", *SANITIZE)
    row = " ".join(str(i % 7) for i in range(25))
    said = run(program, "model.safetensors", "1e-2", "trained", given=f"{row}\n" * 8)
    losses = [float(line.split()[3]) for line in said.splitlines()]
    assert len(losses) == 8 and losses[-1] < losses[0] / 2
    assert set(load_file(tmp_path / "trained")) == set(config.parameters())
    refused = subprocess.run(
        [program, "model.safetensors", "1", "x"], input="1 2 83\n", capture_output=True, text=True, cwd=tmp_path
    )
    assert refused.returncode == 1 and "expected 2 to STEP_TIME + 1 token ids" in refused.stderr


def sources(config: Config) -> dict[str, str]:
    return {"decode": emit.decoder(config, EOS), "step": emit.training_step(config, 2, 40)}


@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3", "-Os"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_compiler_here_takes_the_files_without_a_warning(tmp_path, compiler, level):
    """The shapes of the tests, and the default one, whose sizes are multiples of everything."""
    for config in (*SHAPES.values(), Config(vocab=1088, layers=1)):
        for name, text in sources(config).items():
            (tmp_path / f"{name}.c").write_text(text)
            compiled(tmp_path, name, level, "-DCK_MAIN", compiler=compiler)


def test_a_file_needs_nothing_but_libc_and_libm(config):
    for text in sources(config).values():
        plain = extract.bare(text)
        for word in ("malloc", "calloc", "alloca", "free(", "pthread", "_mm", "#if ", "FN(", "__attribute__", "$"):
            assert word not in plain, word
        headers = {line.split("<")[1].rstrip(">") for line in text.splitlines() if line.startswith("#include")}
        assert headers <= {"math.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h"}


def test_a_file_is_the_same_text_in_every_process(config):
    made = "emit.decoder(c, 5) + emit.training_step(c, 2, 40)"
    code = f"from cengine import emit; from cengine.model import Config; c = {config!r}; print(end={made})"
    for seed in ("1", "2"):
        told = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        assert told.stdout == "".join(sources(config).values()), told.stderr


def test_packed_weights_that_no_portable_kernel_makes_take_no_memory():
    config = SHAPES["tied"]
    assert any(t.kind == "prepared" for t in Decoder(config, initial(config, 1), slots=1).graph.tensors.values())
    assert not any("/* prepared" in text for text in sources(config).values())


def test_tables_that_libm_rounds_otherwise_are_written_out(monkeypatch, tmp_path):
    config = SHAPES["tied"]
    cosine, sine = rotary_tables(config)
    cosine[3, 2] = np.nextafter(cosine[3, 2], np.float32(2))
    monkeypatch.setattr(emit, "rotary_tables", lambda c: (cosine, sine))
    text = emit.decoder(config)
    assert f"rope_cos[{3 * 7 + 2}] = {emit.literal(cosine[3, 2])};" in text


@pytest.mark.parametrize("value", [1e-6, 0.267261237, 1.0, 0.0, -3.5, 1e10, 1.17549435e-38])
def test_a_literal_gives_its_bits_back(value):
    text = emit.literal(value)
    assert text.endswith("f") and set(text) & set(".e") and np.float32(text[:-1]) == np.float32(value)


def test_every_op_that_the_table_has_can_be_taken_out():
    for op in OPS.values():
        for direction in op.directions.values():
            for phase in direction.phases:
                items = extract.portable().needed([phase.function])
                assert items[-1].text and all("FN(" not in i.text for i in items)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("#ifdef CK_A\n1\n#else\n2\n#endif\n3", "1 3"),
        ("#ifndef CK_A\n1\n#elif defined(CK_B)\n2\n#else\n3\n#endif", "3"),
        ("#if defined(CK_B) || !defined(CK_A)\n#if whatever\n1\n#endif\n#else\n2\n#endif", "2"),
        ("/*\n#ifdef CK_B\n*/\n1", "/* #ifdef CK_B */ 1"),
        ("#define CK_C\n#if defined(CK_C) && defined(CK_A)\n1\n#endif", "#define CK_C 1"),
    ],
)
def test_conditions_are_decided(text, kept):
    assert " ".join(line for line, _ in extract.resolve(text, {"CK_A"}, "here")) == kept


def test_a_condition_about_the_compiler_is_refused():
    with pytest.raises(ValueError, match=r"emit: here: got the condition 'MR == 8'; expected defined\(CK_"):
        list(extract.resolve("#if MR == 8\n#endif", set(), "here"))


def test_what_cannot_be_emitted_is_refused():
    config = SHAPES["tied"]
    with pytest.raises(ValueError, match=r"end token 83; expected 0\.\.82"):
        emit.decoder(config, 83)
    with pytest.raises(ValueError, match="0 rows of 10 tokens"):
        emit.training_step(config, 0, 10)
    with pytest.raises(ValueError, match="1 rows of 201 tokens"):
        emit.training_step(config, 1, 201)
    with pytest.raises(ValueError, match=r"defines FN\(absent\)"):
        extract.portable().function("absent")
    assert "DECODE_EOS = -1," in emit.decoder(replace(config, layers=1))
