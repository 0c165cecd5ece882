"""Small models with random weights in the layout of the hub, each with a tokenizer and a chat template."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, PreTrainedTokenizerFast, Qwen3Config

MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXTS = [
    "the quick brown fox " * 20,
    "def f(x):\n    return 12345 + x\n" * 10,
    "caf\u00e9 \u2014 na\u00efve \U0001f40d " * 10,
]
SHAPE = {
    "vocab_size": 330, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2, "head_dim": 8,
}  # fmt: skip
KINDS = {
    "llama": (LlamaConfig, {"tie_word_embeddings": True}),
    "llama, wide positions": (LlamaConfig, {"rope_theta": 100_000.0}),
    "mistral": (MistralConfig, {"sliding_window": None}),
    "qwen3": (Qwen3Config, {"tie_word_embeddings": True}),
}


def tokenizer_of(template=TEMPLATE):
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=320, special_tokens=MARKS, initial_alphabet=alphabet)
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=made, bos_token=MARKS[1], eos_token=MARKS[2])
    fast.chat_template = template
    return fast


def write_model(folder, kind="llama", *, template=TEMPLATE, **changes):
    """A small model with random weights in the layout of the hub."""
    config, settings = KINDS[kind]
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(config(**{**SHAPE, **settings, **changes}))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    tokenizer_of(template).save_pretrained(folder)
    return folder
