"""The chain, the store, and what a damaged byte does to them."""

import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from genwright.core import IntegrityError, SpecError, StorageError
from genwright.core.digest import entries_digest, folder_entries
from genwright.ledger import Entries, Ledger, RunRecord, Staged, exclusive, is_held


def record(run="r1", **changes):
    base = {
        "id": run, "stage": "data", "key": "k1", "status": "done", "variant": "", "inputs": {}, "outputs": {},
        "config": {}, "spec_digest": "", "seed": 0, "versions": {}, "machine": {}, "started": "", "cost": {},
        "actor": "",
    }  # fmt: skip
    return RunRecord(**{**base, **changes})


def staged(folder, text="hello"):
    folder.mkdir()
    (folder / "a.txt").write_text(text)
    return Staged("dataset", folder, folder_entries(folder))


def test_rows_are_chained_and_verify(tmp_path):
    entries = Entries(tmp_path / "l.sqlite")
    assert entries.append([("policy", {"id": "a"}), ("policy", {"id": "b"})]) == 2
    assert entries.problems() == []
    assert [row.body["id"] for row in entries.select("kind = 'policy'")] == ["a", "b"]


def test_update_and_delete_are_refused(tmp_path):
    entries = Entries(tmp_path / "l.sqlite")
    entries.append([("policy", {"id": "a"})])
    for statement in ("UPDATE entries SET body = '{}'", "DELETE FROM entries"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            sqlite3.connect(tmp_path / "l.sqlite", isolation_level=None).execute(statement)


def test_a_changed_row_is_named(tmp_path):
    entries = Entries(tmp_path / "l.sqlite")
    entries.append([("policy", {"id": str(number)}) for number in range(5)])
    raw = sqlite3.connect(tmp_path / "l.sqlite")
    raw.execute("DROP TRIGGER no_update")
    raw.execute('UPDATE entries SET body = \'{"id":"9"}\' WHERE seq = 3')
    raw.commit()
    assert any("row 3 (policy)" in problem for problem in entries.problems())


def test_a_removed_row_is_named(tmp_path):
    entries = Entries(tmp_path / "l.sqlite")
    entries.append([("policy", {"id": str(number)}) for number in range(5)])
    raw = sqlite3.connect(tmp_path / "l.sqlite")
    raw.execute("DROP TRIGGER no_delete")
    raw.execute("DELETE FROM entries WHERE seq = 3")
    raw.commit()
    assert "ledger row 3 is missing (the next one is 4)" in entries.problems()


def test_a_flipped_byte_anywhere_in_the_file_is_found(tmp_path):
    path = tmp_path / "l.sqlite"
    entries = Entries(path)
    entries.append([("policy", {"id": f"row-{number}", "text": "x" * 900}) for number in range(60)])
    assert entries.problems() == []
    entries.close()
    clean, rng = path.read_bytes(), random.Random(1)
    index_space = [page for page in range(len(clean) // 4096) if clean[page * 4096] in (2, 5, 10)]
    uncounted = {*range(24, 28), *range(92, 100)}  # change counter and library version, which SQLite rewrites itself
    missed = []
    for at in rng.sample(range(len(clean)), 150):
        if at in uncounted or (at // 4096 in index_space and not any(clean[at - 8 : at + 8])):
            continue
        path.write_bytes(clean[:at] + bytes([clean[at] ^ (1 << rng.randrange(8))]) + clean[at + 1 :])
        if not problems_of(path):
            missed.append(at)
    assert missed == []


def problems_of(path):
    try:
        entries = Entries(path)
    except (IntegrityError, StorageError) as error:
        return [error.message]
    try:
        return entries.problems()
    finally:
        entries.close()


def test_a_large_ledger_with_long_rows_has_no_false_alarm(tmp_path):
    entries, rng = Entries(tmp_path / "l.sqlite"), random.Random(1)
    for _ in range(10):
        rows = [
            {"id": f"{rng.getrandbits(256):064x}", "run": str(rng.random()), "text": "x" * rng.choice((50, 9000))}
            for _ in range(60)
        ]
        entries.append([("claim", row) for row in rows])
    assert entries.problems() == []


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path):
    (tmp_path / "l.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(IntegrityError, match="damaged"):
        Entries(tmp_path / "l.sqlite")


def test_many_writers_keep_one_chain(tmp_path):
    Entries(tmp_path / "l.sqlite").close()

    def write(worker):
        entries = Entries(tmp_path / "l.sqlite")
        for number in range(10):
            entries.append([("policy", {"id": f"{worker}-{number}"})])
        entries.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    entries = Entries(tmp_path / "l.sqlite")
    assert entries.count("policy") == 40
    assert entries.problems() == []


def test_many_may_open_a_ledger_that_is_not_there_yet(tmp_path):
    def first_row(folder):
        entries = Entries(folder / "l.sqlite")
        entries.append([("policy", {"id": "a"})])
        entries.close()

    for attempt in range(20):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(first_row, [folder] * 8))
        assert Entries(folder / "l.sqlite").count("policy") == 8


def test_commit_keeps_artifact_and_run_together(tmp_path):
    ledger = Ledger(tmp_path / ".genwright")
    output = staged(tmp_path / "out")
    digest = entries_digest(output.files)
    ledger.commit(record(outputs={"dataset": digest}), staged=[output])
    assert not (tmp_path / "out").exists()
    assert ledger.artifact(digest).kind == "dataset"
    assert (ledger.store.path(digest) / "a.txt").read_text() == "hello"
    assert ledger.finished("k1")["outputs"] == {"dataset": digest}


def test_a_run_whose_output_is_gone_is_no_hit(tmp_path):
    ledger = Ledger(tmp_path / ".genwright")
    output = staged(tmp_path / "out")
    digest = ledger.store.adopt(output.folder, files=output.files)
    ledger.commit(record(outputs={"dataset": digest}))
    assert ledger.finished("k1")
    ledger.store.remove(digest)
    assert ledger.finished("k1") is None


def test_sweep_removes_what_no_row_knows(tmp_path):
    ledger = Ledger(tmp_path / ".genwright")
    output = staged(tmp_path / "out")
    orphan = ledger.store.adopt(output.folder, files=output.files)
    assert ledger.sweep() == [orphan]
    assert orphan not in ledger.store


def test_store_names_changed_missing_and_foreign_files(tmp_path):
    ledger = Ledger(tmp_path / ".genwright")
    output = staged(tmp_path / "out")
    digest = ledger.store.adopt(output.folder, files=output.files)
    expected = [[f.path, f.size_bytes, f.sha256] for f in output.files]
    assert ledger.store.problems(digest, expected) == []
    file = ledger.store.path(digest) / "a.txt"
    file.chmod(0o600)
    file.write_text("hellp")
    assert "a.txt is not what was stored" in ledger.store.problems(digest, expected)[0]
    (file.parent / "b.txt").write_text("")
    file.unlink()
    assert len(ledger.store.problems(digest, expected)) == 2


def test_ids_are_found_by_prefix_and_ambiguity_is_told(tmp_path):
    ledger = Ledger(tmp_path / ".genwright")
    for run in ("abc1", "abd2"):
        ledger.append("run", {"id": run, "key": "k", "status": "done", "outputs": {}})
    assert ledger.find("abc").body["id"] == "abc1"
    with pytest.raises(SpecError, match="ambiguous"):
        ledger.find("ab")
    with pytest.raises(SpecError, match="nothing in the ledger"):
        ledger.find("zz")


def test_a_lock_is_seen_from_outside_and_released(tmp_path):
    lock = tmp_path / "x.lock"
    with exclusive(lock):
        assert is_held(lock)
    assert not is_held(lock)


def test_a_folder_that_cannot_be_opened_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="cannot open the ledger"):
        Entries(tmp_path / "missing" / "l.sqlite")
