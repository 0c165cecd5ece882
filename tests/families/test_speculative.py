"""Speculative decoding gives the tokens of plain decoding, whatever the draft is worth."""

import pytest
import torch

from genwright.core import CapabilityError
from genwright.families.config import SamplingConfig
from genwright.families.decoding import Decoder, DecodeRequest
from genwright.families.speculative import SpeculativeDecoder
from genwright.nets import LstmConfig, TransformerConfig
from genwright.nets.lstm import Lstm
from genwright.nets.transformer import Transformer

VOCAB, CONTEXT = 40, 48


def net_of(seed: int, *, layers: int = 2, vocab_size: int = VOCAB) -> Transformer:
    torch.manual_seed(seed)
    config = TransformerConfig(num_layers=layers, d_model=32, num_heads=4, num_kv_heads=2, d_ff=48)
    net = Transformer(config, vocab_size=vocab_size)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.25)
    return net.eval()


def near(net: Transformer, seed: int) -> Transformer:
    """A net that says nearly the same."""
    found = net_of(seed)
    found.load_state_dict(net.state_dict())
    torch.manual_seed(seed)
    for parameter in found.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    return found


SAMPLINGS = [
    SamplingConfig(temperature=0.0),
    SamplingConfig(temperature=0.8, top_p=0.9, repetition_penalty=1.3),
    SamplingConfig(temperature=1.0, top_k=7),
]


def requests(**more):
    return [
        DecodeRequest((1, 5, 9 + number), 20, sampling, seed=number, num_top_logprobs=2, **more)
        for number, sampling in enumerate(SAMPLINGS)
    ]


def decoded(decoder, asked):
    slots = [decoder.add(one) for one in asked]
    made = {slot: [] for slot in slots}
    while tokens := decoder.step():
        for token in tokens:
            made[token.slot].append(token)
    return [made[slot] for slot in slots]


@pytest.mark.parametrize("draft", ["itself", "near", "strange"])
def test_tokens_are_those_of_plain_decoding(draft: str) -> None:
    net = net_of(1)
    guesses = {"itself": net, "near": near(net, 2), "strange": net_of(7, layers=1)}[draft]
    plain = decoded(Decoder(net, num_slots=3, context_tokens=CONTEXT), requests(stop_ids=frozenset({3})))
    decoder = SpeculativeDecoder(net, draft=guesses, num_slots=3, context_tokens=CONTEXT)
    hurried = decoded(decoder, requests(stop_ids=frozenset({3})))
    for ours, theirs in zip(hurried, plain, strict=True):
        assert [one.token_id for one in ours] == [one.token_id for one in theirs]
        assert [one.finished for one in ours] == [one.finished for one in theirs]
        assert [one.logprob for one in ours] == pytest.approx([one.logprob for one in theirs], abs=1e-4)
    share = decoder.num_accepted / decoder.num_guessed
    assert share == 1.0 if draft == "itself" else share > 0.3 if draft == "near" else share < 0.5


@pytest.mark.parametrize("overflow", ["slide", "stop"])
def test_the_end_of_the_context_is_the_same(overflow: str) -> None:
    net = net_of(1)
    asked = [DecodeRequest((1, 2), 70, SAMPLINGS[1], seed=4, overflow=overflow)]
    plain = decoded(Decoder(net, num_slots=1, context_tokens=CONTEXT), asked)
    hurried = decoded(SpeculativeDecoder(net, draft=near(net, 2), num_slots=1, context_tokens=CONTEXT), asked)
    assert [one.token_id for one in hurried[0]] == [one.token_id for one in plain[0]]
    assert hurried[0][-1].finished == plain[0][-1].finished == "length"


def test_streams_that_come_and_go_keep_their_tokens() -> None:
    net = net_of(1)
    alone = [decoded(Decoder(net, num_slots=1, context_tokens=CONTEXT), [one])[0] for one in requests()]
    decoder = SpeculativeDecoder(net, draft=near(net, 2), num_slots=2, context_tokens=CONTEXT)
    asked, made, waiting = requests(), {}, [0, 1, 2]
    names = {}
    while waiting or names:
        while waiting and decoder.num_free:
            number = waiting.pop(0)
            names[decoder.add(asked[number])] = number
        for token in decoder.step():
            made.setdefault(names[token.slot], []).append(token.token_id)
            if token.finished:
                del names[token.slot]
    assert [made[number] for number in range(3)] == [[one.token_id for one in row] for row in alone]


class Even:
    """Five even tokens; whoever asks on after them is wrong."""

    def __init__(self):
        self.taken = []

    @property
    def done(self):
        return len(self.taken) == 5

    def allowed(self):
        assert not self.done
        return torch.arange(VOCAB) % 2 == 0

    def accept(self, token, /):
        self.taken.append(token)


def test_grammars_bind_guesses_too() -> None:
    net = net_of(1)
    asked = [*requests(json_schema="even"), *requests()]
    plain = decoded(Decoder(net, num_slots=6, context_tokens=CONTEXT, grammars=lambda _: Even()), asked)
    hurried = SpeculativeDecoder(
        net, draft=near(net, 2), num_slots=6, context_tokens=CONTEXT, grammars=lambda _: Even()
    )
    found = [[one.token_id for one in row] for row in decoded(hurried, asked)]
    assert found == [[one.token_id for one in row] for row in plain]
    assert [len(row) for row in found] == [5, 5, 5, 20, 20, 20]
    assert all(token % 2 == 0 for row in found[:3] for token in row)


def test_drafts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CapabilityError, match="knows 50 tokens"):
        SpeculativeDecoder(net_of(1), draft=net_of(1, vocab_size=50), num_slots=1, context_tokens=CONTEXT)
    lstm = Lstm(LstmConfig(d_model=32), vocab_size=VOCAB)
    with pytest.raises(CapabilityError, match="key-value cache"):
        SpeculativeDecoder(net_of(1), draft=lstm, num_slots=1, context_tokens=CONTEXT)
