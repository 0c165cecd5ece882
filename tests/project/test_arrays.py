"""Claims from arrays beside a scores table: derived from the stored bytes, and verified from them."""

import numpy as np

from genwright.core import Produced, StageResult
from genwright.core.claim import ClaimDraft, Derivation
from genwright.measure import write_scores

FRECHET = Derivation("frechet", {"side": "side"}, interval="bootstrap", resamples=20)


def _with_features(config, context):
    features = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    numbers, scores = context.folder("numbers"), context.folder("scores")
    (numbers / "numbers.json").write_text("[1.0]")
    write_scores(scores, {"side": [row % 2 for row in range(12)]}, arrays={"features": features})
    draft = ClaimDraft("numbers", "frechet", "1", "number_scores", FRECHET)
    return StageResult({"numbers": Produced("numbers", numbers), "number_scores": Produced("scores", scores)}, [draft])


def test_verify_derives_claims_from_arrays_and_names_a_flipped_byte(project, toys, monkeypatch):
    monkeypatch.setattr(toys, "numbers", _with_features)
    (done, *_) = project.run()
    estimate = done.claims[0].estimate
    assert estimate.value > 0 and estimate.low < estimate.value < estimate.high
    assert project.verify().problems == ()
    path = project.ledger.store.path(done.claims[0].scores) / "arrays" / "features.npy"
    path.chmod(0o600)
    clean = path.read_bytes()
    path.write_bytes(clean[:-2] + bytes([clean[-2] ^ 64]) + clean[-1:])
    problems = project.verify().problems
    assert any("arrays/features.npy is not what was stored" in problem for problem in problems)
    assert any("(frechet) says" in problem or "(frechet) cannot be derived" in problem for problem in problems)
