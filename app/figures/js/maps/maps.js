// Attention, routing and state maps: P panels of R x C bytes, a prompt, a step control and a memory tape.
import { Colours } from "../colours.js";
import { clamp, el, rich } from "../dom.js";
import { Foot } from "../foot.js";
import { rootOf } from "../place.js";
import { Selection } from "../selection.js";
import { Steps } from "../steps.js";
import { MapData } from "./data.js";
import { Legend } from "./legend.js";
import { scaleColours } from "./paint.js";
import { Panels, STRIP } from "./panels.js";
import { Prompt } from "./prompt.js";
import { readout } from "./readout.js";
import { sheet } from "./sheet.js";
import { everything, table } from "./table.js";
import { Tape } from "./tape.js";
import { View } from "./view.js";

const SETTLED = 250; // ms of rest after which Python learns of the view

export class Maps {
  constructor(parent) {
    this.root = rootOf(parent, "maps");
    this.view = new View();
    this.selection = new Selection();
    this.colours = new Colours(this.root, () => this.paint());
    this.build();
    this.root.addEventListener("keydown", (event) => event.key === "Escape" && this.clear());
    new ResizeObserver(() => this.resized()).observe(this.root);
  }

  build() {
    const toggle = (row) => this.toggleRow(row);
    this.prompt = new Prompt(this.view, { toggle, hint: (row) => this.hint(row) });
    this.panels = new Panels(this.view, {
      toggle,
      isolate: (head) => this.look(() => (this.view.head = head)),
      point: (cell) => this.point(cell),
    });
    this.alt = el("div.aside", { role: "img" });
    this.picture = el("div.picture", { role: "group" }, this.alt, this.panels.root);
    this.readout = el("div.readout", { "aria-live": "polite" });
    this.legend = new Legend();
    this.caption = el("p.cap");
    this.steps = new Steps("step", {
      at: () => this.view.step,
      last: () => this.view.data.steps,
      go: (step) => this.stepTo(step),
      commit: () => this.commit(),
      alive: () => this.root.isConnected,
    });
    this.tape = new Tape();
    const under = el("div.under", {}, this.readout, this.legend.root);
    this.root.append(this.prompt.root, this.picture, under, this.caption, this.steps.root, this.tape.root);
    this.foot = new Foot(this.root, {
      name: () => this.view.data.name,
      config: () => this.view.data.config,
      table: () => table(this.view),
      csv: () => everything(this.view),
      svg: () => sheet(this),
      paper: () => this.colours.css("paper"),
    });
  }

  // ---- new data

  update(header, cells, { setStateValue }) {
    this.setStateValue = setStateValue;
    this.view.show(new MapData(header, cells));
    this.follow(header.selected);
    this.point(null);
    this.arrange();
    this.colours.read();
    this.paint();
    this.prompt.fold();
    this.foot.refresh();
  }

  /** A selection that Python gives moves the view only if it is news. */
  follow(selected) {
    const wanted = this.view.fitting(selected);
    const news = this.selection.isNews(selected, wanted);
    if (news && Object.keys(selected).length) {
      Object.assign(this.view, wanted);
      this.committed = JSON.stringify(wanted);
    }
    this.committed ??= JSON.stringify(this.view.selected());
  }

  /** Tell Python, once the visitor has settled. */
  commit() {
    clearTimeout(this.committing);
    if (!this.view.data.report) return;
    this.committing = setTimeout(() => {
      const selected = this.view.selected();
      const now = JSON.stringify(selected);
      if (now === this.committed) return;
      this.committed = now;
      this.selection.send(selected);
      this.setStateValue("selected", selected);
    }, SETTLED);
  }

  // ---- what the visitor does

  /** Change the view, and everything that depends on it. */
  look(change) {
    change();
    this.point(null);
    this.arrange();
    this.paint();
    this.prompt.fold();
    this.foot.refresh();
    this.commit();
  }

  clear() {
    const alone = ["head", "row"].find((name) => this.view[name] !== null);
    if (alone) this.look(() => (this.view[alone] = null));
  }

  toggleRow(row) {
    if (this.view.data.rowsAreTokens) this.look(() => this.view.toggleRow(row));
  }

  hint(row) {
    if (!this.view.data?.rowsAreTokens || this.view.hint === row) return;
    this.view.hint = row;
    this.paint();
  }

  stepTo(step) {
    this.view.stepTo(step);
    this.point(null);
    this.paint();
  }

  /** Crosshair and readout only: nothing is redrawn while the pointer moves. */
  point(cell) {
    if (!this.view.data || (!cell && !this.view.pointer)) return;
    this.view.pointer = cell;
    this.root.classList.toggle("pointing", Boolean(cell));
    this.panels.mark();
    this.tell();
    this.panels.read();
  }

  resized() {
    if (!this.view.data || this.width === this.root.clientWidth) return;
    this.arrange();
    this.prompt.fold();
    this.tape.paint(this.view, this.width, this.colours);
  }

  // ---- arranging: the elements that belong to the data and to what is isolated

  arrange() {
    const { view } = this;
    const { data } = view;
    const columns = Math.min(data.columns, data.count);
    const beside = Math.ceil((data.count - 1) / 4); // lines of panels beside an isolated one
    this.root.classList.toggle("stage", data.stage);
    this.root.classList.toggle("alone", view.head !== null);
    const sizes = {
      cols: columns,
      few: columns > 4 ? 3 : columns,
      strip: clamp(data.count - 1, 4, STRIP),
      span: beside + 1,
      rows: `${"auto ".repeat(beside)}1fr`,
      cell: `${(100 / data.height).toFixed(3)}%`,
    };
    for (const [name, value] of Object.entries(sizes)) this.root.style.setProperty(`--${name}`, value);
    this.alt.setAttribute("aria-label", data.alt);
    this.picture.setAttribute("aria-label", data.title);
    this.panels.arrange(this.root.clientWidth);
    this.prompt.arrange();
    this.caption.replaceChildren(...rich(data.caption));
    this.caption.hidden = !data.caption;
    this.steps.arrange(data.passes ? "Pass" : "Token step");
    this.steps.root.hidden = !data.steps;
    this.tape.arrange(data);
    this.width = this.root.clientWidth; // read here and kept: reading it while painting is slow
    this.panels.refine();
  }

  // ---- painting

  paint() {
    const { view } = this;
    const { data } = view;
    if (!data) return;
    const key = `${this.colours.seen}${data.scale}${Boolean(data.passes)}`;
    if (this.scaleKey !== key) {
      this.scale = scaleColours(this.colours, data.scale);
      this.scaleKey = key;
      this.legend.paint(data, this.scale);
    }
    this.panels.paint(this.scale, this.colours);
    this.prompt.paint();
    if (data.steps) this.paintSteps();
    this.panels.read();
    this.tell();
  }

  paintSteps() {
    const { steps, tokens, passes } = this.view.data;
    const step = this.view.step;
    const word = steps === tokens.length && !passes ? [" ", el("code", {}, tokens[step - 1])] : [];
    this.steps.paint(`${step} of ${steps}`, el("b", {}, String(step)), ` of ${steps}`, ...word);
    this.tape.paint(this.view, this.width, this.colours);
  }

  tell() {
    this.readout.replaceChildren(...readout(this.view));
  }
}
