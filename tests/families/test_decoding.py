"""Continuous batching: company changes nothing, overflow slides or stops, streams join and leave."""

from typing import Any

import pytest
import torch

from genwright.core import CapabilityError
from genwright.core.protocols import TokenShape
from genwright.families import AutoregressiveConfig, SamplingConfig
from genwright.families.autoregressive import Autoregressive
from genwright.families.decoding import DecodedToken, Decoder, DecodeRequest, stream
from genwright.families.store import build_family
from genwright.nets import LstmConfig, NetConfig, TransformerConfig

SHAPE = TokenShape(vocab_size=40, bos_id=0, eos_id=1, context_tokens=16)
NETS: dict[str, NetConfig] = {
    "transformer": TransformerConfig(d_model=32, num_layers=2, num_heads=4, num_kv_heads=2),
    "lstm": LstmConfig(d_model=32),
}


def build(kind: str) -> Autoregressive:
    config = AutoregressiveConfig(net=NETS[kind]).resolve(depth=2, shape=SHAPE)
    family: Autoregressive = build_family(config, shape=SHAPE, seed=3)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for parameter in family.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.3)
    return family.eval()


def request(seed: int, **changes: Any) -> DecodeRequest:
    settings: dict[str, Any] = {
        "prompt_ids": (0, *(2 + (seed * k) % 37 for k in range(1, 2 + seed % 5))),
        "max_new_tokens": 5 + seed % 7,
        "sampling": SamplingConfig(temperature=0.9, top_k=20 * (seed % 2), repetition_penalty=1.0 + 0.2 * (seed % 3)),
        "seed": seed,
    }
    return DecodeRequest(**(settings | changes))


def run_all(decoder: Decoder, requests: list[DecodeRequest]) -> list[list[int]]:
    waiting, slots, out = list(range(len(requests))), {}, [[] for _ in requests]  # type: ignore[var-annotated]
    while waiting or slots:
        while waiting and decoder.num_free:
            index = waiting.pop(0)
            slots[decoder.add(requests[index])] = index
        for token in decoder.step():
            out[slots[token.slot]].append(token.token_id)
            if token.finished:
                del slots[token.slot]
    return out


@pytest.mark.parametrize("kind", NETS)
def test_company_changes_nothing(kind: str) -> None:
    family = build(kind)
    requests = [request(seed) for seed in range(13)]
    alone = [run_all(family.decoder(1), [one])[0] for one in requests]
    assert run_all(family.decoder(4), requests) == alone
    assert [len(tokens) for tokens in alone] == [one.max_new_tokens for one in requests]


@pytest.mark.parametrize("kind", NETS)
def test_greedy_equals_the_full_pass(kind: str) -> None:
    family = build(kind)
    got = run_all(family.decoder(1), [request(4, sampling=SamplingConfig(temperature=0.0), max_new_tokens=8)])[0]
    ids = list(request(4).prompt_ids)
    for _ in range(8):
        ids.append(int(family.net.logits(torch.tensor([ids]))[0, -1].argmax()))
    assert got == ids[-8:]


def test_long_streams_slide_or_stop() -> None:
    family = build("transformer")
    sliding = run_all(family.decoder(2), [request(1, max_new_tokens=50)])[0]
    assert len(sliding) == 50
    stopped = list(stream(family.decoder(1), request=request(1, max_new_tokens=50, overflow="stop")))
    assert stopped[-1].finished == "length"
    assert len(stopped) + len(request(1).prompt_ids) == SHAPE.context_tokens + 1
    assert [token.token_id for token in stopped] == sliding[: len(stopped)]


def test_prompts_longer_than_the_context_are_cut_at_the_front() -> None:
    family = build("transformer")
    long = tuple(2 + k % 30 for k in range(100))
    assert len(run_all(family.decoder(1), [request(1, prompt_ids=long, max_new_tokens=20)])[0]) == 20


def test_stop_ids_end_a_stream() -> None:
    family = build("transformer")
    everything = frozenset(range(SHAPE.vocab_size))
    (token,) = stream(family.decoder(1), request=request(2, stop_ids=everything))
    assert token.finished == "stop"


def test_logprobs_are_the_models_own() -> None:
    family = build("transformer")
    tokens = list(stream(family.decoder(1), request=request(3, num_top_logprobs=3)))
    ids = list(request(3).prompt_ids)
    expected = family.net.logits(torch.tensor([ids]))[0, -1].log_softmax(0)
    first: DecodedToken = tokens[0]
    assert first.logprob == pytest.approx(expected[first.token_id].item(), abs=1e-5)
    assert [token for token, _ in first.top_logprobs] == expected.topk(3).indices.tolist()


def test_leaving_early_frees_the_slot() -> None:
    decoder = build("transformer").decoder(1)
    next(stream(decoder, request=request(1)))
    assert decoder.num_free == 1


@pytest.mark.parametrize("wrong", [{"prompt_ids": ()}, {"max_new_tokens": 0}, {"prompt_ids": (0, 40)}])
def test_wrong_requests_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(CapabilityError):
        build("lstm").decoder(1).add(request(1, **wrong))


def test_no_slot_left_is_an_error() -> None:
    decoder = build("lstm").decoder(1)
    decoder.add(request(1))
    with pytest.raises(CapabilityError, match="slots are taken"):
        decoder.add(request(2))


def test_an_idle_decoder_steps_to_nothing() -> None:
    assert build("lstm").decoder(2).step() == []
