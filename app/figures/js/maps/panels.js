// The panels: how they stand, what they are called, and which cell of them is pointed at.
import { clamp, el, exactly, sv } from "../dom.js";
import { paintCells, paintLens, rings } from "./paint.js";
import { readings } from "./readout.js";

export const STRIP = 7; // panels in a line above an isolated one, on a phone
const BESIDE = 4; // panels in a line beside it elsewhere

const line = (y, thick, dashes = null) => ({ y, thick, dashes });

/** Group rules: every group has its own lines as well as its label, in a 7 px band. */
const RULES = [
  [line(4, 3)],
  [line(2, 1.4), line(5.6, 1.4)],
  [line(4, 3, "9 4")],
  [line(4, 3, "3 3")],
  [line(3.5, 6)],
  [line(1.5, 1.2), line(3.9, 1.2), line(6.3, 1.2)],
  [line(4, 3, "12 3 3 3")],
  [line(1.6, 1.2), line(5.2, 3)],
];

/** The lines of a group: {y, thick, dashes}. */
export const ruleOf = (group) => (group === null ? [] : RULES[group % RULES.length]);

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const mapOf = (event) => event.target.closest?.(".map");
const panelOf = (event) => Number(mapOf(event).dataset.panel);

function make(index) {
  const mark = (name) => el(`i.cross.${name}`);
  const hidden = { "aria-hidden": "true" };
  const map = el(
    "button.map",
    { type: "button", "data-panel": index },
    el("canvas"),
    el("canvas.lens", { hidden: true }),
    mark("x"),
    mark("y"),
    el("i.spot"),
    sv("svg", { class: "rings", ...hidden }),
  );
  return el("div.panel", {}, sv("svg", { class: "rule", ...hidden }), el("div.name", {}, el("span"), el("span")), map);
}

export class Panels {
  /** `isolate(head or null)`, `toggle(row)`; `point(cell or null)`: a cell of {head, row, col} is pointed at. */
  constructor(view, { isolate, toggle, point }) {
    Object.assign(this, { view, isolate, toggle, point, panels: [] });
    this.root = el("div.panels");
    this.reads = el("div.reads", { "aria-live": "polite" });
    // delegated, so that new data needs no new listeners
    this.root.addEventListener("pointermove", (event) => mapOf(event) && point(this.cellAt(event)));
    this.root.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && point(null));
    this.root.addEventListener("click", (event) => mapOf(event) && this.pressed(event));
    this.root.addEventListener("keydown", (event) => mapOf(event) && this.key(event));
    this.root.addEventListener("focusout", () => point(null));
  }

  cellAt(event) {
    const box = mapOf(event).getBoundingClientRect();
    const cell = this.view.data.cellAt((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    return { head: panelOf(event), ...cell };
  }

  /** A click isolates a head, or the row of a single panel. A finger has no hover: on the big panel it reads the cell. */
  pressed(event) {
    const { data, head } = this.view;
    const cell = this.cellAt(event);
    const big = head === cell.head;
    const map = mapOf(event);
    if (event.detail && event.pointerType === "touch" && big) this.point(cell);
    else if (data.count > 1) {
      this.isolate(big ? null : cell.head);
      map.focus({ preventScroll: true });
    } else if (event.detail && data.rowsAreTokens) this.toggle(cell.row);
  }

  key(event) {
    const [dy, dx] = ARROWS[event.key] ?? [0, 0];
    if (!dy && !dx) return;
    event.preventDefault();
    const { data, pointer: at, row } = this.view;
    const from = at ? { row: at.row + dy, col: at.col + dx } : { row: row ?? this.view.rowsShown() - 1, col: 0 };
    this.point({ head: panelOf(event), ...data.inside(from) });
  }

  /** The elements that belong to the data and to what is isolated. `width`: of the figure, in px. */
  arrange(width) {
    this.reads.remove();
    this.panels = exactly(this.root, this.view.data.count, make);
    this.root.append(this.reads);
    this.panels.forEach((panel, p) => this.dress(panel, p, this.view.run(p, this.inLine(width))));
  }

  /** How many panels stand side by side: all, or those that are not isolated. */
  inLine(width) {
    const { count, columns } = this.view.data;
    if (this.view.head === null) return Math.min(columns, count);
    return width > 600 ? BESIDE : clamp(count - 1, BESIDE, STRIP);
  }

  dress(panel, p, run) {
    const { data, head } = this.view;
    const group = data.groupOf(p);
    const alone = head === p;
    const [rule, name, map] = panel.children;
    const drawn = ({ y, thick, dashes }) =>
      sv("line", {
        x1: 0,
        x2: "100%",
        y1: y,
        y2: y,
        stroke: "currentColor",
        "stroke-width": data.stage ? thick * 1.4 : thick,
        "stroke-dasharray": dashes,
      });
    panel.classList.toggle("joined", run[0] !== p);
    panel.classList.toggle("big", alone);
    panel.style.setProperty("--run", run.length);
    panel.style.setProperty("--hue", `var(--${data.hue})`);
    panel.style.setProperty("--widest", data.ratio() > 1.3 ? "none" : "420px");
    rule.replaceChildren(...ruleOf(group).map(drawn));
    rule.style.display = group === null ? "none" : "";
    name.children[0].textContent = data.labels[p];
    name.children[1].textContent = data.groupName(p);
    map.style.aspectRatio = data.ratio();
    map.setAttribute("aria-pressed", alone);
    const says = [data.labels[p], data.groupName(p), "arrow keys read the cells, Enter isolates"];
    map.setAttribute("aria-label", says.filter(Boolean).join(", "));
  }

  /** Cells smaller than a pixel are averaged instead of dropped. */
  refine() {
    const { width } = this.view.data;
    for (const map of this.root.querySelectorAll(".map"))
      map.children[0].classList.toggle("fine", map.clientWidth * devicePixelRatio < width * 1.25);
  }

  paint(scale, colours) {
    this.panels.forEach((panel, p) => {
      const map = panel.children[2];
      const ringed = map.querySelector(".rings");
      paintCells(map.children[0], this.view, p, scale);
      paintLens(map.children[1], this.view, p, scale);
      ringed.replaceChildren(...rings(this.view, colours, { x: 0, y: 0, wide: 100, high: 100, unit: "%" }));
      ringed.style.display = this.view.data.passes ? "" : "none";
    });
  }

  /** A panel's canvases: its cells, and its emphasised row. */
  canvases(p) {
    return this.panels[p].children[2].children;
  }

  /** Crosshair only: nothing is redrawn while the pointer moves. */
  mark() {
    const { data, pointer } = this.view;
    this.panels.forEach((panel, p) => panel.classList.toggle("pointed", pointer?.head === p));
    if (!pointer) return;
    this.root.style.setProperty("--px", `${((pointer.col + 0.5) / data.width) * 100}%`);
    this.root.style.setProperty("--py", `${((pointer.row + 0.5) / data.height) * 100}%`);
  }

  /** The list beside an isolated head. */
  read() {
    this.reads.replaceChildren(...readings(this.view, () => this.isolate(null)));
  }
}
