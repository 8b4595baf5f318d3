// P panels of R x C bytes with their names, as app/figures/maps.py sent them.
import { clamp } from "../dom.js";

export const MASKED = 255; // a cell that is not visible
export const REST = 254; // the byte of the strongest cell

export const isNumber = (name) => /^\d+$/.test(name);

/** "kite (4)": a name and its place, where the name is not the place itself. */
export const placeText = (names, i) => (isNumber(names[i]) ? names[i] : `${names[i]} (${i + 1})`);

/** What Python sent, and how its bytes are read. */
export class MapData {
  constructor(header, cells) {
    Object.assign(this, header);
    this.cells = cells;
    [this.count, this.height, this.width] = header.shape; // panels; rows and columns of each
    this.rowsAreTokens = header.tokens.length > 0 && this.height === header.tokens.length && !header.frames && !header.passes;
    this.rowNames = header.rows ?? header.tokens;
    this.colNames = header.cols ?? header.tokens;
  }

  /** Where a panel's bytes begin in a frame. */
  start(frame, panel) {
    return (frame * this.count + panel) * this.height * this.width;
  }

  byte(frame, panel, row, col) {
    return this.cells[this.start(frame, panel) + row * this.width + col];
  }

  value(byte) {
    return this.scale === "signed" ? ((byte - 127) / 127) * this.limit : (byte / REST) ** 2;
  }

  /** What one row reads, strongest first: [col, value]. */
  strongest(frame, panel, row, count) {
    const size = (byte) => (this.scale === "signed" ? Math.abs(byte - 127) : byte);
    const all = Array.from({ length: this.width }, (_, col) => [col, this.byte(frame, panel, row, col)]);
    const visible = all.filter(([, byte]) => byte !== MASKED).sort((a, b) => size(b[1]) - size(a[1]));
    return visible.slice(0, count).map(([col, byte]) => [col, this.value(byte)]);
  }

  /** The cell at a point of a panel, given as shares of its width and height. */
  cellAt(x, y) {
    return this.inside({ row: Math.floor(y * this.height), col: Math.floor(x * this.width) });
  }

  /** The cell, or the nearest one there is. */
  inside({ row, col }) {
    return { row: clamp(row, 0, this.height - 1), col: clamp(col, 0, this.width - 1) };
  }

  /** Width by height of a panel: square cells, but never a tower or a ribbon. */
  ratio() {
    return this.aspect ?? clamp(this.width / this.height, 0.75, 6);
  }

  groupOf(panel) {
    return this.groups?.[panel] ?? null;
  }

  groupName(panel) {
    return this.groupLabels[this.groupOf(panel)] ?? "";
  }

  /** What the scale measures. */
  measure() {
    if (this.scale === "signed") return "value";
    return this.passes ? "confidence" : "weight";
  }

  /** The legend's marks: [place from 0 to 1, text]. */
  ticks() {
    const round = (x) => String(Number(x.toPrecision(2)));
    if (this.scale === "signed") return [0, 0.5, 1].map((at) => [at, round((2 * at - 1) * this.limit)]);
    return [0, 0.1, 0.5, 1].map((p) => [Math.sqrt(p), String(p)]);
  }
}
