"""The child process: llama.cpp's server on a Unix socket until the parent goes.

All calls of `xllamacpp` stand here, since its interface moves from release to release. Started as a script, with the
settings as JSON in the first line of standard input; it says "ready" on standard output, or what is wrong.
"""

import json
import os
import sys
from typing import Any


def main() -> None:
    """Serve until standard input ends."""
    settings = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the engine prints is no answer
    try:
        server = start(settings)
    except Exception as error:  # told to the parent, whatever it is
        print(json.dumps({"error": str(error) or type(error).__name__}), file=answers, flush=True)
        os._exit(1)
    print(json.dumps({"ready": True}), file=answers, flush=True)
    while sys.stdin.readline():
        pass
    del server
    os._exit(0)


def start(settings: dict[str, Any], /) -> Any:
    """The running server."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.hostnames = [settings["socket"]]
    params.api_keys = [settings["key"]]
    params.n_ctx = settings["context_tokens"] * settings["num_slots"]
    params.n_parallel = settings["num_slots"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.embedding = settings["embeds"]
    params.n_gpu_layers = settings["gpu_layers"]
    params.cache_ram_mib = 0  # prompts of finished requests stay in their slots; 8 GiB beside them is too much
    params.fit_params = params.warmup = params.ui = params.endpoint_slots = params.endpoint_metrics = False
    if settings["exact"]:
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.verbosity = -1
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
