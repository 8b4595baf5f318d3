// Every board so far small: the updates of a step of supervision side by side, steps downwards, in as many columns as let the
// small boards be largest.
import { SANS } from "../colours.js";
import { clamp, el } from "../dom.js";

const HEAD = 18; // px above the first step
const ROOMY = { bar: 46, label: 22, space: 5, least: 14, font: 11, indent: 8, rest: 8 };
const TIGHT = { bar: 23, label: 14, space: 3, least: 11, font: 8.5, indent: 4, rest: 3 };

/** Sizes in px for a trail of `steps` steps of k updates in a room of a width and a height; columns, and rows in each. */
export function gridOf({ steps, updates, halt, stage }, { width, height, tight }) {
  const look = tight ? TIGHT : ROOMY;
  const { label, space, least } = look;
  const k = updates.length;
  const bars = (halt ? 2 : 1) * look.bar;
  const fit = (blocks) => {
    const down = height / Math.ceil(steps / blocks) - space;
    const across = (width / blocks - label - bars - space) / k - space;
    return Math.floor(Math.min(stage ? 76 : 58, down, across));
  };
  const blocks = [1, 2, 3, 4].reduce((best, n) => (fit(n) > fit(best) + 3 ? n : best));
  const rows = Math.ceil(steps / blocks);
  const tile = Math.max(least, fit(blocks));
  const pitch = tile + space;
  const block = label + k * pitch + space + bars;
  return { ...look, tight, tile, pitch, blocks, rows, block, width: blocks * block, height: HEAD + rows * pitch };
}

/** The frame at a point of the trail; null where no small board is. */
export function frameAt(grid, { steps, updates }, x, y) {
  const block = clamp(Math.floor(x / grid.block), 0, grid.blocks - 1);
  const k = updates.length;
  const col = Math.floor((x - block * grid.block - grid.label) / grid.pitch);
  const row = Math.floor((y - HEAD) / grid.pitch);
  const step = block * grid.rows + row;
  return row < 0 || row >= grid.rows || step >= steps ? null : step * k + clamp(col, 0, k - 1) + 1;
}

export class Tiles {
  /** `chosen(frame)`: a small board was pressed. */
  constructor(colours, chosen) {
    this.colours = colours;
    this.canvas = el("canvas.tiles", { "aria-hidden": "true" });
    this.root = el("div.trail", {}, el("div.map", { "data-panel": "0" }, this.canvas));
    this.canvas.addEventListener("click", (event) => {
      const box = this.canvas.getBoundingClientRect();
      const frame = frameAt(this.grid, this.data, event.clientX - box.left, event.clientY - box.top);
      if (frame !== null) chosen(frame);
    });
  }

  arrange(data, tight) {
    const height = data.stage ? 376 : tight ? 224 : 430;
    this.data = data;
    this.grid = gridOf(data, { width: this.root.clientWidth, height, tight });
  }

  /** at: the frame that is shown large. */
  paint(at) {
    const { width, height, font } = this.grid;
    const ratio = Math.max(1, devicePixelRatio);
    Object.assign(this.canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    this.pen = this.canvas.getContext("2d");
    this.pen.scale(ratio, ratio);
    this.pen.font = `500 ${font}px ${SANS}`;
    this.pen.textBaseline = "middle";
    this.paintHeads();
    for (let frame = 1; frame <= this.data.frames(); frame++) this.paintFrame(frame, at);
  }

  write(text, x, y, align = "left", colour = "soft") {
    Object.assign(this.pen, { fillStyle: this.colours.css(colour), textAlign: align });
    this.pen.fillText(text, x, y);
  }

  /** Where the bars begin in a column. */
  bars() {
    const { label, pitch, space } = this.grid;
    return label + this.data.updates.length * pitch + space;
  }

  paintHeads() {
    const { tile, pitch, bar, label, blocks, block, tight } = this.grid;
    const { updates, halt } = this.data;
    const bars = this.bars();
    for (let left = 0; left < blocks * block; left += block) {
      [...updates].forEach((letter, i) => {
        this.write(letter, left + label + i * pitch + tile / 2, 8, "center", letter === "y" ? "ink" : "soft");
      });
      this.write("sure", left + bars, 8);
      if (halt && tight) this.write("done", left + block - 1, 8, "right");
      else if (halt) this.write("done", left + bars + bar, 8);
    }
  }

  paintFrame(frame, at) {
    const { data } = this;
    const { tile, pitch, bar, label, indent, rows, block } = this.grid;
    const k = data.updates.length;
    const step = data.step(frame);
    const left = Math.floor((step - 1) / rows) * block;
    const y = HEAD + ((step - 1) % rows) * pitch;
    const middle = y + tile / 2;
    const colour = data.step(at) === step ? "ink" : "soft";
    const bars = left + this.bars();
    if (frame % k === 1 % k) this.write(String(step), left + label - indent, middle, "right", colour);
    this.paintTile(left + label + ((frame - 1) % k) * pitch, y, frame, frame === at);
    if (frame % k) return;
    this.paintBar(bars, middle, data.about(frame).sure, "query");
    if (data.halt) this.paintBar(bars + bar, middle, data.halt[step - 1], "saved");
  }

  paintBar(x, y, share, hue) {
    const { pen, colours } = this;
    const width = this.grid.bar - this.grid.rest;
    pen.fillStyle = colours.css("line");
    pen.fillRect(x, y - 4, width, 8);
    pen.fillStyle = colours.css(hue);
    pen.fillRect(x, y - 4, width * clamp(share, 0, 1), 8);
  }

  /** A small board; here: it is the one shown large. */
  paintTile(x, y, frame, here) {
    const { pen, colours, data } = this;
    const { tile } = this.grid;
    const cell = tile / data.size;
    pen.fillStyle = colours.css("card");
    pen.fillRect(x, y, tile, tile);
    for (const c of data.all()) {
      const left = x + (c % data.size) * cell;
      const top = y + Math.floor(c / data.size) * cell;
      pen.fillStyle = colours.css(...data.tint(frame, c));
      pen.fillRect(left + 0.25, top + 0.25, cell - 0.5, cell - 0.5);
      if (data.wrong(frame, c)) this.cross(left, top, cell, data.changed(frame, c) ? "card" : "routed");
    }
    pen.strokeStyle = colours.css(here ? "ink" : "line");
    pen.lineWidth = here ? 2 : 1;
    pen.strokeRect(x - 0.5, y - 0.5, tile + 1, tile + 1);
  }

  cross(left, top, cell, hue) {
    const { pen } = this;
    pen.strokeStyle = this.colours.css(hue);
    pen.lineWidth = Math.max(1, cell / 6);
    pen.beginPath();
    for (const [from, to] of [
      [0.25, 0.75],
      [0.75, 0.25],
    ]) {
      pen.moveTo(left + from * cell, top + 0.25 * cell);
      pen.lineTo(left + to * cell, top + 0.75 * cell);
    }
    pen.stroke();
  }
}
