"""The settings that the manual shows are settings that work."""

import re
import tomllib
from pathlib import Path

import pytest

from genwright.stages.data.config import DataConfig
from genwright.stages.fit.config import FitConfig

DOCS = Path(__file__).parents[3] / "docs" / "stages"


@pytest.mark.parametrize(("page", "config"), [("data", DataConfig), ("fit", FitConfig)])
def test_examples_parse(page, config):
    examples = re.findall(r"```toml\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL)
    assert examples
    for example in examples:
        section = tomllib.loads(example)[page]
        if page == "data":
            section.setdefault("sources", [{"path": "corpus"}])
        config.parse(section, where=page)
