"""Chats: what is read, what is refused, and how answers are compared."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genwright.core import DataError
from genwright.core.protocols import Candidate, Unreadable
from genwright.measure.derive import derive
from genwright.modalities.chat import baselines
from genwright.modalities.chat.config import ChatMetricsConfig, ChatSourceConfig
from genwright.modalities.chat.messages import answer, answered, asked, chats, table
from genwright.modalities.chat.metrics import METRICS
from genwright.modalities.chat.modality import ChatModality
from genwright.modalities.chat.summaries import pairs

MODULE = b'''# -*- coding: latin-1 -*-
import os

@decorator
def first(x):
    """Return the first of many things.

    More about it.
    """
    # Only the head matters.
    return x[0]

class Box:
    def put(self, thing):
        "Put one thing into the box."
        self.thing = thing

    def todo(self):
        """Do nothing at all so far."""
        pass

    def long(self):
        """This line goes on
        in the next one."""
        return 1

    def short(self):
        """Short."""
        return 1

def only_docs():
    """Say what it does and no more."""
'''


def chat(question, reply, system=None):
    said = [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    return [{"role": "system", "content": system}, *said] if system else said


def rows(*pairs_of_texts):
    ids = [str(place) for place in range(len(pairs_of_texts))]
    return table(ids, ids, [chat(*pair) for pair in pairs_of_texts])


def read(source, root):
    return list(ChatModality().read(ChatSourceConfig.parse(source, where="source"), root=root))


def test_pairs_are_of_code_without_its_docstring():
    found = list(pairs(MODULE, max_code_characters=400, min_words=3))
    assert [(name, summary) for name, _, summary in found] == [
        ("first", "Return the first of many things."),
        ("Box.put", "Put one thing into the box."),
    ]
    assert found[0][1] == "@decorator\ndef first(x):\n    # Only the head matters.\n    return x[0]"
    assert found[1][1] == "def put(self, thing):\n    self.thing = thing"
    assert not list(pairs(MODULE, max_code_characters=40, min_words=3))
    with pytest.raises(SyntaxError):
        list(pairs(b"def (", max_code_characters=400, min_words=3))


def test_groups_are_packages_and_a_source_may_be_one_split(tmp_path):
    for name in ("one/a.py", "one/b.py", "two.py"):
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_bytes(MODULE)
    source = {"path": "src/**/*.py", "group_by": "package"}
    assert {group for part in read(source, tmp_path) for group in part.column("group").to_pylist()} == {"src"}
    found = pa.concat_tables(read({**source, "path": "src", "group_by": "file", "split": "test"}, tmp_path))
    assert set(found.column("group").to_pylist()) == {"src/one/a.py", "src/one/b.py", "src/two.py"}
    assert set(found.column("split").to_pylist()) == {"test"}


def test_lines_hold_messages_or_pairs(tmp_path):
    lines = [{"messages": chat("q", "a")}, {"question": "q2", "reply": "a2", "who": "x"}]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    fields = {"prompt_field": "question", "completion_field": "reply", "group_field": "who", "system": "Be brief."}
    (found,) = read({"path": "c.jsonl", **fields}, tmp_path)
    assert chats(found) == [chat("q", "a", "Be brief."), chat("q2", "a2", "Be brief.")]
    assert found.column("group").to_pylist() == ["c.jsonl#1", "c.jsonl#x"]


def test_parquet_is_read_as_lines_are(tmp_path):
    pq.write_table(pa.table({"prompt": ["q"], "completion": ["a"]}), tmp_path / "c.parquet")
    (found,) = read({"path": "c.parquet"}, tmp_path)
    assert chats(found) == [chat("q", "a")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "c.jsonl:1 is not JSON"),
        ("[1]", "is a JSON list"),
        ('{"text": "a"}', "fields: text"),
        ('{"messages": "hello"}', "'messages' is no list of messages"),
        ('{"messages": [{"role": "user", "content": 3}]}', "'messages' is no list of messages"),
        ("\xff", "is not JSON"),
    ],
)
def test_what_cannot_be_read_names_its_line(tmp_path, line, said):
    good = json.dumps({"messages": chat("q", "a")}).encode()
    (tmp_path / "c.jsonl").write_bytes(line.encode("latin-1") + b"\n" + good)
    with pytest.raises(DataError, match=said):
        read({"path": "c.jsonl"}, tmp_path)
    lost, kept = read({"path": "c.jsonl", "on_error": "drop"}, tmp_path)
    assert isinstance(lost, Unreadable) and len(kept) == 1


def test_a_broken_parquet_file_is_named(tmp_path):
    (tmp_path / "c.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"c\.parquet is not Parquet"):
        read({"path": "c.parquet"}, tmp_path)


def test_a_chat_without_an_answer_is_dropped_with_its_reason():
    bad = [
        [],
        [{"role": "user", "content": "q"}],
        [{"role": "robot", "content": "q"}],
        chat("q", "  "),
        [{"role": "assistant", "content": "a"}],
    ]
    found = table([str(n) for n in range(6)], ["g"] * 6, [*bad, chat("q", "a")])
    assert ChatModality().validate(found) == ["empty", "no-answer", "unknown-role", "no-answer", "no-question", None]


def test_nearest_finds_the_same_chat():
    known = rows(("sum a list", "Add all."), ("open a file", "Open it."))
    distance, place = ChatModality().nearest(rows(("open a file", "Open it.")), known)
    assert place.tolist() == [1] and distance[0] == pytest.approx(0, abs=1e-6)


def test_metrics_of_one_answer():
    assert METRICS["chrf"]("Return the sum.", "Return the sum.") == pytest.approx(1.0)
    assert METRICS["chrf"]("", "Return the sum.") == 0.0
    assert METRICS["rouge_l"]("the cat sat", "the dog sat") == pytest.approx(2 / 3)
    assert METRICS["rouge_l"]("", "x") == 0.0
    assert METRICS["exact"](" a  b", "a b") == 1.0


def test_the_system_is_compared_with_each_other_one_and_tests_are_corrected():
    test = rows(*((f"q{n}", f"the answer number {n} is here") for n in range(12)))
    right = answered(test, [answer(one) for one in chats(test)])
    wrong = answered(test, ["zzz"] * 12)
    others = [Candidate(f"baseline {n}", f"baseline: {n}", wrong) for n in (1, 2)]
    candidates = [Candidate("system", "", right), *others]
    measured = ChatModality().measure(candidates, train=test, test=test, config=ChatMetricsConfig(), seed=0)
    claims = {
        (draft.metric, draft.label): derive(measured.columns, derivation=draft.derivation) for draft in measured.drafts
    }
    assert claims["chrf", ""].value == pytest.approx(1.0)
    assert claims["chrf_difference", "system minus 1"].low > 0.9
    one = claims["chrf_difference_holm_p", "system minus 1"]
    assert one.value == pytest.approx(2 * 2 / 2**12, rel=0.5) and "Holm over 2 tests" in one.method
    assert claims["answer_length", "reference answers"].value == 6


def test_baselines_answer_from_train_or_from_the_code():
    train = rows(("def total(values): add", "Add all values."), ("def openFile(path): read", "Open a file."))
    test = rows(("def readFile(path):\n    # Read all of it.\n    read", "x"), ("def sum_values(values): add", "y"))
    assert baselines.nearest_answer(train, test) == ["Open a file.", "Add all values."]
    assert baselines.first_comment(train, test) == ["Read all of it.", "Sum values."]
    assert baselines.name(train, rows(("no code", "x"))) == [""]


def test_samples_are_written_and_shown(tmp_path):
    found = rows(("q", "a"))
    (path,) = ChatModality().write(found, tmp_path)
    assert json.loads(path.read_text()) == {"messages": chat("q", "a")}
    assert "> q\n\na" in ChatModality().preview(found, tmp_path / "preview").read_text()
    assert asked(chat("q", "a", "s")) == "q"
