"""From the dial to a run's numbers, and what planning refuses."""

import subprocess
import sys

import pytest

from genwright.core import SpecError
from genwright.core.protocols import TokenShape
from genwright.stages.fit.config import FitConfig, config_for
from genwright.stages.train.config import TrainConfig
from genwright.stages.train.shape import check, describe, resolve, summary
from genwright.trainer import TrainerConfig


def test_small_is_the_benchmark_size() -> None:
    plan = describe(TrainConfig())
    assert plan["num_parameters"] == pytest.approx(12.2e6, rel=0.01)
    assert plan["family"]["net"]["num_layers"] == 6
    assert plan["budget"] == {"time": "60s"}


def test_a_compute_budget_sets_size_and_tokens() -> None:
    plan = describe(TrainConfig(compute_flops=1e16))
    assert plan["budget"] == {"tokens": 20 * plan["num_parameters"]}
    assert 6 * plan["num_parameters"] * plan["budget"]["tokens"] <= 1e16
    timed = TrainerConfig.parse({"budget": {"time": "5m"}}, where="trainer")
    assert describe(TrainConfig(compute_flops=1e16, trainer=timed))["budget"] == {"time": "5m"}


def test_rows_fill_the_batch() -> None:
    found = resolve(
        TrainConfig.parse({"context_tokens": 100, "trainer": {"batch_tokens": 1024}}, where="train"),
        shape=TokenShape(300, 298, 299, 512),
    )
    assert (found.batch_rows, found.micro_rows, found.shape.context_tokens) == (10, 10, 100)


def test_samples_that_stand_for_themselves_keep_the_codecs_length() -> None:
    config = TrainConfig.parse({"context_tokens": 100, "trainer": {"batch_samples": 40}}, where="train")
    found = resolve(config, shape=TokenShape(300, 298, 299, 24), stream=False)
    assert (found.batch_rows, found.shape.context_tokens) == (40, 24)


def test_shapes_that_do_not_fit_fail_at_planning() -> None:
    family = {"kind": "autoregressive", "net": {"kind": "transformer", "d_model": 64, "num_heads": 5}}
    with pytest.raises(SpecError, match="num_heads=5"):
        check({"train": TrainConfig.parse({"family": family}, where="train")}, "text")


def test_unknown_nets_are_named() -> None:
    with pytest.raises(SpecError, match="did you mean 'lstm'"):
        TrainConfig.parse({"family": {"kind": "autoregressive", "net": "lstmm"}}, where="train")


def test_planning_imports_no_torch() -> None:
    code = (
        "import sys; from genwright.stages.train.config import STAGE;"
        "from genwright.stages.train.shape import describe;"
        "describe(STAGE.config()); sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_planning_knows_that_columns_have_ids_of_their_own() -> None:
    family = {"kind": "diffusion", "net": {"kind": "mlp", "dropout": 0.3}}
    train = TrainConfig.parse({"family": family}, where="train")
    check({"train": train, "fit": FitConfig.parse({"codec": "table-bins"}, where="fit")}, "table")
    with pytest.raises(SpecError, match="takes a net such as 'bidirectional'"):
        check({"train": train, "fit": FitConfig.parse({"codec": "music-tokens"}, where="fit")}, "music")


def line(family, codec: str, **fit) -> str:
    train = TrainConfig.parse({"family": family, "size": "nano"}, where="train")
    return summary({"train": train, "fit": FitConfig.parse({"codec": codec, **fit}, where="fit")})


def test_a_plan_names_the_net_that_a_layout_has() -> None:
    trees = {"kind": "autoregressive", "net": {"kind": "trees"}}
    assert line("autoregressive", "table-bins").startswith("perceptron over cells 1 x ")
    assert line(trees, "table-bins") == "trees in 16 orders, fitted without steps"
    assert line("cart", "table-bins") == "cart, fitted without steps"
    assert line("autoregressive", "image-levels").startswith("transformer over cells ")
    told = line({"kind": "autoregressive", "cell_width": 96, "cell_layers": 3}, "music-tokens")
    assert told.startswith("transformer over cells 3 x 96,") and "parameters" not in told


def test_trees_are_told_no_condition_which_planning_knows() -> None:
    family = {"kind": "autoregressive", "net": {"kind": "trees"}}
    train = TrainConfig.parse({"family": family}, where="train")
    fit = config_for("table").parse({"codec": "table-bins", "condition": [{"column": "x"}]}, where="fit")
    with pytest.raises(SpecError, match="trees take no condition"):
        check({"train": train, "fit": fit}, "table")
