"""A small pretrained model, chats and texts to adapt it to, and the stage called on them."""

from dataclasses import replace

import pytest

from genwright.stages.adapt.config import AdaptConfig
from genwright.stages.adapt.run import run
from genwright.stages.base.config import BaseConfig
from genwright.stages.base.run import run as run_base

from ..base.models import write_model
from .samples import chats, write_dataset


@pytest.fixture(scope="session")
def small_base(tmp_path_factory):
    """Folder of a small model in the hub's layout."""
    return write_model(tmp_path_factory.mktemp("adapt") / "model")


@pytest.fixture(scope="session")
def made():
    """What [base] made, once for all tests."""
    return {}


@pytest.fixture
def base(made, small_base, make_context, as_artifact):
    """The artifacts that [base] makes of it."""
    if not made:
        result = run_base(BaseConfig.parse({"path": str(small_base)}, where="base"), make_context())
        made.update({name: as_artifact(result.artifacts[name]) for name in ("model", "codec")})
    return dict(made)


@pytest.fixture
def adapt(base, make_context, tmp_path):
    """Runs the stage: returns its result; `columns` are the samples by split."""

    def call(
        columns=None,
        *,
        root=None,
        checkpoints=None,
        should_stop=lambda: False,
        modality="chat",
        inputs=None,
        **settings,
    ):
        columns = columns or {"train": chats(24), "validation": chats(6, offset=1)}
        folder = tmp_path / f"data-{len(list(tmp_path.iterdir()))}"
        taken = {**base, "dataset": write_dataset(folder, columns), **(inputs or {})}
        context = replace(make_context(root, inputs=taken, should_stop=should_stop), modality=modality)
        if checkpoints is not None:
            context = replace(context, checkpoints=checkpoints)
        trainer = {"batch_samples": 8, "precision": "float32", "optimiser": {"learning_rate": 0.03}}
        trainer |= settings.pop("trainer", {})
        if "epochs" not in settings:
            trainer = {"budget": {"steps": 8}} | trainer
        return run(AdaptConfig.parse({"trainer": trainer, **settings}, where="adapt"), context)

    return call
