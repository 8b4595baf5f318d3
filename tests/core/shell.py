"""The command line from the outside: as a process, or in this one."""

import json
import subprocess
import sys
import time

from core.__main__ import main
from core.errors import CountedOnly
from core.paths import ROOT
from core.real import catalogue
from core.shape import twin

CONFIG = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 96, "vocab_size": 100, "max_position_embeddings": 512, "torch_dtype": "float16", "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0, "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False, "head_dim": 16,
    "hidden_act": "silu",
}  # fmt: skip


def process(*command, **options):
    """Run a command: (status, stdout, stderr, seconds)."""
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=60, **options)
    return done.returncode, done.stdout.decode(), done.stderr.decode(), time.monotonic() - start


def shell(*arguments, stdin=b"", **options):
    """Run python -m core as a process."""
    return process(sys.executable, "-m", "core", *arguments, input=stdin, **options)


def caller(capsys):
    """A function that runs the command line in this process: (status, stdout, stderr)."""

    def run(*arguments):
        try:
            status = main(list(arguments))
        except SystemExit as stop:
            status = stop.code
        out, err = capsys.readouterr()
        return status, out, err

    return run


def writer(folder):
    """A function that puts a config, or any text, into a file and gives its path."""

    def write(config, name="config.json"):
        path = folder / name
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        return str(path)

    return write


def refused(result, *words):
    """Status 2, nothing on standard output, one short `error: ...` line that holds every word."""
    status, out, err = result[:3]
    assert (status, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and len(err) < 300 and "Traceback" not in err
    for word in words:
        assert word in err, err


def runs(key: str) -> bool:
    """Does a row of the catalogue have live modules for all its parts?"""
    try:
        return bool(twin.shrink(catalogue.entries()[key].reading.spec))
    except CountedOnly:
        return False
