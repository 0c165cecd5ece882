"""Settings of langchain's standard tests; `conformance.py` runs them with pytest in an environment of their own."""

import os
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests


@pytest.fixture
def vcr() -> None:
    """Recording plays no part here."""


class TestServed(ChatModelIntegrationTests):
    """`ChatOpenAI` over the server: no pictures, sounds or files."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        """The client."""
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """Greedy, with a penalty, or a small model goes round in circles."""
        where = {"base_url": os.environ["SERVED_URL"], "api_key": "unused", "max_retries": 0, "stream_usage": True}
        model = os.environ["SERVED_NAMES"].split()[0]
        return {"model": model, "temperature": 0, "max_tokens": 300, "extra_body": {"repetition_penalty": 1.2}, **where}

    @property
    def supports_json_mode(self) -> bool:
        """Any JSON object."""
        return True

    @property
    def model_override_value(self) -> str:
        """Another name of the same model."""
        return os.environ["SERVED_NAMES"].split()[1]
