// A puzzle being thought over: one board large, every board so far small: the updates of a step of supervision side by side, steps
// downwards, in as many columns as let the small boards be largest.
const HEAD = 18, ROOMY = { bar: 46, label: 22, space: 5 }, TIGHT = { bar: 23, label: 14, space: 3 };

class Boards {
  constructor(parent) {
    this.root = rootOf(parent, "boards");
    this.at = 1;
    this.picked = null;
    this.sent = new Map();
    this.colours = new Colours(this.root, () => this.paint());
    this.build();
    new ResizeObserver(() => this.root.clientWidth !== this.width && this.data && this.arrange()).observe(this.root);
  }

  build() {
    this.alt = el("div.aside", { role: "img" });
    this.big = el("div.big", { role: "grid" });
    this.palette = el("div.words", { role: "group", "aria-label": "Write into the cell" });
    this.tiles = Object.assign(document.createElement("canvas"), { className: "tiles" });
    this.tiles.setAttribute("aria-hidden", "true");
    this.readout = el("div.readout", { "aria-live": "polite" });
    this.key = el("div.key");
    this.caption = el("p.cap");
    const map = el("div.map", { "data-panel": "0" }, this.tiles);
    this.steps = new Steps("update", {
      at: () => this.at, last: () => this.frames(), go: (frame) => this.go(frame), commit: () => this.commit(),
      alive: () => this.root.isConnected,
    });
    this.root.append(this.alt, el("div.both", {}, el("div.left", {}, this.big, this.palette), el("div.trail", {}, map)),
      this.steps.root, this.readout, this.key, this.caption);
    this.tiles.addEventListener("click", (event) => this.tapped(event));
    this.big.addEventListener("click", (event) => this.pick(Number(event.target.closest("button")?.dataset.cell ?? -1)));
    this.big.addEventListener("keydown", (event) => this.typed(event));
    this.foot = new Foot(this.root, {
      name: () => this.data.name, config: () => this.data.config, table: () => this.table(), csv: () => this.table(),
      svg: () => this.svg(), paper: () => this.colours.css("paper"),
    });
  }

  // ---- new data

  async update({ data, setStateValue, setTriggerValue }) {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const { header, cells } = await unpack(data);
    if (turn !== this.turn) return;
    const before = this.data, atEnd = !before || this.at === this.frames();
    Object.assign(this, { data: header, cells, setStateValue, setTriggerValue });
    this.at = atEnd ? this.frames() : clamp(this.at, 1, this.frames());
    const told = JSON.stringify(header.selected), step = header.selected.step;
    const echo = Date.now() - (this.sent.get(step) ?? -1e9) < 3000;
    if (told !== this.told && Number.isInteger(step) && !echo) this.at = clamp(step, 1, this.frames());
    this.told = told;
    if (before?.name !== header.name || before?.size !== header.size) this.picked = null;
    this.arrange();
    this.foot.refresh();
  }

  commit() {
    if (this.at === this.committed) return;
    this.committed = this.at;
    this.sent.set(this.at, Date.now());
    this.setStateValue("selected", { step: this.at });
  }

  // ---- reading the data

  frames() { return this.data.steps * this.data.updates.length; }
  count() { return this.data.size ** 2; }
  word(frame, cell) { return frame < 1 ? this.data.given[cell] : this.cells[(frame - 1) * this.count() + cell]; }
  sure(frame, cell) { return this.cells[(this.frames() + frame - 1) * this.count() + cell] / 255; }
  fixed(cell) { return this.data.given[cell] !== this.data.gap; }
  changed(frame, cell) { return !this.fixed(cell) && this.word(frame, cell) !== this.word(frame - 1, cell); }
  wrong(frame, cell) { return Boolean(this.data.truth) && this.word(frame, cell) !== this.data.truth[cell]; }
  all(test) { return [...Array(this.count()).keys()].filter(test); }
  step(frame) { return Math.ceil(frame / this.data.updates.length); }
  letter(frame) { return this.data.updates[(frame - 1) % this.data.updates.length]; }

  about(frame) {
    const gaps = this.all((c) => !this.fixed(c));
    return {
      step: this.step(frame), update: ((frame - 1) % this.data.updates.length) + 1, of: this.letter(frame),
      changed: this.all((c) => this.changed(frame, c)).length, wrong: this.data.truth ? this.all((c) => this.wrong(frame, c)).length : null,
      sure: gaps.length ? Number((gaps.reduce((sum, c) => sum + this.sure(frame, c), 0) / gaps.length).toFixed(3)) : 1,
      halt: this.data.halt ? Number(this.data.halt[this.step(frame) - 1].toFixed(3)) : null,
    };
  }

  // ---- moving

  go(frame) { this.at = clamp(frame, 1, this.frames()); this.paint(); }
  tapped(event) {
    const box = this.tiles.getBoundingClientRect(), g = this.grid, k = this.data.updates.length;
    const block = clamp(Math.floor((event.clientX - box.left) / g.block), 0, g.blocks - 1);
    const across = event.clientX - box.left - block * g.block - g.label, down = event.clientY - box.top - HEAD;
    const [col, row] = [across, down].map((at) => Math.floor(at / (g.tile + g.space))), step = block * g.rows + row;
    if (row < 0 || row >= g.rows || step >= this.data.steps) return;
    this.steps.stop();
    this.go(step * k + clamp(col, 0, k - 1) + 1);
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
    const n = this.data.size, cell = Number(event.target.closest("button")?.dataset.cell ?? -1);
    if (cell < 0) return;
    const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: n, ArrowUp: -n }[event.key];
    const word = event.key === "Backspace" || event.key === "Delete" ? this.data.gap : this.data.keys.indexOf(event.key.toUpperCase());
    if (move !== undefined) {
      event.preventDefault();
      this.big.children[clamp(cell + move, 0, this.count() - 1)].focus();
    } else if (word >= 0 && event.key.trim()) {
      event.preventDefault();
      this.picked = cell;
      this.write(word);
    }
  }

  // ---- drawing

  arrange() {
    const d = this.data, k = d.updates.length;
    this.width = this.root.clientWidth;
    this.root.classList.toggle("stage", d.stage);
    this.root.classList.toggle("maze", d.kind === "maze");
    this.alt.setAttribute("aria-label", d.alt);
    this.caption.replaceChildren(...rich(d.caption));
    this.caption.hidden = !d.caption;
    this.steps.arrange("Update");
    this.big.style.setProperty("--n", d.size);
    keep(this.big, this.count(), (cell) => {
      const button = el("button.cell", { type: "button" }, el("span"), el("i"));
      button.dataset.cell = cell;
      return button;
    });
    this.palette.replaceChildren(...d.keys.map((key, word) => el("button", { type: "button", title: d.names[word], onclick: () => this.write(word) }, key)).filter((_, word) => word < d.writes),
      el("span", {}, "tap a cell, then a key"));
    const narrow = this.width < 600, fine = d.size > 6, tight = narrow && k <= 4 && !fine, g = tight ? TIGHT : ROOMY;
    this.root.classList.toggle("tight", tight);
    this.root.classList.toggle("fine", fine);
    const room = this.tiles.closest(".trail").clientWidth, high = d.stage ? 376 : tight ? 224 : 430, bars = (d.halt ? 2 : 1) * g.bar;
    const fit = (blocks) => Math.floor(Math.min(d.stage ? 76 : 58, high / Math.ceil(d.steps / blocks) - g.space,
      (room / blocks - g.label - bars - g.space) / k - g.space));
    const blocks = [1, 2, 3, 4].reduce((best, n) => (fit(n) > fit(best) + 3 ? n : best)), rows = Math.ceil(d.steps / blocks);
    const tile = Math.max(tight ? 11 : 14, fit(blocks)), block = g.label + k * (tile + g.space) + g.space + bars;
    this.grid = { ...g, tile, blocks, rows, block, width: blocks * block, height: HEAD + rows * (tile + g.space) };
    this.colours.read();
    this.paint();
  }

  paint() {
    if (!this.data) return;
    const d = this.data, a = this.about(this.at);
    const place = [`step ${a.step}, update ${a.update} of ${d.updates.length}`, "step ", el("b", {}, String(a.step))];
    this.steps.paint(...place, ` of ${d.steps}, `, el("b", {}, a.of), ` ${a.update}`);
    const wrong = a.wrong === null ? "" : a.wrong ? `, ${a.wrong} wrong` : ", all right";
    this.readout.textContent = `${a.changed} cell${a.changed === 1 ? "" : "s"} changed${wrong} · sure ${a.sure.toFixed(2)}${a.halt === null ? "" : ` · says it is done: ${a.halt.toFixed(2)}`}`;
    this.paintBig();
    this.paintTiles();
    const mark = (kind, text) => el("span", {}, el(`i.${kind}`), text);
    this.key.replaceChildren(mark("given", "given"), mark("changed", "changed now"), ...(d.truth ? [mark("right", "right"), mark("wrong", "wrong")] : []));
  }

  paintBig() {
    const d = this.data, n = d.size;
    [...this.big.children].forEach((cell, c) => {
      const word = this.word(this.at, c), row = Math.floor(c / n), column = c % n, fixed = this.fixed(c);
      const kinds = [fixed && "given", this.changed(this.at, c) && "changed", this.wrong(this.at, c) && "wrong", !fixed && d.truth && !this.wrong(this.at, c) && "right",
        d.down && row % d.down === 0 && row && "above", d.across && column % d.across === 0 && column && "before", c === this.picked && "picked", d.kind === "maze" && `w${word}`];
      cell.className = ["cell", ...kinds].filter(Boolean).join(" ");
      cell.children[0].textContent = d.kind === "maze" ? (word === 2 || word === 3 ? d.keys[word] : "") : word === d.gap ? "" : d.names[word];
      cell.children[1].style.width = fixed || d.kind === "maze" ? "0" : `${Math.round(this.sure(this.at, c) * 100)}%`;
      cell.setAttribute("aria-label", `row ${row + 1}, column ${column + 1}: ${d.names[word]}${fixed ? ", given" : `, sure ${this.sure(this.at, c).toFixed(2)}`}${this.wrong(this.at, c) ? ", wrong" : ""}`);
      cell.tabIndex = c === (this.picked ?? 0) ? 0 : -1;
    });
    this.palette.classList.toggle("on", this.picked !== null);
  }

  paintTiles() {
    const { width, height, tile, bar, label, space, blocks, rows, block } = this.grid, pitch = tile + space, k = this.data.updates.length;
    const ratio = Math.max(1, devicePixelRatio), tight = bar === TIGHT.bar;
    Object.assign(this.tiles, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    Object.assign(this.tiles.style, { width: `${width}px`, height: `${height}px` });
    const pen = this.tiles.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = `500 ${tight ? 8.5 : 11}px ${SANS}`;
    pen.textBaseline = "middle";
    const write = (text, x, y, align = "left", colour = "soft") => Object.assign(pen, { fillStyle: this.colours.css(colour), textAlign: align }) && pen.fillText(text, x, y);
    const bars = label + k * pitch + space;
    for (let left = 0; left < blocks * block; left += block) {
      [...this.data.updates].forEach((letter, i) => write(letter, left + label + i * pitch + tile / 2, 8, "center", letter === "y" ? "ink" : "soft"));
      write("sure", left + bars, 8);
      if (this.data.halt) tight ? write("done", left + block - 1, 8, "right") : write("done", left + bars + bar, 8);
    }
    for (let frame = 1; frame <= this.frames(); frame++) {
      const step = this.step(frame), left = Math.floor((step - 1) / rows) * block, y = HEAD + ((step - 1) % rows) * pitch;
      if (frame % k === 1 % k) write(String(step), left + label - (tight ? 4 : 8), y + tile / 2, "right", this.step(this.at) === step ? "ink" : "soft");
      this.tile(pen, left + label + ((frame - 1) % k) * pitch, y, tile, frame);
      if (frame % k) continue;
      this.bar(pen, left + bars, y + tile / 2, this.about(frame).sure, "query");
      if (this.data.halt) this.bar(pen, left + bars + bar, y + tile / 2, this.data.halt[step - 1], "saved");
    }
  }

  bar(pen, x, y, share, hue) {
    const width = this.grid.bar - (this.grid.bar === TIGHT.bar ? 3 : 8);
    pen.fillStyle = this.colours.css("line");
    pen.fillRect(x, y - 4, width, 8);
    pen.fillStyle = this.colours.css(hue);
    pen.fillRect(x, y - 4, width * clamp(share, 0, 1), 8);
  }

  fillOf(frame, c) {
    const maze = this.data.kind === "maze", word = this.word(frame, c), C = this.colours;
    if (this.changed(frame, c)) return C.css("state");
    if (maze && word === 0) return C.css("soft");
    if (maze && (word === 2 || word === 3)) return C.css("query");
    if (maze) return word === 4 ? C.css("saved") : C.css("card");
    if (this.fixed(c)) return C.css("line");
    return this.data.truth && !this.wrong(frame, c) ? C.css("saved", 0.4) : C.css("card");
  }

  tile(pen, x, y, size, frame) {
    const n = this.data.size, cell = size / n;
    pen.fillStyle = this.colours.css("card");
    pen.fillRect(x, y, size, size);
    for (let c = 0; c < n * n; c++) {
      const left = x + (c % n) * cell, top = y + Math.floor(c / n) * cell;
      pen.fillStyle = this.fillOf(frame, c);
      pen.fillRect(left + 0.25, top + 0.25, cell - 0.5, cell - 0.5);
      if (!this.wrong(frame, c)) continue;
      pen.strokeStyle = this.colours.css(this.changed(frame, c) ? "card" : "routed");
      pen.lineWidth = Math.max(1, cell / 6);
      pen.beginPath();
      for (const [from, to] of [[0.25, 0.75], [0.75, 0.25]]) { pen.moveTo(left + from * cell, top + 0.25 * cell); pen.lineTo(left + to * cell, top + 0.75 * cell); }
      pen.stroke();
    }
    const here = frame === this.at;
    pen.strokeStyle = this.colours.css(here ? "ink" : "line");
    pen.lineWidth = here ? 2 : 1;
    pen.strokeRect(x - 0.5, y - 0.5, size + 1, size + 1);
  }

  // ---- the same as a table and as a file

  table() {
    const text = (frame) => this.all(() => true).map((c) => this.data.keys[this.word(frame, c)] ?? this.data.names[this.word(frame, c)]).join("");
    const rows = Array.from({ length: this.frames() }, (_, i) => {
      const a = this.about(i + 1);
      return [a.step, a.update, a.of, a.changed, a.wrong, a.sure, a.halt, text(i + 1)];
    });
    return { columns: ["step", "update", "of", "changed", "wrong", "sure", "done", "board"], rows, note: "The board is written row by row." };
  }

  svg() {
    const d = this.data, n = d.size, side = 300, cell = side / n, C = this.colours, g = this.grid, width = 40 + side + 30 + g.width, height = 96 + Math.max(side, g.height);
    const svg = sv("svg", { width, height, viewBox: `0 0 ${width} ${height}` }, sv("title", {}, d.alt), sv("rect", { width, height, fill: C.css("paper") }));
    const text = (x, y, words, size, attrs = {}) => svg.append(sv("text", { x, y, "font-size": size, "font-family": SANS, fill: C.css("ink"), ...attrs }, words));
    text(20, 32, d.title, 16, { "font-weight": 600 });
    text(20, 54, `step ${this.step(this.at)} of ${d.steps}: ${this.readout.textContent}`, 12, { fill: C.css("soft") });
    for (let c = 0; c < n * n; c++) {
      const x = 20 + (c % n) * cell, y = 70 + Math.floor(c / n) * cell, shown = this.big.children[c].children[0].textContent;
      svg.append(sv("rect", { x, y, width: cell, height: cell, fill: this.fillOf(this.at, c), stroke: C.css("soft"), "stroke-width": 0.5 }));
      text(x + cell / 2, y + cell / 2 + 6, shown, 18, { "text-anchor": "middle", "font-weight": this.fixed(c) ? 700 : 500 });
      if (this.wrong(this.at, c)) svg.append(sv("rect", { x: x + 2, y: y + 2, width: cell - 4, height: cell - 4, fill: "none", stroke: C.css("routed"), "stroke-width": 2 }));
    }
    svg.append(sv("image", { x: 20 + side + 30, y: 62, width: g.width, height: g.height, href: this.tiles.toDataURL() }));
    return svg;
  }
}
