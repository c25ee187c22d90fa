"""Claims: findings of papers as data, held against records."""

from __future__ import annotations

from harness.analysis.claims.evaluation import Evaluation, Part, RecordOfClaim, Verdict, evaluate_claim, evaluate_claims
from harness.analysis.claims.loading import CLAIMS_FOLDER, load_claims
from harness.analysis.claims.model import Claim

__all__ = [
    "CLAIMS_FOLDER",
    "Claim",
    "Evaluation",
    "Part",
    "RecordOfClaim",
    "Verdict",
    "evaluate_claim",
    "evaluate_claims",
    "load_claims",
]
