// The row under every figure.
import { el } from "./dom.js";
import { csvFile, download, picture } from "./export.js";
import { cellText, whole } from "./numbers.js";

const TABLE_ROWS = 200;

/** The row under a figure: its data as a table, built when opened, and its files. source: what they are made of, as functions. */
export class Foot {
  constructor(root, source) {
    this.source = source;
    this.body = el("div");
    this.details = el("details", { ontoggle: () => this.refresh() }, el("summary", {}, "Data as a table"), this.body);
    this.note = el("span", { role: "status" });
    const files = ["PNG", "SVG", "CSV"].map((kind) =>
      el("button", { type: "button", "aria-label": `Download this figure as ${kind}`, onclick: () => this.save(kind) }, kind),
    );
    root.append(el("div.foot", {}, this.details, el("div.files", {}, this.note, ...files)));
  }

  /** Build the table again if it is open. */
  refresh() {
    if (!this.details.open) return;
    const { columns, rows, note } = this.source.table();
    const cell = (tag, value) =>
      el(tag, typeof value === "number" ? { class: "num" } : {}, value === null ? "" : cellText(value));
    const head = columns.map((name, i) =>
      el("th", typeof rows[0]?.[i] === "number" ? { class: "num", scope: "col" } : { scope: "col" }, name),
    );
    const body = rows.slice(0, TABLE_ROWS).map((row) => el("tr", {}, ...row.map((value) => cell("td", value))));
    const cut = rows.length > TABLE_ROWS ? `The first ${TABLE_ROWS} of ${whole(rows.length)} rows; the CSV file has all.` : "";
    const sheet = el(
      "div.sheet",
      { tabindex: "0" },
      el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body)),
    );
    this.body.replaceChildren(sheet, el("p.note", {}, [cut, note].filter(Boolean).join(" ")));
  }

  async save(kind) {
    try {
      this.note.textContent = "";
      const source = this.source;
      const config = source.config();
      const blob =
        kind === "CSV" ? csvFile(source.csv(), config) : await picture(kind, await source.svg(), config, source.paper());
      download(blob, `cutaway-${source.name()}.${kind.toLowerCase()}`);
    } catch (error) {
      this.note.textContent = `The ${kind} file could not be made: ${error.message}`;
    }
  }
}
