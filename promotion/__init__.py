"""Who wins: exact statistics, gates and an append-only journal that decide which checkpoint holds the champion alias.

    evidence (raw outputs) -> recompute -> Matrix -> gates -> Verdicts -> decide -> Event -> apply -> State

Pure Python on plain data: no MLflow, no file, no clock, no randomness. Setting the alias is the store's business.
"""

from promotion.champion import BrokenChain, Request, StaleDecision, State, apply, decide, fold, judged, roll_back
from promotion.contract import Case, Contract
from promotion.event import Event
from promotion.evidence import Evidence, Output, contest, recompute, score
from promotion.gate import gates, judge, wins
from promotion.identity import Identity, differences
from promotion.matrix import SCORES, CaseScore, Contest, Matrix
from promotion.metric import Rate, measure, metrics
from promotion.proof import LeakProof, ParityReport, SplitClaim
from promotion.record import PromotionError
from promotion.stage import Policy, load
from promotion.verdict import Status, Verdict

__all__ = [
    "SCORES", "BrokenChain", "Case", "CaseScore", "Contest", "Contract", "Event", "Evidence", "Identity", "LeakProof",
    "Matrix", "Output", "ParityReport", "Policy", "PromotionError", "Rate", "Request", "SplitClaim", "StaleDecision",
    "State", "Status", "Verdict", "apply", "contest", "decide", "differences", "fold", "gates", "judge", "judged", "load",
    "measure", "metrics", "recompute", "roll_back", "score", "wins",
]  # fmt: skip
