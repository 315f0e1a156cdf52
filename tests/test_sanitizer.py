"""The kernel tests under AddressSanitizer and UndefinedBehaviorSanitizer, in an engine built for it. `make sanitize` runs this.

Every test with the mark `kernel` runs once more, on every instruction set of this machine, with all of an arena forbidden but the tensors
of the call that runs. Vector kernels may read a guard behind a tensor, so a read that is too long by less is only seen in the portable
kernels; a write is seen by the guard words.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from variant import ROOT, built, planted, python

FLAGS = "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -DCK_SANITIZED"
PLANTED = {  # a name -> where, what stands there, what is planted, the tests that meet it, what the sanitizer says
    "a read that is too long by one": (
        "swiglu.c", "expf(-g[i])) * u[i];", "expf(-g[i])) * u[i + 1];",
        "portable and swiglu and forward", "AddressSanitizer",
    ),
    "a shift that is too far": (
        "swiglu.c", "1.0f / (1.0f + expf(-g[i]));", "1.0f / (1.0f + expf(-g[i])) + 0.0f * (float)(1 << (int)(C + 31));",
        "portable and swiglu and backward_equals_its", "runtime error: shift exponent",
    ),
}  # fmt: skip
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runtime(tmp_path_factory) -> str:
    """The sanitizer's library, which must be in the process before Python is; skips with the reason where there is none."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or not compiler:
        pytest.skip("sanitizers run on Linux with cc; not here")
    place = tmp_path_factory.mktemp("probe")
    (place / "probe.c").write_text("int main(void) { return 0; }\n")
    made = subprocess.run(
        [compiler, *FLAGS.split(), "probe.c", "-o", "probe"], cwd=place, capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"this compiler has no sanitizers: {made.stderr.strip().splitlines()[-1][:200]}")
    asked = [compiler, "-print-file-name=libasan.so"]
    found = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    if not Path(found).is_absolute():
        pytest.skip("the sanitizer of this compiler is no shared library (gcc's is): it cannot be put before Python")
    return found


def checked(tree: Path, runtime: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest in the engine of `tree`; -s, because what a sanitizer says comes when nobody captures any more."""
    return python(
        tree, "-m", "pytest", "-s", "-x", "-p", "no:cacheprovider", *arguments,
        LD_PRELOAD=runtime, ASAN_OPTIONS="detect_leaks=0", UBSAN_OPTIONS="print_stacktrace=1", PYTHONMALLOC="malloc", CKTRACK_GUARD="1",
    )  # fmt: skip


def test_the_kernel_tests_run_clean_under_sanitizers(tmp_path, runtime):
    files = [str(p) for p in sorted((ROOT / "tests").glob("test_*.py")) if "pytest.mark.kernel" in p.read_text()]
    assert len(files) > 3, "the mark is gone from where kernels are tested"
    tree = built(tmp_path, FLAGS)
    sanitized = python(tree, "-c", "from cengine.loader import lib; print(lib.ck_sanitized())", LD_PRELOAD=runtime)
    assert sanitized.stdout == "1\n", "an engine without sanitizers would prove nothing"
    done = checked(tree, runtime, "-m", "kernel", *(f for f in files if f != __file__))
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


def test_planted_mistakes_are_caught(tmp_path, runtime):
    tree = planted(tmp_path, FLAGS, *(plant[:3] for plant in PLANTED.values()))
    for name, (*_, tests, said) in PLANTED.items():
        done = checked(tree, runtime, str(ROOT / "tests" / "test_op.py"), "-k", tests)
        assert done.returncode != 0 and said in done.stderr, (name, (done.stdout + done.stderr)[-3000:])
        assert "swiglu_" in done.stderr, f"{name}: the kernel is not named"
