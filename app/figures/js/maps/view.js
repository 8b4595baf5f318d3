// What is seen of the data: which head alone, which row, how many steps; and what is pointed at.
import { clamp } from "../dom.js";

const NOTHING = { head: null, row: null, step: null };

export class View {
  constructor() {
    Object.assign(this, NOTHING, { data: null, hint: null, pointer: null });
  }

  /** New data: the view as far as it still fits. Where it stood at the last step it stands at the new last one. */
  show(data) {
    const atEnd = !this.data || this.step === this.data.steps;
    this.data = data;
    Object.assign(this, this.fitting(atEnd ? { ...this.selected(), step: null } : this.selected()));
  }

  /** What Python learns of it. */
  selected() {
    const { head, row, step } = this;
    return { head, row, step };
  }

  /** A selection as far as it fits the data. */
  fitting(selected) {
    const { count, height, steps, rowsAreTokens } = this.data;
    const { head, row, step } = { ...NOTHING, ...selected };
    const within = (value, top) => (Number.isInteger(value) && value >= 0 && value < top ? value : null);
    return {
      head: count > 1 ? within(head, count) : null,
      row: rowsAreTokens ? within(row, height) : null,
      step: Number.isInteger(step) ? clamp(step, Math.min(1, steps), steps) : steps,
    };
  }

  /** The row is isolated, or no longer; the steps go at least that far. */
  toggleRow(row) {
    this.hint = null;
    this.step = Math.max(this.step, Math.min(row + 1, this.data.steps));
    this.row = this.row === row ? null : row;
  }

  stepTo(step) {
    this.step = clamp(step, 1, this.data.steps);
    if (this.row !== null && this.row >= this.step) this.row = null;
  }

  // ---- what follows from it

  /** How many rows are drawn: later ones are not there yet. */
  rowsShown() {
    const { passes, frames, steps, rowsAreTokens, height } = this.data;
    if (passes) return this.step;
    return frames || !steps || !rowsAreTokens ? height : this.step;
  }

  frame() {
    return this.data.frames ? (this.step || this.data.frames) - 1 : 0;
  }

  /** The panels that count: all of them, or the isolated one. */
  heads() {
    return this.head === null ? [...Array(this.data.count).keys()] : [this.head];
  }

  /** The row that is isolated or hinted at. */
  focusRow() {
    return this.row ?? (this.hint !== null && this.hint < this.rowsShown() ? this.hint : null);
  }

  byte(head, row, col) {
    return this.data.byte(this.frame(), head, row, col);
  }

  strongest(head, row, count) {
    return this.data.strongest(this.frame(), head, row, count);
  }

  /** The panels of one group that stand side by side with panel p: they share one rule. `wide`: panels in a line. */
  run(p, wide) {
    if (this.head === p || this.data.groupOf(p) === null) return [p];
    const order = [...Array(this.data.count).keys()].filter((i) => i !== this.head);
    const at = order.indexOf(p);
    const line = order.slice(at - (at % wide), at - (at % wide) + wide);
    const same = (i) => this.data.groupOf(i) === this.data.groupOf(p);
    let from = line.indexOf(p);
    let to = from;
    while (from > 0 && same(line[from - 1])) from--;
    while (to < line.length - 1 && same(line[to + 1])) to++;
    return line.slice(from, to + 1);
  }

  /** Tokens that matter now: [position, how many neighbours come first]. */
  anchors() {
    const { roles, rowsAreTokens, tokens } = this.data;
    const last = tokens.length - 1;
    const best = (head) =>
      this.strongest(head, this.row, 2)
        .filter(([, value]) => value > 0.15)
        .map(([col]) => [col, 3]);
    const read = this.row === null || !rowsAreTokens ? [] : this.heads().flatMap(best);
    const isolated = this.row === null ? [] : [[this.row, 4]];
    return [[0, 2], [last, 4], ...isolated, ...read, ...Object.keys(roles).map((i) => [Number(i), 3])];
  }
}
