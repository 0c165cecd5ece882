"""The benchmark's steps in datatrove, for an interpreter that has it: `data_datatrove.py IN OUT {length,quality}`."""

import json
import sys
from functools import partial
from pathlib import Path

from datatrove.data import Document
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.exact_dedup import (
    ExactDedupConfig,
    ExactDedupFilter,
    ExactDedupSignature,
    ExactFindDedups,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.filters import GopherQualityFilter, LambdaFilter
from datatrove.pipeline.formatters import FTFYFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

WORKERS = 2
MIN_BYTES = 100


def _text(document: Document) -> str:
    return document.text


def _long_enough(document: Document) -> bool:
    return len(document.text.encode()) >= MIN_BYTES


def main() -> None:
    """Runs all stages, passing texts on in plain JSON lines, and prints the number of documents after each."""
    given, out, filters = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    execute = partial(_execute, out=out)
    exact, minhash = ExactDedupConfig(content_getter=_text), MinhashConfig()
    writer = partial(JsonlWriter, compression=None, output_filename="${rank}.jsonl")
    fix = FTFYFormatter(unescape_html=False, fix_line_breaks=True, normalization="NFC")
    # spaCy counts each sign as a word, so the paper's 0.8 drops nearly all code here and leaves nothing to compare;
    # at 0.5 both sides keep the same share of this corpus.
    quality = [GopherQualityFilter(max_non_alpha_words_ratio=0.5)] if filters == "quality" else []
    chosen = [LambdaFilter(_long_enough), *quality]
    cleaned, once, kept = (str(out / name) for name in ("cleaned", "once", "kept"))
    sig, dup = str(out / "exact_sig"), str(out / "exact_dup")
    execute([JsonlReader(str(given)), fix, *chosen, writer(cleaned), ExactDedupSignature(sig, exact)], tasks=WORKERS)
    execute([ExactFindDedups(sig, dup, exact)], tasks=1)
    minhash_sig = MinhashDedupSignature(str(out / "sig"), minhash)
    execute([JsonlReader(cleaned), ExactDedupFilter(dup, exact), writer(once), minhash_sig], tasks=WORKERS)
    execute([MinhashDedupBuckets(str(out / "sig"), str(out / "pairs"), config=minhash)], tasks=minhash.num_buckets)
    execute([MinhashDedupCluster(str(out / "pairs"), str(out / "remove"), minhash)], tasks=1)
    dropped = writer(str(out / "dropped"))
    execute([JsonlReader(once), MinhashDedupFilter(str(out / "remove"), dropped), writer(kept)], tasks=WORKERS)
    print(json.dumps({name: _lines(out / name) for name in ("cleaned", "once", "kept")}))


def _execute(pipeline: list, *, tasks: int, out: Path) -> None:
    logs = str(out / "logs" / str(len(list((out / "logs").glob("*"))) if (out / "logs").exists() else 0))
    LocalPipelineExecutor(pipeline, tasks=tasks, workers=min(tasks, WORKERS), logging_dir=logs).run()


def _lines(folder: Path) -> int:
    return sum(1 for path in folder.glob("*.jsonl") for _ in path.open("rb"))


if __name__ == "__main__":
    main()
