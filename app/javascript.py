"""JavaScript modules joined into one text.

Streamlit takes a component's code as one text and hands it to the browser as one module. The scripts are modules all the
same, each saying what it needs of which other; module_text() puts an entry and what it imports behind each other, without a
build step and without another program. Files served one by one would cost a request for each level of imports before the
first picture, and a browser may keep an old one beside a new one; one text comes with the message that needs it.

Each module becomes a function that is called once, so that what it does not export stays its own:

    const $maps_view = (() => {
    const { clamp } = $js_dom;
    class View { ... }
    return { View };
    })();

What it understands, and refuses to guess beyond: `import { a, b as c } from "./file.js"` with a relative path, a style sheet as
`import sheet from "./file.css" with { type: "css" }`, `export` before a function, class or const, and `export default` in
the entry only. Comments that stand on lines of their own, and indentation, do not travel.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

IMPORT = re.compile(r'^import (?:\{([^}]*)\}|(\w+)) from "(\.{1,2}/[^"]+)"( with \{ type: "css" \})?;\n', re.M)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+)\b)", re.M)
COMMENTS = re.compile(r"^[ \t]*(?:/\*.*?\*/[ \t]*|//[^\n]*)\n", re.M | re.S)
LEFT_OVER = re.compile(r"^(?:import|export(?! default\b))\b.*", re.M)
STYLE = "const $style = (text) => {\nconst sheet = new CSSStyleSheet();\nsheet.replaceSync(text);\nreturn sheet;\n};"


@dataclass(frozen=True)
class Script:
    """One file: what it imports ({local name: exported name} of each file), what it exports, and its lines without either."""

    path: Path
    imports: tuple[tuple[Path, dict[str, str]], ...]
    exports: tuple[str, ...]
    body: str

    @property
    def variable(self) -> str:
        """What it is called in the joined text: by its folder and its name."""
        return variable(self.path)


def variable(path: Path) -> str:
    """The variable that holds what a file exports."""
    return "$" + re.sub(r"\W", "_", f"{path.parent.name}_{path.stem}{'' if path.suffix == '.js' else path.suffix}")


@cache
def script(path: Path) -> Script:
    """A file, read; raises ValueError where it is written otherwise than the module's text says."""
    text = COMMENTS.sub("", path.read_text(encoding="utf-8"))
    found = IMPORT.findall(text)
    imports = tuple(((path.parent / where).resolve(), _names(names or default)) for names, default, where, _ in found)
    body = EXPORT.sub("", IMPORT.sub("", text))
    if left := LEFT_OVER.search(body):
        raise ValueError(f"{path.name}: cannot join {left[0]!r}")
    if any(len(re.findall(r"(?<!\\)`", line)) % 2 for line in body.splitlines()):
        raise ValueError(f"{path.name}: a text in backquotes goes over several lines, and indentation does not travel")
    return Script(path, imports, tuple(EXPORT.findall(text)), _lean(body))


def _names(clause: str) -> dict[str, str]:
    """{local name: exported name} of "a, b as c"."""
    pairs = (name.split(" as ") for name in re.sub(r"\s+", " ", clause).strip(" ,").split(", "))
    return {pair[-1].strip(): pair[0].strip() for pair in pairs}


def _lean(text: str) -> str:
    """Lines without indentation and empty ones."""
    return "\n".join(line for line in map(str.strip, text.splitlines()) if line)


def order(entry: Path, above: tuple[Path, ...] = ()) -> list[Path]:
    """An entry and everything that it imports, each file after what it needs."""
    if entry in above:
        raise ValueError("imports go in a circle: " + " > ".join(path.name for path in (*above, entry)))
    needed = [] if entry.suffix == ".css" else [path for path, _ in script(entry).imports]
    found = [path for need in needed for path in order(need, (*above, entry))]
    return [*dict.fromkeys(found), entry]


def _destructured(owner: Script) -> str:
    """What a module imports, as declarations."""
    lines = []
    for path, names in owner.imports:
        if path.suffix == ".css":
            lines += [f"const {local} = {variable(path)};" for local in names]
            continue
        if missing := set(names.values()) - set(script(path).exports):
            raise ValueError(f"{owner.path.name} imports {', '.join(sorted(missing))} of {path.name}, which does not export it")
        parts = [local if local == name else f"{name}: {local}" for local, name in names.items()]
        lines.append(f"const {{ {', '.join(parts)} }} = {variable(path)};")
    return "".join(f"{line}\n" for line in lines)


def module_text(entry: Path) -> str:
    """A module and everything that it imports as one text; raises ValueError where they do not fit together."""
    files = order(entry.resolve())
    if len({variable(path) for path in files}) < len(files):
        raise ValueError(f"two files of the same name in folders of the same name: {sorted(map(str, files))}")
    parts = [STYLE] if any(path.suffix == ".css" for path in files) else []
    for path in files[:-1]:
        if path.suffix == ".css":
            sheet = _lean(re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S))
            parts.append(f"const {variable(path)} = $style({json.dumps(sheet, ensure_ascii=False)});")
        elif "export default" in script(path).body:
            raise ValueError(f"{path.name}: a default export is for the entry, Streamlit's function")
        else:
            own = script(path)
            inner = f"{_destructured(own)}{own.body}\nreturn {{ {', '.join(own.exports)} }};"
            parts.append(f"const {own.variable} = (() => {{\n{inner}\n}})();")
    last = script(files[-1])
    return "\n".join([*parts, _destructured(last) + last.body]) + "\n"
