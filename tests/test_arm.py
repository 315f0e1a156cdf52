"""The engine's C builds for ARM without a warning, and a decoder for ARM computes what this machine does: with a cross compiler and an
emulator where there are any. Nothing is fast there: the portable kernels run."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from safetensors.numpy import save_file
from test_emit import LOGITS, SHAPES, STRICT

from cengine import emit
from cengine.build import HERE, builder
from cengine.decode import Decoder
from cengine.model import initial

COMPILER, EMULATOR = (shutil.which(name) for name in ("aarch64-linux-gnu-gcc", "qemu-aarch64"))
needs_compiler = pytest.mark.skipif(not COMPILER, reason="aarch64-linux-gnu-gcc is not installed")
needs_emulator = pytest.mark.skipif(
    not (COMPILER and EMULATOR), reason="aarch64-linux-gnu-gcc and qemu-aarch64 are not both installed"
)


@needs_compiler
def test_every_file_of_the_engine_builds_for_arm(tmp_path):
    builder()  # writes the generated files
    sources = [*sorted((HERE / "c").glob("*.c")), *sorted((HERE / "c" / "generated").glob("kernels_*.c"))]
    flags = [
        "-O1",
        "-std=gnu11",
        "-ffp-contract=off",
        "-Wall",
        "-Werror",
        "-Wno-unused-function",
        "-Wno-unknown-pragmas",
    ]
    folders = [f"-I{HERE / 'c'}", f"-I{HERE / 'c' / 'generated'}"]
    objects = []
    for source in sources:
        objects.append(tmp_path / f"{source.stem}.o")
        fingerprint = '-DCK_FINGERPRINT="arm"'
        done = subprocess.run(
            [COMPILER, *flags, *folders, fingerprint, "-fPIC", "-c", source, "-o", objects[-1]],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 and not done.stderr, f"{source.name}: {done.stderr[:2000]}"
    linked = [COMPILER, "-shared", "-Wl,--no-undefined", *objects, "-lpthread", "-lm", "-o", tmp_path / "engine.so"]
    done = subprocess.run(linked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]


@needs_emulator
def test_a_decoder_for_arm_computes_the_same_logits(tmp_path):
    """Within rounding: exp and sine of another C library may differ in the last bit."""
    config = SHAPES["tied"]
    weights = initial(config, 3, "normal", 0.2)
    (tmp_path / "decode.c").write_text(emit.decoder(config))
    (tmp_path / "logits.c").write_text(LOGITS)
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    made = subprocess.run(
        [COMPILER, *STRICT, "-O2", "-static", "logits.c", "-lm", "-o", "logits"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0 and not made.stderr, made.stderr[:2000]
    ids = [int(i) for i in np.random.default_rng(1).integers(0, config.vocab, 60)]
    subprocess.run(
        [EMULATOR, "./logits", "model.safetensors", "out"],
        input=" ".join(map(str, ids)).encode(),
        cwd=tmp_path,
        check=True,
    )
    got = np.frombuffer((tmp_path / "out").read_bytes(), np.float32).reshape(len(ids), config.vocab)
    decoder = Decoder(config, weights, slots=1)
    expected = np.concatenate([decoder.forward([token], [0], [at]).copy() for at, token in enumerate(ids)]).reshape(
        got.shape
    )
    assert np.linalg.norm(got - expected) <= 1e-5 * np.linalg.norm(expected)
