"""The scripts: linted, formatted, in modules that fit together, and joined into one text for the browser.

What they do is tested in Chromium, in tests/browser.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from app.javascript import module_text, order, script
from core.paths import ROOT

SCRIPTS = sorted([*(ROOT / "app").rglob("*.js"), *(ROOT / "tests").rglob("*.js")])
ENTRIES = sorted([*(ROOT / "app/figures/js/entry").glob("*.js"), ROOT / "app/figures/js/strip.js", ROOT / "app/header.js"])
MODULES = sorted({path for entry in ENTRIES for path in order(entry) if path.suffix == ".js"})


def relative(path):
    return str(path.relative_to(ROOT))


def run(tool: str, *arguments, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    """A tool of tests/requirements.txt, called in a folder."""
    beside = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    found = next((place for where in (*beside, None) if (place := shutil.which(tool, path=where))), None)
    assert found, f"{tool} is missing: pip install -r tests/requirements.txt"
    return subprocess.run([found, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=60)


def test_the_linter_finds_nothing():
    done = run("oxlint", "--deny-warnings", *SCRIPTS)
    assert done.returncode == 0, done.stdout


def test_every_script_is_formatted():
    done = run("oxfmt", "--list-different", *SCRIPTS)
    assert done.returncode == 0, f"format them with `oxfmt app tests`: {done.stdout}{done.stderr}"


FAULTS = {
    "no-unused-vars": "const spare = 1;\n",
    "no-undef": 'export const node = () => elsewhere("p");\n',
    "named": 'import { clamps } from "./dom.js";\n\nexport const top = clamps(1, 0, 1);\n',
    "one-var": "const a = 1, b = 2;\n\nexport const sum = a + b;\n",
    "complexity": "export const many = (a) => {\n" + 12 * "  if (a) return 1;\n" + "  return 0;\n};\n",
    "no-cycle": 'import { other } from "./other.js";\n\nexport const one = () => other;\n',
}  # fmt: skip


@pytest.mark.parametrize(("rule", "text"), FAULTS.items(), ids=FAULTS)
def test_the_linter_would_find_it(tmp_path, rule, text):
    """Its rules are those of .oxlintrc.json: what each is there for turns it red."""
    shutil.copy(ROOT / ".oxlintrc.json", tmp_path)
    shutil.copy(ROOT / "app/figures/js/dom.js", tmp_path)
    (tmp_path / "other.js").write_text('import { one } from "./wrong.js";\n\nexport const other = () => one;\n')
    (tmp_path / "wrong.js").write_text(text)
    done = run("oxlint", "dom.js", "wrong.js", cwd=tmp_path)
    assert done.returncode and f"({rule})" in done.stdout, done.stdout


@pytest.mark.parametrize("path", [*SCRIPTS, *(ROOT / "app").rglob("*.css")], ids=relative)
def test_no_line_is_longer_than_130_columns(path):
    assert [line for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 130] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=relative)
def test_every_import_resolves_to_what_a_file_exports(entry):
    text = module_text(entry)
    assert text.count("export default ") == 1 and not re.search(r"^import\b", text, re.M)


def test_every_script_is_used_and_so_is_all_that_it_exports():
    assert [relative(path) for path in SCRIPTS if path not in MODULES and "tests" not in path.parts] == []
    imported = {(path, name) for module in MODULES for path, names in script(module).imports for name in names.values()}
    tested = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/browser").glob("*.py"))
    spare = [
        f"{relative(path)}: {name}"
        for path in MODULES
        for name in script(path).exports
        if (path, name) not in imported and not re.search(rf"\b{name}\b", tested)
    ]
    assert spare == []


def test_the_drawing_code_stays_small():
    """It travels once a session; what each figure and every run of a page brings along is small."""
    sizes = {path.stem: len(module_text(path).encode()) for path in ENTRIES}
    assert sizes.pop("code") < 100_000
    assert sizes.pop("strip") < 9_000 and sizes.pop("header") < 9_000
    assert len(sizes) == 3 and max(sizes.values()) < 700


def written(folder: Path, **files: str) -> Path:
    """Files of a folder, by stem; css in a name's end makes a style sheet. Returns the entry."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder / "entry.js"


def test_a_module_keeps_to_itself_what_it_does_not_export(tmp_path):
    entry = written(
        tmp_path,
        a_js="// of a\nconst hidden = 1;\n\n/** Said. */\nexport const a = () => hidden; // stays\n",
        b_js='import { a } from "./a.js";\n\nconst hidden = 2;\n\nexport function b() {\n  return a() + hidden;\n}\n',
        look_css="/* all */\n.x {\n  color: red;\n}\n",
        entry_js='import { a as first } from "./a.js";\nimport {\n  b,\n} from "./b.js";\n'
        'import sheet from "./look.css" with { type: "css" };\n\nexport default () => [first, b, sheet];\n',
    )
    place = re.sub(r"\W", "_", tmp_path.name)
    lines = module_text(entry).splitlines()
    assert lines[5:] == [
        f"const ${place}_a = (() => {{", "const hidden = 1;", "const a = () => hidden; // stays", "return { a };", "})();",
        f"const ${place}_b = (() => {{", f"const {{ a }} = ${place}_a;", "const hidden = 2;", "function b() {",
        "return a() + hidden;", "}", "return { b };", "})();",
        f'const ${place}_look_css = $style(".x {{\\ncolor: red;\\n}}");',
        f"const {{ a: first }} = ${place}_a;", f"const {{ b }} = ${place}_b;", f"const sheet = ${place}_look_css;",
        "export default () => [first, b, sheet];",
    ]  # fmt: skip


WRONG = {
    "does not export it": {"entry_js": 'import { c } from "./a.js";\nexport default c;\n', "a_js": "export const b = 1;\n"},
    "in a circle: entry.js > a.js > entry.js": {
        "entry_js": 'import { a } from "./a.js";\nexport const b = a;\n',
        "a_js": 'import { b } from "./entry.js";\nexport const a = b;\n',
    },
    "cannot join 'import \\* as a": {"entry_js": 'import * as a from "./a.js";\nexport default a;\n'},
    "cannot join 'export let b": {"entry_js": "export let b = 1;\n"},
    "cannot join 'export { b }": {"entry_js": "const b = 1;\nexport { b };\n"},
    "for the entry": {
        "entry_js": 'import { a } from "./a.js";\nexport default a;\n',
        "a_js": "export const a = 1;\nexport default a;\n",
    },
    "goes over several lines": {"entry_js": "export default `one\n  two`;\n"},
}  # fmt: skip


@pytest.mark.parametrize(("why", "files"), WRONG.items(), ids=WRONG)
def test_what_does_not_fit_together_is_refused(tmp_path, why, files):
    with pytest.raises(ValueError, match=why):
        module_text(written(tmp_path, **files))
