"""Sentence encoders of random weights, small, in the layouts that are read."""

import json

import tokenizers
import torch
import transformers

WORDS = [f"w{number}" for number in range(60)]
SHAPE = {
    "vocab_size": 80, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 20,
}  # fmt: skip


def write_tokenizer(folder, words=WORDS):
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: at for at, word in enumerate([*marks, *words])}, unk_token="[UNK]")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.enable_truncation(4)  # as files bring it that were saved during training
    made.enable_padding(length=8)
    made.save(str(folder / "tokenizer.json"))


def write_model(folder, kind="bert", *, words=WORDS, **settings):
    folder.mkdir(parents=True, exist_ok=True)
    config = {"bert": transformers.BertConfig, "roberta": transformers.RobertaConfig}[kind](**{**SHAPE, **settings})
    torch.manual_seed(1)
    model = transformers.AutoModel.from_config(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    write_tokenizer(folder, words)
    return model


def write_cross_encoder(folder, *, num_labels=1, **settings):
    """A classifier of pairs in the layout of `transformers`."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(2)
    config = transformers.BertConfig(**{**SHAPE, **settings}, num_labels=num_labels)
    model = transformers.BertForSequenceClassification(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    write_tokenizer(folder)
    return model


def write_sentence_encoder(folder, *, pooling="mean", window=12, more=(), prompts=None, **settings):
    """The layout of sentence-transformers; the net in the folder itself."""
    model = write_model(folder, **settings)
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"), *more]
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": window}))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    switches = {f"pooling_mode_{name}": name.startswith(pooling) for name in ("mean_tokens", "cls_token", "max_tokens")}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(switches))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts or {}}))
    return model
