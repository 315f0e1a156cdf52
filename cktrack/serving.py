"""The model as MLflow serves it: prompts in, scene texts out. Logged as code beside its checkpoint; needs neither torch nor a compiler.

mlflow models serve -m models:/spec12@champion --env-manager local
curl -d '{"inputs": ["[task:svg] ... [OUT]"]}' -H 'Content-Type: application/json' localhost:5000/invocations
"""

from __future__ import annotations

import mlflow
from mlflow.pyfunc import PythonModel


class SceneModel(PythonModel):
    """Greedy decoding of a checkpoint; params: max_new (tokens, default 400)."""

    def load_context(self, context) -> None:
        from cengine import checkpoint
        from cengine.decode import Decoder
        from experiments.tokenizer import Coder

        loaded = checkpoint.load(context.artifacts["checkpoint"])
        self.coder = Coder.from_json(loaded.files["tokenizer.json"].decode())
        self.decoder = Decoder(loaded.config, loaded.weights)

    def predict(  # type: ignore[override]  # mlflow passes the context only to those who ask for it
        self, model_input: list[str], params: dict | None = None
    ) -> list[dict[str, str]]:
        """One {text, stop} for each prompt; stop is eos, budget or context."""
        limit = int((params or {}).get("max_new", 400))
        answers = self.decoder.generate(self.coder.encode_many(model_input), limit, self.coder.eos)
        return [{"text": self.coder.decode(a.ids).strip(), "stop": a.reason} for a in answers]


mlflow.models.set_model(SceneModel())
