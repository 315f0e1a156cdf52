"""The model as MLflow serves it: prompts in, scene texts out. Logged as code beside its checkpoint; needs neither torch nor a compiler.

mlflow models serve -m models:/spec12@champion --env-manager local
curl -d '{"inputs": ["[task:svg] ... [OUT]"], "params": {"max_new": 400}}' -H 'Content-Type: application/json' localhost:5000/invocations
"""

from __future__ import annotations

import threading

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel

MAX_NEW = 400  # tokens of an answer, unless the caller says otherwise


class SceneModel(PythonModel):
    """Greedy decoding of a checkpoint; params: max_new (tokens, default 400).

    May be called from several threads: one decodes, the others wait.
    """

    def load_context(self, context) -> None:
        from cengine import checkpoint
        from cengine.decode import Decoder
        from experiments.tokenizer import Coder

        loaded = checkpoint.load(context.artifacts["checkpoint"])
        self.coder = Coder.from_json(loaded.files["tokenizer.json"].decode())
        self.decoder = Decoder(loaded.config, loaded.weights)
        self.lock = threading.Lock()

    def predict(  # type: ignore[override]  # mlflow passes the context only to those who ask for it
        self, model_input: list[str], params: dict | None = None
    ) -> list[dict[str, str]]:
        """One {text, stop} for each prompt; stop is eos, budget or context. A prompt that cannot be asked has stop `error`, and `error` says why.

        Raises MlflowException (HTTP 400) for a max_new that is no number of tokens.
        """
        limit = _limit((params or {}).get("max_new", MAX_NEW))
        asked = self.coder.encode_many(model_input)
        ctx = self.decoder.config.ctx
        fits = [n for n, ids in enumerate(asked) if 1 <= len(ids) <= ctx]
        with self.lock:
            found = self.decoder.generate([asked[n] for n in fits], limit, self.coder.eos) if fits else []
        answers = {
            n: {"text": self.coder.decode(a.ids).strip(), "stop": a.reason} for n, a in zip(fits, found, strict=True)
        }
        return [answers.get(n) or _refusal(n, len(ids), ctx) for n, ids in enumerate(asked)]


def _limit(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise MlflowException.invalid_parameter_value(
        f"max_new: got {value!r}; expected a whole number of tokens, at least 1, for example {MAX_NEW}"
    )


def _refusal(number: int, tokens: int, ctx: int) -> dict[str, str]:
    why = f"prompt {number} has {tokens} tokens; expected 1 to {ctx}; send the order alone, ending in [OUT]"
    return {"text": "", "stop": "error", "error": why}


mlflow.models.set_model(SceneModel())
