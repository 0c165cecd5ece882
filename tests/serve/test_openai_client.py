"""The real `openai` package as client: whole and streamed answers, usage, stop, seed, logprobs, errors."""

from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

ASK = {"model": "tiny", "max_tokens": 12}


def test_models_are_listed_and_retrieved(client):
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").id == "tiny"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")


def test_a_completion_has_usage_and_a_reason(client):
    made = client.completions.create(prompt="hello", **ASK)
    assert made.object == "text_completion"
    assert made.usage.prompt_tokens == 6
    assert made.usage.completion_tokens <= 12
    assert made.choices[0].finish_reason in ("length", "stop")


def test_a_seed_repeats_and_another_does_not(client):
    texts = [client.completions.create(prompt="a", seed=seed, **ASK).choices[0].text for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_streamed_text_equals_whole_text(client):
    whole = client.completions.create(prompt="ab", seed=5, **ASK).choices[0]
    chunks = list(client.completions.create(prompt="ab", seed=5, stream=True, **ASK))
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.text
    assert chunks[-1].choices[0].finish_reason == whole.finish_reason
    assert len({chunk.id for chunk in chunks}) == 1


def test_messages_that_the_template_refuses_are_the_client_s_error(client):
    with pytest.raises(openai.BadRequestError, match="chat template") as caught:
        client.chat.completions.create(messages=[{"role": "assistant", "content": "a"}], **ASK)
    assert caught.value.param == "messages"


def test_chat_streams_role_content_reason_and_usage(client):
    ask = {"messages": [{"role": "user", "content": "hi"}], "seed": 3, **ASK}
    whole = client.chat.completions.create(**ask)
    chunks = list(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **ask))
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert reasons == [whole.choices[0].finish_reason]
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_stop_strings_end_the_text_before_them(client):
    whole = client.completions.create(prompt="stop", seed=9, **ASK).choices[0].text
    mark = next(c for c in whole[2:] if c.isprintable())
    cut = client.completions.create(prompt="stop", seed=9, stop=[mark], **ASK).choices[0]
    assert cut.text == whole[: whole.index(mark)]
    assert cut.finish_reason == "stop"


def test_logprobs_in_both_shapes(client):
    made = client.completions.create(prompt="a", logprobs=3, seed=1, **ASK).choices[0].logprobs
    assert len(made.tokens) == len(made.token_logprobs) == len(made.text_offset) <= 12
    assert all(value <= 0 for value in made.token_logprobs)
    chat = client.chat.completions.create(
        messages=[{"role": "user", "content": "a"}], logprobs=True, top_logprobs=2, seed=1, **ASK
    )
    entry = chat.choices[0].logprobs.content[0]
    assert len(entry.top_logprobs) == 2
    assert entry.top_logprobs[0].logprob >= entry.top_logprobs[1].logprob


def test_n_and_many_prompts_number_their_choices(client):
    made = client.completions.create(prompt=["a", "b"], n=2, **ASK)
    assert [choice.index for choice in made.choices] == [0, 1, 2, 3]


def test_echo_puts_the_prompt_first(client):
    made = client.completions.create(prompt="abc", echo=True, **ASK)
    assert made.choices[0].text.startswith("abc")


def test_company_does_not_change_an_answer(client):
    alone = [client.completions.create(prompt="x" * k, seed=k, **ASK).choices[0].text for k in range(1, 7)]
    with ThreadPoolExecutor(6) as pool:
        together = pool.map(lambda k: client.completions.create(prompt="x" * k, seed=k, **ASK), range(1, 7))
        assert [made.choices[0].text for made in together] == alone


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"model": "gpt-5"}, 404, "model_not_found"),
        ({"temperature": 3}, 400, "invalid_value"),
        ({"max_tokens": 10**6}, 400, "invalid_value"),
        ({"prompt": "x" * 500}, 400, "context_length_exceeded"),
        ({"presence_penalty": 1.0}, 400, "invalid_value"),
        ({"suffix": "x"}, 400, "unsupported"),
        ({"n": 0}, 400, "invalid_value"),
        ({"stop": ["a"] * 5}, 400, "invalid_value"),
        ({"prompt": None}, 400, "invalid_value"),
    ],
)
def test_refusals_have_openais_shape(client, change, status, code):
    with pytest.raises(openai.APIStatusError) as caught:
        client.post("/completions", body={"prompt": "a", **ASK, **change}, cast_to=object)
    assert caught.value.status_code == status
    assert caught.value.body["code"] == code
    assert caught.value.body["type"] == "invalid_request_error"
    assert caught.value.body["message"]


def test_images_are_refused_not_ignored(client):
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(messages=[image], **ASK)
