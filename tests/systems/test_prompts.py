"""Prompt patterns: what they ask, and what they make of the answers."""

from types import SimpleNamespace

import pytest

from genwright.core import DataError, IntegrityError, component
from genwright.core.registry import kinds
from genwright.families import SamplingConfig
from genwright.systems.prompted import PromptedSystem
from genwright.systems.prompts import Prompt, read_prompt, write_prompt
from genwright.systems.prompts.decomposition import parts
from genwright.systems.prompts.reasoning import voted
from genwright.systems.requests import Completion, DocumentScore, GenerationRequest

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}


class Echo:
    """Keeps what was asked, and answers by a function of the last message and the seed."""

    def __init__(self, reply=lambda said, request: said):
        self.sampling, self.reply, self.seen = SamplingConfig(temperature=0.3), reply, []
        self.manifest = SimpleNamespace(modality="chat")

    def request(self, prompt, /, *, max_tokens, seed=0, stop=(), sampling=None):
        settings = SamplingConfig.parse({**self.sampling.model_dump(), **(sampling or {})}, where="sampling")
        return GenerationRequest(prompt, max_tokens, settings, seed, tuple(stop))

    def generate(self, requests):
        self.seen += requests
        made = [self.reply(r.prompt if isinstance(r.prompt, str) else r.prompt[-1][1], r) for r in requests]
        return [Completion(text, (1, 2), (-0.1, -0.2), "stop", 5) for text in made]

    def stream(self, request):
        yield from self.generate([request])[0].text

    def answer_log_prob(self, questions, answers):
        return [DocumentScore(float(len(q)), 1, len(a)) for q, a in zip(questions, answers, strict=True)]


def prompted(kind, reply=lambda said, request: said, *, pool=(), sampling=None, **settings):
    pattern = component("prompts", kind).config.parse({"kind": kind, **settings}, where="pattern")
    echo = Echo(reply)
    return PromptedSystem(echo, prompt=Prompt(pattern=pattern, examples=pool, sampling=sampling)), echo


def ask(system, *said, **more):
    return system.generate([system.request(chat_of(one), max_tokens=9, **more) for one in said])


def chat_of(said):
    return (("user", said),)


def test_zero_shot_puts_the_question_into_its_template():
    system, echo = prompted("zero-shot", instruction="Sum up.", stop=("\n",), system="You are terse.")
    assert ask(system, "text")[0].text == "Sum up.\n\ntext"
    assert echo.seen[0].prompt == (("system", "You are terse."), ("user", "Sum up.\n\ntext"))
    assert echo.seen[0].stop == ("\n",)


def test_what_was_said_before_stays():
    system, echo = prompted("zero-shot", template="<{{ input }}>")
    before = (("user", "a"), ("assistant", "b"))
    system.generate([system.request((*before, ("user", "c")), max_tokens=3)])
    assert echo.seen[0].prompt == (*before, ("user", "<c>"))


def test_persona_stands_in_front():
    _, echo = (pair := prompted("persona", persona="You are a chemist."))
    ask(pair[0], "what is it?")
    assert echo.seen[0].prompt[0] == ("system", "You are a chemist.")


SELECTED = {"examples": "selected"}
EXAMPLES = tuple(
    (("user", said), ("assistant", reply)) for said, reply in (("cats purr", "cat"), ("dogs bark", "dog"), ("x", "y"))
)


def test_few_shot_shows_the_first_examples_to_all():
    system, echo = prompted("few-shot", pool=EXAMPLES, num_shots=2, template="Q: {{ input }}")
    ask(system, "loud dogs")
    assert echo.seen[0].prompt == (
        ("user", "Q: cats purr"), ("assistant", "cat"), ("user", "Q: dogs bark"), ("assistant", "dog"),
        ("user", "Q: loud dogs"),
    )  # fmt: skip


def test_few_shot_selects_those_that_are_most_like_the_question():
    system, echo = prompted("few-shot", pool=EXAMPLES, num_shots=1, **SELECTED)
    ask(system, "loud dogs")
    assert echo.seen[0].prompt[0] == ("user", "dogs bark")


def test_a_chain_of_thought_keeps_the_answer_alone():
    system, echo = prompted("chain-of-thought", lambda said, _: "2 + 2 is four.\nAnswer: 4\nmore")
    assert ask(system, "2 + 2?")[0].text == "4"
    assert "step by step" in echo.seen[0].prompt[-1][1] and "'Answer:'" in echo.seen[0].prompt[-1][1]
    system, _ = prompted("chain-of-thought", lambda said, _: "no mark\nlast line\n")
    assert ask(system, "x")[0].text == "last line"


def test_self_consistency_takes_the_answer_of_most_chains():
    replies = {0: "Answer: 5", 1: "Answer: 4", 2: "Answer: 4."}
    system, echo = prompted("self-consistency", lambda _, request: replies[request.seed % 3], num_chains=3)
    found = ask(system, "2 + 2?")[0]
    assert found.text == "4" and found.num_tokens == 6 and found.num_prompt_tokens == 15
    assert {request.sampling.temperature for request in echo.seen} == {0.7}
    assert len({request.seed for request in echo.seen}) == 3
    assert voted(["red apple", "a red apple", "stone"]) == "red apple"


def test_refinement_answers_the_better_question():
    system, echo = prompted("refinement", lambda said, _: "better" if said.startswith("Rewrite") else said)
    assert ask(system, "vague")[0].text == "vague\n\nIn other words: better"
    assert echo.seen[0].sampling.temperature == 0.0 and len(echo.seen) == 2


def test_decomposition_answers_the_parts_first():
    def reply(said, _):
        if said.startswith("Which smaller"):
            return "1. Who?\n2. Where?\n3. Why?"
        return {"Who?": "Ann.", "Where?": "Rome."}.get(said.splitlines()[-1], "Rome.")

    system, echo = prompted("decomposition", reply, max_parts=2)
    assert ask(system, "whole")[0].text == "Rome."
    assert [request.prompt[-1][1].splitlines()[-1] for request in echo.seen[1:3]] == ["Who?", "Where?"]
    assert "Who? Ann." in echo.seen[2].prompt[-1][1] and "Where? Rome." in echo.seen[3].prompt[-1][1]
    assert len(echo.seen) == 4
    assert parts("- a\n\n2) b") == ["a", "b"]


def test_structured_output_asks_for_its_schema_and_may_take_one_field():
    system, echo = prompted("structured", lambda *_: '{"name": "Ann"}', json_schema=SCHEMA, field="name")
    assert ask(system, "who?")[0].text == "Ann"
    assert '"properties"' in echo.seen[0].json_schema
    system, _ = prompted("structured", lambda *_: '{"name": "An', json_schema=SCHEMA, field="name")
    assert ask(system, "who?")[0].text == '{"name": "An'


def test_chats_of_several_rounds_share_batches_and_keep_their_order():
    system, echo = prompted("refinement", lambda said, _: said.splitlines()[-1])
    found = ask(system, "one", "two", "three")
    assert [completion.text for completion in found] == [f"In other words: {said}" for said in ("one", "two", "three")]
    assert len(echo.seen) == 6


def test_texts_to_continue_pass_through_and_the_prompt_brings_its_sampling():
    system, echo = prompted("zero-shot", sampling=SamplingConfig(temperature=0.9), template="never")
    requests = [system.request("go on", max_tokens=2), system.request(chat_of("q"), max_tokens=2)]
    assert [one.text for one in system.generate(requests)] == ["go on", "never"]
    assert {request.sampling.temperature for request in echo.seen} == {0.9}
    assert system.request("x", max_tokens=1, sampling={"temperature": 0.1}).sampling.temperature == 0.1


def test_the_last_call_is_streamed_and_a_vote_comes_at_once():
    system, _ = prompted("refinement", lambda said, _: "ok")
    assert list(system.stream(system.request(chat_of("q"), max_tokens=2))) == ["o", "k"]
    system, _ = prompted("chain-of-thought", lambda *_: "Answer: 42")
    assert list(system.stream(system.request(chat_of("q"), max_tokens=2))) == ["42"]


def test_likelihoods_are_behind_the_prompt():
    system, _ = prompted("few-shot", pool=EXAMPLES, num_shots=1)
    assert system.answer_log_prob([chat_of("q")], ["a"])[0].nats == 3
    assert prompted("refinement")[0].answer_log_prob([chat_of("q")], ["a"]) == []


@pytest.mark.parametrize("kind", kinds("prompts"))
def test_a_prompt_round_trips_and_its_digest_follows_its_content(kind, tmp_path):
    settings = {"json_schema": SCHEMA} if kind == "structured" else {}
    pattern = component("prompts", kind).config.parse({"kind": kind, **settings}, where="pattern")
    prompt = Prompt(pattern=pattern, examples=EXAMPLES, sampling=SamplingConfig(top_p=0.9))
    write_prompt(prompt, folder=tmp_path)
    first = (tmp_path / "prompt.json").read_bytes()
    assert read_prompt(tmp_path) == prompt
    write_prompt(prompt.model_copy(update={"examples": EXAMPLES[:1]}), folder=tmp_path)
    assert (tmp_path / "prompt.json").read_bytes() != first


def test_broken_prompts_are_named(tmp_path):
    with pytest.raises(IntegrityError, match="prompt"):
        read_prompt(tmp_path)
    with pytest.raises(Exception, match="no Jinja template"):
        prompted("zero-shot", template="{% if %}")
    with pytest.raises(Exception, match="no object with properties"):
        prompted("structured", json_schema={"type": "string"})
    system, _ = prompted("zero-shot", template="{{ 1 / 0 }}")
    with pytest.raises(DataError, match="template fails"):
        ask(system, "x")


def test_templates_run_in_a_sandbox():
    system, _ = prompted("zero-shot", template="{{ input.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(DataError, match="template fails"):
        ask(system, "x")
