"""The whole data stage on small corpora."""

import json
import random
import subprocess
import sys
from collections import Counter
from pydoc_data.topics import topics

import mlcroissant
import pyarrow.parquet as pq
import pytest

from genwright.core import DataError, GenwrightError, Interrupted
from genwright.core.digest import entries_digest, file_digest, folder_entries
from genwright.measure import derive, read_scores
from genwright.modalities.dataset import SPLITS
from genwright.stages.data.config import STAGE, DataConfig
from genwright.stages.data.fingerprint import fingerprint
from genwright.stages.data.pool import ordered_map
from genwright.stages.data.run import run
from genwright.stages.data.worker import crossed
from genwright.stages.data.writing import DOCUMENT, table_writer

WORDS = ("ocean", "river", "garden", "winter", "letter", "engine", "copper", "silver", "planet", "window", "forest")


def prose(seed, num_words=120):
    """Words in an order of their own, so that no two texts share long passages."""
    chance = random.Random(seed)
    return " ".join(chance.choice(WORDS) + str(chance.randrange(50)) for _ in range(num_words)) + "\n"


def config(**fields):
    return DataConfig.parse({"sources": [{"path": "corpus", "licence": "CC0-1.0"}], **fields}, where="data")


@pytest.fixture
def root(tmp_path):
    """A corpus with one of each trouble among forty good documents."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(40):
        (folder / f"good{number:02}.txt").write_text(prose(number))
    (folder / "same.txt").write_text(prose(3))
    (folder / "nearly.txt").write_text(prose(5).replace("ocean", "Ocean!", 2) + "one more word\n")
    (folder / "part.txt").write_text(" ".join(prose(7).split()[20:90]))
    (folder / "short.txt").write_text("too short")
    (folder / "empty.txt").write_text("")
    (folder / "mail.txt").write_text(prose(99) + "Write to ada@lovelace.org for more.\n")
    return tmp_path


def table(result, name):
    return pq.read_table(result.artifacts["dataset"].path / f"{name}.parquet").to_pylist()


def scores_of(result):
    columns = read_scores(result.artifacts["data_scores"].path)
    return {columns["id"][n]: {name: column[n] for name, column in columns.items()} for n in range(len(columns["id"]))}


def digests(result):
    return {slot: entries_digest(folder_entries(made.path)) for slot, made in result.artifacts.items()}


def test_each_document_is_kept_or_dropped_with_its_reason(root, make_context):
    result = run(config(), make_context(root))
    rows = scores_of(result)
    reasons = {name.removeprefix("corpus/"): row["reason"] for name, row in rows.items() if row["status"] == "dropped"}
    assert reasons == {
        "same.txt": "exact-duplicate",
        "good05.txt": "near-duplicate",  # nearly.txt is longer
        "part.txt": "near-duplicate",
        "short.txt": "too-short",
        "empty.txt": "empty",
    }
    dropped = {row["id"]: row for row in table(result, "dropped")}
    assert set(dropped) == {name for name, row in rows.items() if row["status"] == "dropped"}
    assert dropped["corpus/same.txt"]["detail"] == "corpus/good03.txt" and dropped["corpus/part.txt"]["text"]
    kept = [row for split in SPLITS for row in table(result, split)]
    assert len(kept) + len(dropped) == len(rows) == 46
    assert Counter(row["id"] for row in kept).most_common(1)[0][1] == 1
    (mail,) = [row for row in kept if row["id"] == "corpus/mail.txt"]
    assert "<EMAIL>" in mail["text"] and rows["corpus/mail.txt"]["redactions"] == 1
    assert {row["licence"] for row in kept} == {"CC0-1.0"} and all(
        len(row["text"].encode()) == row["bytes"] for row in kept
    )


def test_claims_derive_from_the_scores(root, make_context):
    result = run(config(), make_context(root))
    columns = read_scores(result.artifacts["data_scores"].path)
    found = {(draft.metric, draft.label): derive(columns, derivation=draft.derivation) for draft in result.claims}
    kept = [row for split in SPLITS for row in table(result, split)]
    assert found["documents_kept", ""].value == len(kept)
    assert found["documents_dropped", "near-duplicate"].value == 2
    assert found["text_bytes", "test"].value == sum(row["bytes"] for row in table(result, "test"))
    share = found["near_duplicate_share", ""]
    assert share.value == pytest.approx(2 / 43) and share.low < share.value < share.high
    assert found["redactions", ""].value == 1
    assert found["contamination_share", "test in train"].value == 0


def test_repeat_is_bitwise_and_independent_of_workers(root, make_context):
    first = run(config(), make_context(root))
    assert digests(run(config(), make_context(root))) == digests(first)
    assert digests(run(config(workers=2), make_context(root))) == digests(first)
    assert digests(run(config(), make_context(root, seed=5))) != digests(first)


def test_a_near_duplicate_never_straddles(tmp_path, make_context):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(30):
        for copy in range(3):
            (folder / f"{number:02}-{copy}.txt").write_text(prose(number) + f"copy {copy}\n")
    for seed in range(5):
        result = run(config(near={"duplicates": "group"}), make_context(tmp_path, seed=seed))
        split_of = {row["id"].split("-")[0]: set() for split in SPLITS for row in table(result, split)}
        for split in SPLITS:
            for row in table(result, split):
                split_of[row["id"].split("-")[0]].add(split)
        assert len(split_of) == 30 and all(len(splits) == 1 for splits in split_of.values())


def test_leakage_is_measured_where_it_is_allowed(tmp_path, make_context):
    folder = tmp_path / "corpus"
    folder.mkdir()
    shared = prose("shared", num_words=60)
    for number in range(40):
        (folder / f"{number:02}.txt").write_text(prose(number) + shared)
    result = run(config(near={"duplicates": "ignore"}), make_context(tmp_path))
    columns = read_scores(result.artifacts["data_scores"].path)
    tested = [n for n, split in enumerate(columns["split"]) if split == "test"]
    assert {columns["ngrams_in_train"][n] for n in tested} == {48}  # 60 shared words hold 48 windows of 13
    result = run(config(passages={"repeats": "drop"}), make_context(tmp_path))
    assert not scores_of(result)["corpus/01.txt"]["passages_removed"]  # the passage is not a paragraph of its own


def test_passages_are_taken_out_and_kept(tmp_path, make_context):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number:02}.txt").write_text(f"{prose(number)}\n{prose('shared')}\n")
    result = run(config(passages={"repeats": "drop"}), make_context(tmp_path))
    taken = [row for row in table(result, "dropped") if row["step"] == "passages"]
    assert len(taken) == 19 and {row["detail"] for row in taken} == {"corpus/00.txt"}
    assert all(row["text"].strip() == prose("shared").strip() for row in taken)
    rows = scores_of(result)
    assert sum(row["passages_removed"] for row in rows.values()) == 19
    assert all(row["status"] == "kept" for row in rows.values())


def test_unreadable_documents_are_dropped_where_the_source_says_so(root, make_context):
    (root / "corpus/latin.txt").write_bytes(b"caf\xe9 " * 20)
    with pytest.raises(DataError, match=r"latin\.txt is not utf-8"):
        run(config(), make_context(root))
    source = {"path": "corpus", "on_error": "drop"}
    result = run(config(sources=[source]), make_context(root))
    assert scores_of(result)["corpus/latin.txt"]["reason"] == "wrong-encoding"
    assert str(root) not in json.dumps(table(result, "dropped"))


@pytest.mark.slow
def test_language_and_quality(tmp_path, make_context):
    folder = tmp_path / "corpus"
    folder.mkdir()
    german = "Der Fluss fließt durch den alten Wald, und im Winter liegt der Garten unter einer Decke aus Schnee. "
    for name in ("assert", "break", "calls", "class", "comparisons"):
        (folder / f"{name}.txt").write_text(topics[name])
    (folder / "german.txt").write_text(german * 2)
    (folder / "table.txt").write_text("The river runs and the wood of the hill is 15 16 18 19 20 21.\n" * 60)
    filters = {"languages": ["en"], "quality": "prose"}
    dropped = {row["id"]: row for row in table(run(config(filters=filters), make_context(tmp_path)), "dropped")}
    assert set(dropped) == {"corpus/german.txt", "corpus/table.txt"}
    assert (dropped["corpus/german.txt"]["step"], dropped["corpus/german.txt"]["reason"]) == ("language", "language")
    assert dropped["corpus/german.txt"]["detail"].startswith("de, confidence ")
    assert dropped["corpus/table.txt"]["step"] == "quality"


def test_one_document_and_nothing_left(tmp_path, make_context):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/only.txt").write_text(prose(1))
    with pytest.raises(DataError, match=r"1 group\(s\)") as caught:
        run(config(), make_context(tmp_path))
    assert caught.value.exit_code == 2
    (tmp_path / "corpus/only.txt").write_text("")
    with pytest.raises(DataError, match=r"none of 1 document\(s\) is left.*empty 1"):
        run(config(), make_context(tmp_path))


def test_the_user_may_stop(root, make_context):
    with pytest.raises(Interrupted):
        run(config(), make_context(root, should_stop=lambda: True))


def test_splits_and_datasheet(root, make_context, read_json):
    result = run(config(name="toy"), make_context(root))
    folder = result.artifacts["dataset"].path
    splits = read_json(folder / "splits.json")["splits"]
    assert splits["test"]["documents"] == [row["id"] for row in table(result, "test")]
    sheet = read_json(folder / "datasheet.json")
    assert sheet["name"] == "toy" and sheet["license"] == ["CC0-1.0"]
    for entry in sheet["distribution"]:
        assert entry["sha256"] == file_digest(folder / entry["name"])
    assert "41 text documents" in sheet["description"]


def test_croissant_is_valid(root, make_context):
    result = run(config(name="toy"), make_context(root))
    dataset = mlcroissant.Dataset(jsonld=str(result.artifacts["dataset"].path / "datasheet.json"))
    assert not dataset.metadata.ctx.issues.errors
    records = list(dataset.records(record_set="test"))
    assert len(records) == len(table(result, "test"))


def test_fingerprint_follows_the_bytes(root):
    before = fingerprint(config(), root)
    assert fingerprint(config(), root) == before
    path = root / "corpus/good01.txt"
    path.write_text(path.read_text().replace("o", "0", 1))
    changed = fingerprint(config(), root)
    path.rename(path.with_name("good01b.txt"))
    assert len({before, changed, fingerprint(config(), root)}) == 3


def test_the_declaration_leads_to_the_code():
    from genwright.core import load_reference

    assert load_reference(STAGE.run) is run and load_reference(STAGE.external) is fingerprint


def test_sources_with_one_name_are_refused():
    from genwright.core import SpecError

    with pytest.raises(SpecError, match="two sources are called 'corpus'"):
        config(sources=[{"path": "corpus"}, {"path": "corpus"}])


def test_an_error_inside_the_block_is_the_one_that_is_raised(tmp_path):
    with pytest.raises(OSError, match="disk full"), table_writer(tmp_path / "a.parquet", schema=DOCUMENT) as writer:
        writer.add({"id": "a", "text": "b", "group": "c", "source": "d", "licence": "e"})
        raise OSError("disk full")


@pytest.mark.slow
def test_workers_answer_in_the_order_of_the_batches():
    batches = [[f"text number {number} " * (5000 if number % 4 == 0 else 1)] for number in range(24)]
    answers = ordered_map(
        "genwright.stages.data.worker", start=config().model_dump_json(), batches=iter(batches), num_workers=3
    )
    assert [crossed(rows)[0].text for rows in answers] == [batch[0] for batch in batches]


@pytest.mark.slow
def test_a_worker_that_dies_is_reported():
    with pytest.raises(GenwrightError, match=r"a worker process ended before it answered \(exit 1\)"):
        list(ordered_map("genwright.stages.data.worker", start="no settings", batches=[["text"]] * 5, num_workers=2))


@pytest.mark.slow
def test_a_worker_leaves_when_its_parent_is_gone():
    worker = subprocess.Popen(
        [sys.executable, "-m", "genwright.stages.data.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    worker.stdin.close()
    assert worker.wait(timeout=20) is not None
