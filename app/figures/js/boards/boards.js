// A puzzle being thought over: one board large, which can be written into, and every board so far small.
import { Colours } from "../colours.js";
import { clamp, el, exactly, rich } from "../dom.js";
import { Foot } from "../foot.js";
import { rootOf } from "../place.js";
import { Selection } from "../selection.js";
import { Steps } from "../steps.js";
import { Thought } from "./data.js";
import { sheet } from "./sheet.js";
import { Tiles } from "./tiles.js";

const NARROW = 600; // px below which large and small boards stand closer

const cellOf = (event) => Number(event.target.closest("button")?.dataset.cell ?? -1);

export class Boards {
  constructor(parent) {
    this.root = rootOf(parent, "boards");
    this.at = 1; // the frame that is shown
    this.picked = null; // the cell that is written into
    this.selection = new Selection();
    this.colours = new Colours(this.root, () => this.paint());
    this.build();
    new ResizeObserver(() => this.root.clientWidth !== this.width && this.data && this.arrange()).observe(this.root);
  }

  build() {
    this.alt = el("div.aside", { role: "img" });
    this.big = el("div.big", { role: "grid" });
    this.palette = el("div.words", { role: "group", "aria-label": "Write into the cell" });
    this.readout = el("div.readout", { "aria-live": "polite" });
    this.key = el("div.key");
    this.caption = el("p.cap");
    this.steps = new Steps("update", {
      at: () => this.at,
      last: () => this.data.frames(),
      go: (frame) => this.go(frame),
      commit: () => this.commit(),
      alive: () => this.root.isConnected,
    });
    this.tiles = new Tiles(this.colours, (frame) => this.chosen(frame));
    const both = el("div.both", {}, el("div.left", {}, this.big, this.palette), this.tiles.root);
    this.root.append(this.alt, both, this.steps.root, this.readout, this.key, this.caption);
    this.big.addEventListener("click", (event) => this.pick(cellOf(event)));
    this.big.addEventListener("keydown", (event) => this.typed(event));
    this.foot = new Foot(this.root, {
      name: () => this.data.name,
      config: () => this.data.config,
      table: () => this.data.table(),
      csv: () => this.data.table(),
      svg: () => this.svg(),
      paper: () => this.colours.css("paper"),
    });
  }

  // ---- new data

  update(header, cells, { setStateValue, setTriggerValue }) {
    const before = this.data;
    const atEnd = !before || this.at === before.frames();
    Object.assign(this, { data: new Thought(header, cells), setStateValue, setTriggerValue });
    const last = this.data.frames();
    const { step } = header.selected;
    const news = this.selection.isNews(header.selected, { step });
    this.at = atEnd ? last : clamp(this.at, 1, last);
    if (news && Number.isInteger(step)) this.at = clamp(step, 1, last);
    if (before?.name !== header.name || before?.size !== header.size) this.picked = null;
    this.arrange();
    this.foot.refresh();
  }

  /** Tell Python where it stands. */
  commit() {
    if (this.at === this.committed) return;
    this.committed = this.at;
    this.selection.send({ step: this.at });
    this.setStateValue("selected", { step: this.at });
  }

  // ---- moving

  go(frame) {
    this.at = clamp(frame, 1, this.data.frames());
    this.paint();
  }

  chosen(frame) {
    this.steps.stop();
    this.go(frame);
    this.commit();
  }

  // ---- writing into the puzzle

  pick(cell) {
    if (cell < 0) return;
    this.picked = this.picked === cell ? null : cell;
    this.paint();
  }

  write(word) {
    if (this.picked === null) return;
    this.setTriggerValue("edited", { cell: this.picked, word, size: this.data.size });
  }

  typed(event) {
    const { size, keys, gap } = this.data;
    const cell = cellOf(event);
    if (cell < 0) return;
    const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: size, ArrowUp: -size }[event.key];
    const word = event.key === "Backspace" || event.key === "Delete" ? gap : keys.indexOf(event.key.toUpperCase());
    if (move !== undefined) {
      event.preventDefault();
      this.big.children[clamp(cell + move, 0, this.data.count() - 1)].focus();
    } else if (word >= 0 && event.key.trim()) {
      event.preventDefault();
      this.picked = cell;
      this.write(word);
    }
  }

  // ---- drawing

  arrange() {
    const { data } = this;
    const fine = data.size > 6;
    this.width = this.root.clientWidth;
    const tight = this.width < NARROW && data.updates.length <= 4 && !fine;
    const looks = { stage: data.stage, maze: data.kind === "maze", tight, fine };
    for (const [name, on] of Object.entries(looks)) this.root.classList.toggle(name, on);
    this.alt.setAttribute("aria-label", data.alt);
    this.caption.replaceChildren(...rich(data.caption));
    this.caption.hidden = !data.caption;
    this.steps.arrange("Update");
    this.big.style.setProperty("--n", data.size);
    exactly(this.big, data.count(), (cell) => el("button.cell", { type: "button", "data-cell": cell }, el("span"), el("i")));
    const button = (key, word) => el("button", { type: "button", title: data.names[word], onclick: () => this.write(word) }, key);
    this.palette.replaceChildren(...data.keys.slice(0, data.writes).map(button), el("span", {}, "tap a cell, then a key"));
    this.tiles.arrange(data, tight);
    this.colours.read();
    this.paint();
  }

  paint() {
    const { data } = this;
    if (!data) return;
    const { step, update, of } = data.about(this.at);
    const place = `step ${step}, update ${update} of ${data.updates.length}`;
    this.steps.paint(place, "step ", el("b", {}, String(step)), ` of ${data.steps}, `, el("b", {}, of), ` ${update}`);
    this.readout.textContent = this.words();
    [...this.big.children].forEach((cell, c) => this.paintCell(cell, c));
    this.palette.classList.toggle("on", this.picked !== null);
    this.tiles.paint(this.at);
    const kinds = { given: "given", changed: "changed now", ...(data.truth && { right: "right", wrong: "wrong" }) };
    this.key.replaceChildren(...Object.entries(kinds).map(([kind, words]) => el("span", {}, el(`i.${kind}`), words)));
  }

  /** What the update did, in words. */
  words() {
    const { changed, wrong, sure, halt } = this.data.about(this.at);
    const verdict = wrong === null ? "" : wrong ? `, ${wrong} wrong` : ", all right";
    const done = halt === null ? "" : ` · says it is done: ${halt.toFixed(2)}`;
    return `${changed} cell${changed === 1 ? "" : "s"} changed${verdict} · sure ${sure.toFixed(2)}${done}`;
  }

  paintCell(cell, c) {
    const { data, at } = this;
    const maze = data.kind === "maze";
    const word = data.word(at, c);
    const sure = data.sure(at, c);
    const row = Math.floor(c / data.size);
    const column = c % data.size;
    const fixed = data.fixed(c);
    const wrong = data.wrong(at, c);
    const first = (place, every) => Boolean(every) && place > 0 && place % every === 0; // of a box
    const kinds = {
      given: fixed,
      changed: data.changed(at, c),
      wrong,
      right: !fixed && data.truth && !wrong,
      above: first(row, data.down),
      before: first(column, data.across),
      picked: c === this.picked,
      [`w${word}`]: maze,
    };
    cell.className = ["cell", ...Object.keys(kinds).filter((kind) => kinds[kind])].join(" ");
    cell.children[0].textContent = data.cellText(at, c);
    cell.children[1].style.width = fixed || maze ? "0" : `${Math.round(sure * 100)}%`;
    const known = fixed ? ", given" : `, sure ${sure.toFixed(2)}`;
    const says = `row ${row + 1}, column ${column + 1}: ${data.names[word]}${known}${wrong ? ", wrong" : ""}`;
    cell.setAttribute("aria-label", says);
    cell.tabIndex = c === (this.picked ?? 0) ? 0 : -1;
  }

  svg() {
    return sheet(this.data, { at: this.at, words: this.words(), colours: this.colours, tiles: this.tiles });
  }
}
