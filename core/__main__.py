"""python -m core inspect | live | models | train | evidence. The words and numbers are those of the pages."""

import argparse
import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path

from core.count.dtypes import DTYPES, named
from core.errors import LONGEST, CountedOnly, SpecError, whole

# torch takes seconds to import: nothing above needs it, and commands import it once arguments and sources are known to be good.

COMPANIONS = ("hf_quant_config.json", "quantize_config.json", "quant_config.json", "model.safetensors.index.json")
MOST_BYTES_BESIDE = 32 << 20  # bytes of one of them
WITHOUT = "a field of the config that is not understood, to count without; may stand several times"
BOUNDS = {"context": (1, LONGEST), "batch": (1, 1 << 20), "tokens": (2, 2048), "seed": (0, 1 << 62)}


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0, or 2 with one `error: ...` line on standard error."""
    args = parser().parse_args(arguments)
    try:
        check(args)
        status = COMMANDS[args.command](args) or 0
        sys.stdout.flush()
        return status
    except SpecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains when it flushes at exit
        return 0


def check(args) -> None:
    """Turn typed numbers into numbers; SpecError where one is out of bounds or a dtype is unknown."""
    for field, (low, high) in BOUNDS.items():
        if getattr(args, field, None) is not None:
            setattr(args, field, integer(field, getattr(args, field), low, high))
    for field in ("weight_dtype", "cache_dtype"):
        if getattr(args, field, None) is not None:
            setattr(args, field, named(field, getattr(args, field)))


class Parser(argparse.ArgumentParser):
    """argparse with errors in one line."""

    def error(self, message):
        line = " ".join(message.split())
        print("error:", line if len(line) <= 250 else line[:249] + "…", file=sys.stderr)
        sys.exit(2)


def parser() -> argparse.ArgumentParser:
    """The five commands."""
    top = Parser(prog="python -m core", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, parser_class=Parser)

    inspect = commands.add_parser("inspect", help="count a model")
    inspect.add_argument("source", nargs="+", help="a catalogue key, a path to a config.json or its folder, or -")
    inspect.add_argument("--context", help="tokens; default: the config's maximum")
    inspect.add_argument("--batch", default="1", help="equal sequences")
    inspect.add_argument("--weight-dtype", help=f"{', '.join(DTYPES)} or bits a weight; default: the config's own")
    inspect.add_argument("--cache-dtype", help="likewise")
    inspect.add_argument("--beside", action="append", default=[], metavar="FILE", help=f"{', '.join(COMPANIONS)} of the source")
    inspect.add_argument("--without", action="append", default=[], metavar="FIELD", help=WITHOUT)
    form = inspect.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one object a source and line")
    form.add_argument("--csv", action="store_true", help="one row a source")

    live = commands.add_parser("live", help="run the shrunken twin and compare it with the count")
    live.add_argument("source")
    live.add_argument("--tokens", help="default: more than twice the largest window")
    live.add_argument("--seed", default="0")
    live.add_argument("--without", action="append", default=[], metavar="FIELD", help=WITHOUT)
    live.add_argument("--json", action="store_true")

    models = commands.add_parser("models", help="list the catalogue")
    models.add_argument("--json", action="store_true")

    train = commands.add_parser("train", help="train the models of a mechanism again")
    train.add_argument("name", help="a mechanism, or all")
    train.add_argument("--seed", help="one seed; default: every seed of the published table")
    train.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    train.add_argument("--jobs", default="1", help="runs at once, each on one thread")

    evidence = commands.add_parser("evidence", help="our runs and what they show")
    evidence.add_argument("name", nargs="?")
    evidence.add_argument("--json", action="store_true")
    return top


# Sources


def opened(source: str, without: list[str], beside: list[str]):
    """A catalogue key, a path or - -> Reading, or Referenced where a class of transformers counts it. Notes go to standard
    error."""
    from core.real import catalogue, intake
    from core.real.beside import gathered
    from core.real.hf.source import contents

    rows = catalogue.entries()
    if source in rows:
        return rows[source].reading
    path, more, name = whereabouts(source)
    files = [(Path(file).name, contents(file, MOST_BYTES_BESIDE)) for file in (*more, *beside)]
    data = gathered([(name, contents(path)), *files])[0][1]
    try:
        taken = intake.counted(data, name, {"without": without} if without else None, Path(path).absolute().parent.name)
    except intake.NotUnderstood as error:
        raise SpecError(f"{error} (--without {' --without '.join(error.fields[:3])})") from None
    found, notes = (taken.reading, taken.reading.notes) if isinstance(taken, intake.Taken) else (taken, ())
    for note in filter(None, (taken.note, *notes)):
        print(f"note: {note}", file=sys.stderr)
    return found


def whereabouts(source: str) -> tuple[str, list[str], str]:
    """The path of a config, the files beside it that are read with it, and what to call it: of a folder its config.json."""
    if source == "-":
        return source, [], "standard input"
    folder = Path(source)
    if not os.path.isfile(folder / "config.json"):  # False for what cannot be a path, too
        return source, [], source
    return str(folder / "config.json"), [str(folder / n) for n in COMPANIONS if (folder / n).is_file()], folder.absolute().name


def integer(field: str, value: str, low: int, high: int) -> int:
    """A whole number typed on the command line."""
    typed: int | str = value
    with suppress(ValueError):  # what int refuses is refused below, as it stands
        typed = int(value)
    return whole(field, typed, low, high)


# Commands


def cmd_inspect(args) -> None:
    """Print each source as a table, as JSON lines or as CSV."""
    readings = [opened(source, args.without, args.beside) for source in args.source]
    from core.real import rows as real
    from core.real.intake import Referenced

    asked = (args.context or 0, args.batch, args.weight_dtype or "", args.cache_dtype or "")
    rows = [(real.reference_row if isinstance(r, Referenced) else real.row)(r, *asked) for r in readings]
    if args.json:
        for row in rows:
            print(json.dumps(row))
    elif args.csv:
        print(real.to_csv(rows), end="")
    else:
        print("\n\n".join(map(table, rows)))


def table(row: dict) -> str:
    """One model as lines of name and value; bytes in both units."""
    from core.units import binary, count, decimal

    lines = []
    for field, value in row.items():
        if value is None:
            value = "not known"
        elif "_bytes" in field:
            value = f"{value:,} B  =  {binary(value)}  =  {decimal(value)}"
        elif isinstance(value, int) and not isinstance(value, bool):
            value = f"{value:,}" + (f"  =  {count(value)}" if value >= 10_000 else "")
        elif isinstance(value, dict):
            value = ", ".join(f"{n} {kind}" for kind, n in value.items())
        elif isinstance(value, list):
            value = ", ".join(value) or "none"
        lines.append(f"{field:<40} {value}")
    return "\n".join(lines)


def cmd_live(args) -> None:
    """Run the twin of one source."""
    r = opened(args.source, args.without, [])
    from core.real.intake import Referenced

    if isinstance(r, Referenced):
        raise SpecError(f"{r.reference.model_type} is counted by its class in transformers and does not run here")
    from core.shape import twin

    try:
        ran = twin.run_twin(r.spec, args.tokens or 0, args.seed)
    except CountedOnly:
        raise CountedOnly(r.model_type) from None
    left = {"assumed": list(r.assumed), "unknown_fields": list(r.unknown_fields)}
    result = {"name": r.spec.name, "model_type": r.model_type, **asdict(ran), **left}
    if r.spec.decoding != "autoregressive":
        result |= {"decoding": r.spec.decoding, "cache_note": NO_CACHE[r.spec.decoding]}
    if args.json:
        print(json.dumps(result))
        return
    for field, value in result.items():
        if field == "shrunk":
            value = ", ".join(f"{s['field']} {s['from']} -> {s['to']}" for s in value)
        elif isinstance(value, list):
            value = ", ".join(value) or "none"
        print(f"{field:<28} {value:.3g}" if isinstance(value, float) else f"{field:<28} {value}")


def cmd_models(args) -> None:
    """List the catalogue."""
    from core.count import cost
    from core.real import catalogue

    rows = []
    for key, entry in catalogue.entries().items():
        facts = {name: entry.fact(name) for name in catalogue.FACTS}
        total = cost.count(entry.reading.spec, entry.reading.context).params_total
        rows.append(
            {
                "key": key,
                "name": entry.name,
                "model_type": entry.reading.model_type,
                "params_total": total,
                "checked": entry.checked,
                **facts,
            }
        )
    if args.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['key']:<24} {row['released']:<11} {row['params_total']:>16,}  {row['organisation']}, {row['licence']}")


def cmd_train(args) -> None:
    """Train the recipes of one mechanism, or of all."""
    from core.train import zoo

    seed = None if args.seed is None else integer("seed", args.seed, 0, 1 << 31)
    zoo.train(args.name, seed, args.device, integer("jobs", args.jobs, 1, 64))


def cmd_evidence(args) -> None:
    """Print the tables and the verdicts that follow from them."""
    from core.train import evidence

    reports = evidence.reports(args.name)
    if args.json:
        print(json.dumps([evidence.as_json(report) for report in reports]))
    else:
        print("\n\n".join(evidence.as_text(report) for report in reports))


NO_CACHE = {
    "diffusion": "counted on the same layers reading backwards only; the released code reads both ways and keeps no cache",
    "recursion": "no cache: every step reads the whole board anew and carries y and z; compared are several steps at once and as "
    "many single ones",
}
COMMANDS = {"inspect": cmd_inspect, "live": cmd_live, "models": cmd_models, "train": cmd_train, "evidence": cmd_evidence}

if __name__ == "__main__":
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no reason to stop
    sys.exit(main())
