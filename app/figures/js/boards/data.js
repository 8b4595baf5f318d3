// A puzzle being thought over, as app/figures/boards.py sent it: frame f is the board after f updates, frame 0 the puzzle.

/** What Python sent, and what can be asked of it. Cells count from 0, frames from 1. */
export class Thought {
  constructor(header, cells) {
    Object.assign(this, header);
    this.cells = cells;
  }

  frames() {
    return this.steps * this.updates.length;
  }

  count() {
    return this.size ** 2;
  }

  word(frame, cell) {
    return frame < 1 ? this.given[cell] : this.cells[(frame - 1) * this.count() + cell];
  }

  sure(frame, cell) {
    return this.cells[(this.frames() + frame - 1) * this.count() + cell] / 255;
  }

  fixed(cell) {
    return this.given[cell] !== this.gap;
  }

  changed(frame, cell) {
    return !this.fixed(cell) && this.word(frame, cell) !== this.word(frame - 1, cell);
  }

  wrong(frame, cell) {
    return Boolean(this.truth) && this.word(frame, cell) !== this.truth[cell];
  }

  all(test = () => true) {
    return [...Array(this.count()).keys()].filter(test);
  }

  /** The step of supervision that a frame belongs to, and the letter of its update. */
  step(frame) {
    return Math.ceil(frame / this.updates.length);
  }

  letter(frame) {
    return this.updates[(frame - 1) % this.updates.length];
  }

  about(frame) {
    const gaps = this.all((cell) => !this.fixed(cell));
    const sum = gaps.reduce((total, cell) => total + this.sure(frame, cell), 0);
    return {
      step: this.step(frame),
      update: ((frame - 1) % this.updates.length) + 1,
      of: this.letter(frame),
      changed: this.all((cell) => this.changed(frame, cell)).length,
      wrong: this.truth ? this.all((cell) => this.wrong(frame, cell)).length : null,
      sure: gaps.length ? Number((sum / gaps.length).toFixed(3)) : 1,
      halt: this.halt ? Number(this.halt[this.step(frame) - 1].toFixed(3)) : null,
    };
  }

  /** The colour of a cell on a small board: [palette key, opacity]. */
  tint(frame, cell) {
    const word = this.word(frame, cell);
    if (this.changed(frame, cell)) return ["state", 1];
    if (this.kind === "maze") return [{ 0: "soft", 2: "query", 3: "query", 4: "saved" }[word] ?? "card", 1];
    if (this.fixed(cell)) return ["line", 1];
    return this.truth && !this.wrong(frame, cell) ? ["saved", 0.4] : ["card", 1];
  }

  /** What stands in a cell of the large board: of a maze only its start and its goal are written. */
  cellText(frame, cell) {
    const word = this.word(frame, cell);
    if (this.kind === "maze") return word === 2 || word === 3 ? this.keys[word] : "";
    return word === this.gap ? "" : this.names[word];
  }

  /** One row an update, with the whole board as text. */
  table() {
    const board = (frame) =>
      this.all()
        .map((cell) => this.word(frame, cell))
        .map((word) => this.keys[word] ?? this.names[word]);
    const rows = Array.from({ length: this.frames() }, (_, i) => {
      const a = this.about(i + 1);
      return [a.step, a.update, a.of, a.changed, a.wrong, a.sure, a.halt, board(i + 1).join("")];
    });
    const columns = ["step", "update", "of", "changed", "wrong", "sure", "done", "board"];
    return { columns, rows, note: "The board is written row by row." };
  }
}
