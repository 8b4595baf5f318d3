// The figure as one SVG sheet: title, prompt, panels as images with real text around them, legend and tape.
import { MONO, SANS } from "../colours.js";
import { fill, sv } from "../dom.js";
import { rings } from "./paint.js";
import { ruleOf } from "./panels.js";
import { GHOST, ringLine, ringSlots, tapeCells, tapeLine } from "./tape.js";

const WIDTH = 960;
const MARGIN = 28;
const FULL = WIDTH - 2 * MARGIN;
const LINE = 135; // letters in a line of the caption

/** The sheet of a figure: {view, colours, panels, legend}. */
export const sheet = (figure) => new Sheet(figure).svg;

/** Lines of words, none much longer than `limit` letters. */
export function wrapped(text, limit) {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    if (lines.at(-1).length + word.length > limit) lines.push(word);
    else lines[lines.length - 1] += ` ${word}`;
  }
  return lines.map((line) => line.trim()).filter(Boolean);
}

class Sheet {
  constructor({ view, colours, panels, legend }) {
    Object.assign(this, { view, data: view.data, colours, shown: panels, ramp: legend.ramp, y: MARGIN, svg: sv("svg") });
    this.ink = colours.css("ink");
    this.soft = colours.css("soft");
    this.write(this.data.title, 16, { "font-weight": 600 });
    if (this.data.tokens.length) this.prompt();
    this.panels();
    this.legend();
    if (this.data.tape) this.tape();
    this.caption();
    const height = Math.ceil(this.y + 16);
    fill(this.svg, { width: WIDTH, height, viewBox: `0 0 ${WIDTH} ${height}` }, []);
    this.svg.prepend(sv("title", {}, this.data.alt), sv("rect", { width: WIDTH, height, fill: colours.css("paper") }));
  }

  add(tag, attributes) {
    const node = sv(tag, attributes);
    this.svg.append(node);
    return node;
  }

  image(canvas, x, y, width, height, attributes = {}) {
    this.add("image", { x, y, width, height, preserveAspectRatio: "none", ...attributes, href: canvas.toDataURL() });
  }

  text(x, y, words, size, attributes = {}) {
    const font = { "font-size": size, "font-family": SANS, fill: this.ink };
    this.svg.append(sv("text", { x, y, ...font, "xml:space": "preserve", ...attributes }, words));
  }

  /** A line of its own. */
  write(words, size, attributes = {}) {
    if (words) this.text(MARGIN, (this.y += size), words, size, attributes);
    this.y += 10;
  }

  prompt() {
    const { data, view, colours } = this;
    const size = data.tokens.length > 40 ? 11 : 13;
    const left = MARGIN + 12;
    const top = this.y;
    const look = { rx: 8, fill: colours.css("card"), stroke: colours.css("line") };
    const box = this.add("rect", { x: MARGIN, y: top, width: FULL, ...look });
    let x = left;
    let y = (this.y += size + 10);
    const put = (word, tint, attributes) => {
      const width = word.length * size * 0.6;
      if (x + width > WIDTH - left) {
        x = left;
        y = this.y += size + 8;
      }
      const behind = { x: x - 3, y: y - size, width: width + 6, height: size + 5, rx: 4 };
      if (tint) this.add("rect", { ...behind, fill: colours.css(tint, 0.24) });
      this.text(x, y, word, size, { "font-family": MONO, ...attributes });
      x += width + size * 0.85;
    };
    const words = data.passes ? data.passes.words[view.step - 1] : data.tokens;
    const tints = { key: "kv", answer: "query" };
    words.forEach((word, i) => {
      const role = data.roles[i];
      put(word, tints[role], { "font-weight": i === view.row || role === "query" ? 700 : 500 });
    });
    if (data.answer) {
      const [answer, probability] = data.answer;
      put("→", null, {});
      put(answer, "query", { "font-weight": 500 });
      put(probability.toFixed(3), null, { fill: this.soft });
    }
    box.setAttribute("height", y + 12 - top);
    this.y = y + 30;
  }

  panels() {
    const { data, view } = this;
    const alone = view.head !== null;
    const ratio = data.ratio();
    const columns = alone ? 1 : Math.min(data.columns, data.count);
    const gap = 14;
    const widest = alone ? 480 : ratio > 1.3 ? FULL : 420;
    const wide = Math.min(widest, (FULL - (columns - 1) * gap) / columns);
    const high = wide / ratio;
    view.heads().forEach((p, i) => {
      if (i && i % columns === 0) this.y += high + 46;
      const run = view.run(p, columns);
      const reach = run[0] === p ? run.length * (wide + gap) - gap : 0;
      this.panel(p, MARGIN + (i % columns) * (wide + gap), wide, high, reach);
    });
    this.y += high + 40;
  }

  /** reach: how far its group's rule goes; 0 where it began at an earlier panel. */
  panel(p, x, wide, high, reach) {
    const { data, view, colours, y } = this;
    const hue = colours.css(data.hue);
    const [cells, lens] = this.shown.canvases(p);
    for (const { y: at, thick, dashes } of reach ? ruleOf(data.groupOf(p)) : []) {
      const line = { stroke: hue, "stroke-width": thick, "stroke-dasharray": dashes };
      this.add("line", { x1: x, x2: x + reach, y1: y - 8 + at, y2: y - 8 + at, ...line });
    }
    this.text(x, y + 15, data.labels[p], 12, { fill: this.soft });
    this.text(x + wide, y + 15, data.groupName(p), 12, { fill: hue, "text-anchor": "end" });
    const pixelated = { style: "image-rendering:pixelated" };
    this.image(cells, x, y + 22, wide, high, pixelated);
    this.svg.append(...rings(view, colours, { x, y: y + 22, wide, high }));
    const row = view.focusRow();
    if (row === null) return;
    const top = y + 22 + ((row + 0.5) / data.height) * high - 4;
    this.image(lens, x, top, wide, 8, pixelated);
    this.add("rect", { x, y: top, width: wide, height: 8, fill: "none", stroke: this.ink });
  }

  legend() {
    const { data } = this;
    const measure = data.measure();
    this.image(this.ramp, MARGIN, this.y, 160, 8);
    for (const [at, words] of data.ticks())
      this.text(MARGIN + 160 * at, this.y + 21, words, 11, { fill: this.soft, "text-anchor": "middle" });
    const scale = data.scale === "signed" ? measure : `${measure}, square-root scale`;
    this.text(MARGIN + 176, this.y + 8, scale, 11, { fill: this.soft });
    this.y += 40;
  }

  tape() {
    const { view, data, colours } = this;
    const { cells, height } = tapeCells(view, FULL);
    const line = tapeLine(view);
    const outline = { fill: "none", stroke: this.soft, "stroke-opacity": 0.5 };
    for (const [x, y, w, h, kind] of cells) {
      const look = kind === GHOST ? outline : { fill: colours.css(kind) };
      this.add("rect", { x: (MARGIN + x).toFixed(2), y: this.y + y, width: w.toFixed(2), height: h, ...look });
    }
    this.y += height + 8;
    this.write(line.lead + line.now + line.ghost, 12);
    if (!data.tape.ring) return;
    const holds = ringSlots(view).map((token) => data.tokens[token] ?? "–");
    this.write(`${ringLine(view)}; it holds ${holds.join(" ")}`, 12);
  }

  caption() {
    for (const line of wrapped(this.data.caption.replaceAll("**", ""), LINE)) {
      this.text(MARGIN, (this.y += 13), line, 12, { fill: this.soft });
      this.y += 5;
    }
  }
}
