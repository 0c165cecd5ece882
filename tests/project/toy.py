"""Three toy stages: numbers, doubled, a judged total. They stand in for real ones where only the runner is tested."""

import json
from pathlib import Path

from pydantic import Field

from genwright.core import CapabilityError, Config, DataError, Produced, StageResult, StageSpec
from genwright.core.claim import ClaimDraft, Derivation
from genwright.measure import write_scores


class NumbersConfig(Config):
    values: tuple[float, ...] = (1.0, 2.0, 3.0)
    fail: str = ""


class DoubleConfig(Config):
    factor: float = Field(default=2.0, gt=0)


class JudgeConfig(Config):
    maximum: float = 100.0


CALLS: list[str] = []


def numbers(config, context):
    CALLS.append("numbers")
    if config.fail == "data":
        raise DataError("numbers.txt, line 3: not a number", hint="mend the line")
    if config.fail == "disk":
        raise OSError(28, "No space left on device")
    if config.fail == "bug":
        raise ZeroDivisionError("a defect")
    if config.fail == "stop":
        raise KeyboardInterrupt
    folder = context.folder("numbers")
    (folder / "numbers.json").write_text(json.dumps(config.values))
    scores = context.folder("scores")
    write_scores(scores, {"id": [str(i) for i in range(len(config.values))], "x": list(config.values)})
    mean = Derivation("mean", {"value": "x"}, interval="t")
    draft = ClaimDraft("numbers", "mean_value", "1", "number_scores", mean, data="numbers", better="lower")
    return StageResult({"numbers": Produced("numbers", folder), "number_scores": Produced("scores", scores)}, [draft])


def double(config, context):
    CALLS.append("double")
    values = json.loads((context.inputs["numbers"].path / "numbers.json").read_text())
    calibrated = context.decide("calibration", lambda: len(CALLS))
    folder = context.folder("doubled")
    (folder / "doubled.json").write_text(json.dumps([config.factor * value for value in values]))
    context.log(1, {"calibrated": calibrated})
    return StageResult({"doubled": Produced("doubled", folder)})


def judge(config, context):
    CALLS.append("judge")
    limit = context.facts["fixed"]["value"]["maximum"]
    total = sum(json.loads((context.inputs["doubled"].path / "doubled.json").read_text()))
    passed = total <= limit
    verdict = {
        "system": context.inputs["doubled"].digest,
        "passed": passed,
        "reason": "" if passed else f"{total} > {limit}",
    }
    if not passed:
        return StageResult({}, verdict=verdict)
    folder = context.folder("release")
    (folder / "total.json").write_text(json.dumps(total))
    return StageResult({"release": Produced("release", folder)}, verdict=verdict)


def fixed(config, root: Path):
    return {"maximum": config.maximum}


def check(stages, modality):
    if modality != "text":
        raise CapabilityError("toy stages work on text only")


def ready(config, folder: Path, *, modality, root: Path):
    CALLS.append("ready")
    if sum(json.loads((folder / "numbers.json").read_text())) > config.maximum:
        raise DataError("the numbers alone are more than the maximum")


HERE = "toy:"
MADE = {"numbers": "numbers", "number_scores": "scores"}
STAGES = {
    "numbers": StageSpec("numbers", 10, "1", NumbersConfig, HERE + "numbers", (), MADE, check=HERE + "check"),
    "double": StageSpec("double", 20, "1", DoubleConfig, HERE + "double", ("numbers",), {"doubled": "doubled"}),
    "release": StageSpec(
        "release", 30, "1", JudgeConfig, HERE + "judge", ("doubled",), {"release": "release"}, fixed=HERE + "fixed"
    ),
}
