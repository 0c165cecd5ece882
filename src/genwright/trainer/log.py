"""The training log as a scores table, and the claims that derive from it."""

from collections.abc import Mapping, Sequence

from genwright.core import ClaimDraft, Derivation
from genwright.trainer.loop import Outcome

Column = list[str | int | float | bool | None]
LATE = 5  # lines at the end of a log that a claim on what was logged is of


def log_columns(outcome: Outcome, *, num_parameters: int) -> dict[str, Column]:
    """One row per line of the log; `kept` marks the step whose weights were kept, `last` the end of training.

    What the family logged has a column by its name, and `late NAME` marks the last `LATE` lines that have it.
    """
    log = outcome.log
    before = [0, *(row.units for row in log[:-1])]
    columns: dict[str, Column] = {
        "step": [row.step for row in log],
        "units": [row.units for row in log],
        "interval_units": [row.units - start for row, start in zip(log, before, strict=True)],
        "train_loss": [row.train_loss for row in log],
        "validation_loss": [row.validation_loss for row in log],
        "learning_rate": [row.learning_rate for row in log],
        "gradient_norm": [row.gradient_norm for row in log],
        "kept": [row.step == outcome.kept_step for row in log],
        "last": [row is log[-1] for row in log],
        "num_parameters": [num_parameters for _ in log],
        "diverged": [outcome.diverged for _ in log],
        "step_cpu_seconds": [row.step_cpu_seconds for row in log],
        "step_wall_seconds": [row.step_wall_seconds for row in log],
        "wall_seconds": [row.wall_seconds for row in log],
        "cpu_seconds": [row.cpu_seconds for row in log],
    }
    for name in sorted({name for row in log for name in row.means} - columns.keys()):
        values = [row.means.get(name) for row in log]
        known = [at for at, value in enumerate(values) if value is not None]
        columns[name] = [*values]
        columns[f"late {name}"] = [at in known[-LATE:] for at in range(len(log))]
    if (mechanism := outcome.mechanism) is not None:
        steps = [0, *(row.step for row in log[:-1])]
        columns["noise_multiplier"] = [mechanism.multiplier for _ in log]
        columns["sampling_rate"] = [mechanism.rate for _ in log]
        columns["interval_steps"] = [row.step - start for row, start in zip(log, steps, strict=True)]
    return columns


def _draft(metric: str, unit: str, derivation: Derivation, **more: object) -> ClaimDraft:
    return ClaimDraft("model", metric, unit, "training_log", derivation, **more)  # type: ignore[arg-type]


def claims(*, validated: bool, unit: str, loss_unit: str | None = None) -> Sequence[ClaimDraft]:
    """What the log says of the model and of the run; `unit` is a token or a sample, and `loss_unit` that of losses.

    `training_diverged` is 1 where training went wrong and the weights are those of the best look before.
    """
    loss = f"nats/{loss_unit or unit}"
    drafts = [
        _draft("parameters", "parameters", Derivation("max", {"value": "num_parameters"})),
        _draft(f"training_{unit}s", f"{unit}s", Derivation("max", {"value": "units"})),
        _draft(
            f"{unit}s_per_cpu_second",
            f"{unit}s/s",
            Derivation("ratio", {"numerator": "interval_units", "denominator": "step_cpu_seconds"}),
            better="higher",
        ),
    ]
    if validated:
        kept = Derivation("mean", {"value": "validation_loss"}, where={"kept": True})
        drafts.append(_draft("validation_loss", loss, kept, better="lower", data="dataset"))
        # Beside the one that was kept it shows a training that went wrong after it.
        last = Derivation("mean", {"value": "validation_loss"}, where={"last": True})
        shared = {"better": "lower", "data": "dataset", "headline": False}
        drafts.append(_draft("final_validation_loss", loss, last, **shared))
        ended = Derivation("mean", {"value": "diverged"}, where={"last": True})
        drafts.append(_draft("training_diverged", "1", ended, better="lower", headline=False))
    return drafts


def sign_claims(outcome: Outcome, signs: Mapping[str, tuple[str, str]], /) -> list[ClaimDraft]:
    """How what a family logs stood at the end: `signs` has the metric and its unit by the name in the log.

    They tell of a collapse (a latent that says nothing, codes that are not used, samples without spread).
    """
    logged = {name for row in outcome.log for name in row.means}
    return [
        _draft(metric, unit, Derivation("mean", {"value": name}, where={f"late {name}": True}), headline=False)
        for name, (metric, unit) in signs.items()
        if name in logged
    ]
