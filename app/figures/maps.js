// Attention, routing and state maps: P panels of R x C bytes, a prompt, a step control and a memory tape.
const MASKED = 255, REST = 254;
const STRIP = 7, TOP = 6;

/** Group rules: every group has its own line as well as its label. [y, thickness, dashes] in a 7 px band. */
const RULES = [
  [[4, 3, ""]], [[2, 1.4, ""], [5.6, 1.4, ""]], [[4, 3, "9 4"]], [[4, 3, "3 3"]],
  [[3.5, 6, ""]], [[1.5, 1.2, ""], [3.9, 1.2, ""], [6.3, 1.2, ""]], [[4, 3, "12 3 3 3"]], [[1.6, 1.2, ""], [5.2, 3, ""]],
];

/** The deep end of a scale: the look's own blue for queries, the same step for any other hue. */
const DEEP = { query: { light: [24, 44, 110], dark: [198, 214, 255] } };
const deepOf = (hue, rgb, dark) => DEEP[hue]?.[dark ? "dark" : "light"] ?? mix(rgb, dark ? [255, 255, 255] : [0, 0, 0], 0.55);

/** 256 colours as little-endian RGBA; two of them: full strength and stepped back. */
function scaleColours(colours, scale) {
  const card = colours.card, blue = colours.query, deep = deepOf("query", blue, colours.dark);
  const ends = [deepOf("", colours.window, colours.dark), colours.window, card, colours.state, deepOf("", colours.state, colours.dark)];
  const stops = scale === "signed" ? ends : [card, blue, deep];
  const at = (t) => {
    const x = t * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(x));
    return mix(stops[i], stops[i + 1], x - i);
  };
  const table = (alpha) => Uint32Array.from({ length: 256 }, (_, byte) => {
    if (byte === MASKED) return 0;
    const [r, g, b] = at(byte / REST);
    return ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
  return { full: table(255), faint: table(colours.dark ? 105 : 115), css: (t) => `rgb(${at(t).join()})` };
}

/** A number as a reader says it: 0.93, 0.012, <0.001. */
function spoken(x) {
  const size = Math.abs(x);
  if (size > 0 && size < 0.001) return x < 0 ? ">-0.001" : "<0.001";
  return size >= 0.1 ? x.toFixed(size >= 100 ? 0 : 2) : String(Number(x.toPrecision(2)));
}

/** The legend's marks: [place from 0 to 1, text]. */
function ticksOf({ scale, limit }) {
  if (scale === "signed") return [[0, String(Number((-limit).toPrecision(2)))], [0.5, "0"], [1, String(Number(limit.toPrecision(2)))]];
  return [0, 0.1, 0.5, 1].map((p) => [Math.sqrt(p), String(p)]);
}

const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

/** Make parent have exactly n children, keeping those it has. */
function keep(parent, n, make) {
  while (parent.children.length > n) parent.lastElementChild.remove();
  while (parent.children.length < n) parent.append(make(parent.children.length));
  return [...parent.children];
}

/** What is seen: which head alone, which row, how many steps; and where the pointer is. */
const REST_VIEW = { head: null, row: null, step: null };

class Maps {
  constructor(parent) {
    this.root = rootOf(parent, "maps");
    this.view = { ...REST_VIEW };
    this.pointer = null;
    this.sent = new Map();
    this.colours = new Colours(this.root, () => this.paint());
    this.build();
    this.listen();
    new ResizeObserver(() => this.resized()).observe(this.root);
  }

  // ---- building once

  build() {
    this.tokens = el("div.tokens", { role: "group", "aria-label": "Tokens of the prompt: arrow keys move, Enter isolates" });
    this.said = el("span.said");
    this.unfold = el("button.unfold", { type: "button", onclick: () => this.open() });
    this.prompt = el("div.prompt", {}, this.tokens, this.unfold);
    this.panels = el("div.panels");
    this.reads = el("div.reads", { "aria-live": "polite" });
    this.alt = el("div.aside", { role: "img" });
    this.picture = el("div.picture", { role: "group" }, this.alt, this.panels);
    this.readout = el("div.readout", { "aria-live": "polite" });
    this.ramp = Object.assign(document.createElement("canvas"), { width: 132, height: 1 });
    this.legend = el("div.legend", {}, el("span"), el("div.ramp", {}, this.ramp));
    this.caption = el("p.cap");
    this.root.append(this.prompt, this.picture, el("div.under", {}, this.readout, this.legend), this.caption);
    this.buildSteps();
    this.foot = new Foot(this.root, {
      name: () => this.data.name, config: () => this.data.config, table: () => this.table(), csv: () => this.everything(),
      svg: () => this.svg(), paper: () => this.colours.css("paper"),
    });
  }

  buildSteps() {
    this.steps = new Steps("step", {
      at: () => this.view.step, last: () => this.data.steps, go: (step) => this.stepTo(step), commit: () => this.commit(),
      alive: () => this.root.isConnected,
    });
    this.tapeCanvas = document.createElement("canvas");
    this.tapeText = el("p");
    this.ringText = el("p");
    this.ring = el("div.ring", { "aria-hidden": "true" });
    this.tape = el("div.tape", {}, this.tapeCanvas, this.tapeText, this.ringText, this.ring);
    this.root.append(this.steps.root, this.tape);
  }

  panel(p) {
    const mark = (name) => el(`i.cross.${name}`);
    const lens = el("canvas.lens", { hidden: true });
    const map = el("button.map", { type: "button" }, el("canvas"), lens, mark("x"), mark("y"), el("i.spot"), sv("svg", { class: "rings", "aria-hidden": "true" }));
    map.dataset.panel = p;
    return el("div.panel", {}, sv("svg", { class: "rule", "aria-hidden": "true" }), el("div.name", {}, el("span"), el("span")), map);
  }

  // ---- listening: delegated, so that new data needs no new listeners

  listen() {
    const panelOf = (event) => event.target.closest?.(".map");
    this.panels.addEventListener("pointermove", (event) => panelOf(event) && this.point(this.cellAt(event, panelOf(event))));
    this.panels.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.point(null));
    this.panels.addEventListener("click", (event) => panelOf(event) && this.pressed(event, panelOf(event)));
    this.panels.addEventListener("keydown", (event) => panelOf(event) && this.panelKey(event, Number(panelOf(event).dataset.panel)));
    this.panels.addEventListener("focusout", () => this.point(null));
    this.root.addEventListener("keydown", (event) => event.key === "Escape" && this.clear());
    this.tokens.addEventListener("click", (event) => this.tokenOf(event) !== null && this.toggleRow(this.tokenOf(event)));
    this.tokens.addEventListener("pointerover", (event) => this.preview(this.tokenOf(event)));
    this.tokens.addEventListener("pointerleave", () => this.preview(null));
    this.tokens.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && this.preview(this.tokenOf(event)));
    this.tokens.addEventListener("focusout", () => this.preview(null));
    this.tokens.addEventListener("keydown", (event) => this.tokenKey(event));
  }

  tokenOf(event) {
    const token = event.target.closest?.(".tok");
    return token ? Number(token.dataset.token) : null;
  }

  cellAt(event, map) {
    const box = map.getBoundingClientRect(), [, rows, cols] = this.data.shape;
    return {
      head: Number(map.dataset.panel),
      row: clamp(Math.floor(((event.clientY - box.top) / box.height) * rows), 0, rows - 1),
      col: clamp(Math.floor(((event.clientX - box.left) / box.width) * cols), 0, cols - 1),
    };
  }

  /** A click isolates a head; with one panel only it isolates the row. A finger has no hover: on the big panel it reads the cell. */
  pressed(event, map) {
    const cell = this.cellAt(event, map), big = this.view.head === cell.head;
    if (event.detail && event.pointerType === "touch" && big) return this.point(cell);
    if (this.data.shape[0] === 1) return event.detail && this.data.rowsAreTokens ? this.toggleRow(cell.row) : undefined;
    this.look({ head: big ? null : cell.head });
    map.focus({ preventScroll: true });
  }

  panelKey(event, head) {
    const [dy, dx] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [0, 0];
    if (!dy && !dx) return;
    event.preventDefault();
    const [, rows, cols] = this.data.shape, at = this.pointer;
    const from = at ?? { row: this.view.row ?? this.rowsShown() - 1, col: 0 };
    this.point({ head, row: clamp(from.row + (at ? dy : 0), 0, rows - 1), col: clamp(from.col + (at ? dx : 0), 0, cols - 1) });
  }

  tokenKey(event) {
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -1e9, End: 1e9 }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const all = [...this.tokens.querySelectorAll(".tok")];
    const next = all[clamp((this.tokenOf(event) ?? 0) + move, 0, all.length - 1)];
    all.forEach((token) => (token.tabIndex = token === next ? 0 : -1));
    next.focus();
  }

  // ---- new data

  async update({ data, setStateValue }) {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const { header, cells } = await unpack(data);
    if (turn !== this.turn) return;
    const atRest = !this.data || this.view.step === this.data.steps;
    this.setStateValue = setStateValue;
    this.data = header;
    this.cells = cells;
    header.rowsAreTokens = header.tokens.length > 0 && header.shape[1] === header.tokens.length && !header.frames && !header.passes;
    header.rowNames = header.rows ?? header.tokens;
    header.colNames = header.cols ?? header.tokens;
    this.view = this.fitting(this.view, atRest);
    this.follow(header.selected);
    this.point(null);
    this.arrange();
    this.colours.read();
    this.paint();
    this.fold();
    this.foot.refresh();
  }

  /** The view as far as it still fits the data. */
  fitting({ head, row, step }, atRest) {
    const { shape: [panels, rows], steps, rowsAreTokens } = this.data;
    const within = (value, top) => (Number.isInteger(value) && value >= 0 && value < top ? value : null);
    return {
      head: panels > 1 ? within(head, panels) : null,
      row: rowsAreTokens ? within(row, rows) : null,
      step: atRest || !Number.isInteger(step) ? steps : clamp(step, Math.min(1, steps), steps),
    };
  }

  /** A selection that Python gives moves the view only if it is new, and not an echo of what was sent from here. */
  follow(selected) {
    const told = JSON.stringify(selected), now = Date.now();
    const wanted = this.fitting({ ...REST_VIEW, ...selected }, false);
    const echo = now - (this.sent.get(JSON.stringify(wanted)) ?? -1e9) < 3000;
    if (told !== this.told && Object.keys(selected).length && !echo) {
      this.view = wanted;
      this.committed = JSON.stringify(wanted);
    }
    this.committed ??= JSON.stringify(this.view);
    this.told = told;
  }

  /** Tell Python, once the visitor has settled. */
  commit() {
    clearTimeout(this.committing);
    if (!this.data.report) return;
    this.committing = setTimeout(() => {
      const now = JSON.stringify(this.view);
      if (now === this.committed) return;
      this.committed = now;
      this.sent.set(now, Date.now());
      this.setStateValue("selected", { ...this.view });
    }, 250);
  }

  // ---- the view

  look(change) {
    Object.assign(this.view, change);
    this.point(null);
    this.arrange();
    this.paint();
    this.fold();
    this.foot.refresh();
    this.commit();
  }

  clear() {
    if (this.view.head !== null) this.look({ head: null });
    else if (this.view.row !== null) this.look({ row: null });
  }

  toggleRow(row) {
    if (!this.data.rowsAreTokens) return;
    this.hint = null;
    this.look({ row: this.view.row === row ? null : row, step: Math.max(this.view.step, Math.min(row + 1, this.data.steps)) });
  }

  preview(row) {
    if (!this.data?.rowsAreTokens || this.hint === row) return;
    this.hint = row;
    this.paint();
  }

  stepTo(step) {
    this.view.step = clamp(step, 1, this.data.steps);
    if (this.view.row !== null && this.view.row >= this.view.step) this.view.row = null;
    this.point(null);
    this.paint();
  }

  open() {
    this.tokens.classList.toggle("open");
    this.fold();
  }

  /** A long prompt keeps its first and last tokens, those that matter now and their neighbours; the rest waits behind a button. */
  fold() {
    this.tokens.classList.toggle("whole", Boolean(this.data.passes));
    if (this.data.passes) return void (this.unfold.hidden = true);
    const tokens = [...this.tokens.querySelectorAll(".tok")], open = this.tokens.classList.contains("open"), last = tokens.length - 1;
    const show = (order, count) => {
      const seen = new Set(order.slice(0, count));
      tokens.forEach((token, i) => {
        const starts = seen.has(i) && i > 0 && !seen.has(i - 1);
        if (starts && token.classList.contains("dot") && i < last) seen.delete(i);
        token.classList.toggle("cut", !seen.has(i));
        token.classList.toggle("gap", starts && seen.has(i));
      });
      return this.tokens.scrollHeight <= this.tokens.clientHeight + 3;
    };
    const all = tokens.map((_, i) => i);
    this.unfold.hidden = !open && show(all, all.length);
    this.unfold.textContent = open ? "fewer" : `all ${tokens.length} tokens`;
    if (open || this.unfold.hidden) return;
    const anchors = this.anchors(last), near = (i) => Math.min(...anchors.map(([at, weight]) => Math.abs(at - i) - weight));
    const order = all.sort((a, b) => near(a) - near(b) || a - b);
    let low = 1, high = tokens.length;
    while (low < high - 1) { const mid = (low + high) >> 1; show(order, mid) ? (low = mid) : (high = mid); }
    show(order, low);
  }

  /** Tokens that matter now: [position, how many neighbours come first]. */
  anchors(last) {
    const { roles, rowsAreTokens } = this.data, row = this.view.row;
    const read = row === null || !rowsAreTokens ? [] : this.heads().flatMap((h) => this.top(h, row, 2)).filter(([, v]) => v > 0.15).map(([col]) => [col, 3]);
    return [[0, 2], [last, 4], ...(row === null ? [] : [[row, 4]]), ...read, ...Object.keys(roles).map((i) => [Number(i), 3])];
  }

  // ---- reading the data

  rowsShown() { return this.data.passes ? this.view.step : this.data.frames || !this.data.steps || !this.data.rowsAreTokens ? this.data.shape[1] : this.view.step; }
  frame() { return this.data.frames ? (this.view.step || this.data.frames) - 1 : 0; }
  heads() { return this.view.head === null ? [...Array(this.data.shape[0]).keys()] : [this.view.head]; }
  focusRow() { return this.view.row ?? (this.hint !== null && this.hint < this.rowsShown() ? this.hint : null) ?? null; }

  byte(head, row, col) {
    const [panels, rows, cols] = this.data.shape;
    return this.cells[((this.frame() * panels + head) * rows + row) * cols + col];
  }

  value(byte) {
    return this.data.scale === "signed" ? ((byte - 127) / 127) * this.data.limit : (byte / REST) ** 2;
  }

  /** What one row reads, strongest first: [col, value]. */
  top(head, row, count) {
    const size = (byte) => (this.data.scale === "signed" ? Math.abs(byte - 127) : byte);
    const all = Array.from({ length: this.data.shape[2] }, (_, col) => [col, this.byte(head, row, col)]);
    return all.filter(([, byte]) => byte !== MASKED).sort((a, b) => size(b[1]) - size(a[1])).slice(0, count)
      .map(([col, byte]) => [col, this.value(byte)]);
  }

  place(names, i) { return /^\d+$/.test(names[i]) ? names[i] : `${names[i]} (${i + 1})`; }
  /** Width by height of a panel: square cells, but never a tower or a ribbon. */
  aspect() { return this.data.aspect ?? clamp(this.data.shape[2] / this.data.shape[1], 0.75, 6); }
  groupOf(p) { return this.data.groups?.[p] ?? null; }
  groupName(p) { return this.data.groupLabels[this.groupOf(p)] ?? ""; }

  // ---- arranging: the elements that belong to the data and to what is isolated

  arrange() {
    const d = this.data, [panels, rows, cols] = d.shape, columns = Math.min(d.columns, panels);
    this.root.classList.toggle("stage", d.stage);
    this.root.classList.toggle("alone", this.view.head !== null);
    this.root.style.setProperty("--cols", columns);
    this.root.style.setProperty("--few", columns > 4 ? 3 : columns);
    this.root.style.setProperty("--strip", clamp(panels - 1, 4, STRIP));
    this.root.style.setProperty("--span", Math.ceil((panels - 1) / 4) + 1);
    this.root.style.setProperty("--rows", `${"auto ".repeat(Math.ceil((panels - 1) / 4))}1fr`);
    this.alt.setAttribute("aria-label", d.alt);
    this.picture.setAttribute("aria-label", d.title);
    this.reads.remove();
    keep(this.panels, panels, (p) => this.panel(p)).forEach((panel, p) => this.dress(panel, p, columns));
    this.panels.append(this.reads);
    this.arrangePrompt();
    this.caption.replaceChildren(...rich(d.caption));
    this.caption.hidden = !d.caption;
    this.arrangeSteps();
    this.fine();
    this.root.style.setProperty("--cell", `${(100 / rows).toFixed(3)}%`);
    this.shape = { rows, cols };
  }

  dress(panel, p, columns) {
    const d = this.data, [, rows, cols] = d.shape, group = this.groupOf(p), alone = this.view.head === p;
    const [rule, name, map] = panel.children;
    const run = alone || group === null ? [p] : this.run(p, columns);
    panel.classList.toggle("joined", run[0] !== p);
    panel.style.setProperty("--run", run.length);
    panel.classList.toggle("big", alone);
    panel.style.setProperty("--hue", `var(--${d.hue})`);
    rule.replaceChildren(...(group === null ? [] : RULES[group % RULES.length].map(([y, thick, dash]) =>
      sv("line", { x1: 0, x2: "100%", y1: y, y2: y, stroke: "currentColor", "stroke-width": d.stage ? thick * 1.4 : thick, "stroke-dasharray": dash }))));
    rule.style.display = group === null ? "none" : "";
    name.children[0].textContent = d.labels[p];
    name.children[1].textContent = this.groupName(p);
    map.style.aspectRatio = this.aspect();
    panel.style.setProperty("--widest", this.aspect() > 1.3 ? "none" : "420px");
    map.setAttribute("aria-pressed", alone);
    map.setAttribute("aria-label", [d.labels[p], this.groupName(p), "arrow keys read the cells, Enter isolates"].filter(Boolean).join(", "));
  }

  /** Cells smaller than a pixel are averaged instead of dropped. (Widths are read here and kept: reading them while painting is slow.) */
  fine() {
    this.width = this.root.clientWidth;
    for (const map of this.panels.querySelectorAll(".map"))
      map.children[0].classList.toggle("fine", map.clientWidth * devicePixelRatio < this.data.shape[2] * 1.25);
  }

  /** The panels of one group that stand side by side with panel p now: they share one rule. */
  run(p, columns) {
    const order = [...Array(this.data.shape[0]).keys()].filter((i) => i !== this.view.head), at = order.indexOf(p);
    const wide = this.view.head === null ? columns : this.root.clientWidth > 600 ? 4 : clamp(order.length, 4, STRIP);
    const line = order.slice(at - (at % wide), at - (at % wide) + wide), same = (i) => this.groupOf(i) === this.groupOf(p);
    let from = line.indexOf(p), to = from;
    while (from > 0 && same(line[from - 1])) from--;
    while (to < line.length - 1 && same(line[to + 1])) to++;
    return line.slice(from, to + 1);
  }

  arrangePrompt() {
    const d = this.data;
    this.prompt.hidden = !d.tokens.length;
    this.said.remove();
    const tokens = keep(this.tokens, d.tokens.length, () => el("button.tok", { type: "button", tabindex: "-1" }));
    tokens.forEach((token, i) => {
      if (token.textContent !== d.tokens[i]) token.textContent = d.tokens[i];
      token.dataset.token = i;
      token.title = `token ${i + 1}`;
      token.disabled = !d.rowsAreTokens;
    });
    if (tokens.length && !tokens.some((token) => token.tabIndex === 0)) tokens[0].tabIndex = 0;
    this.tokens.classList.toggle("long", d.tokens.length > 40);
    if (!d.answer) return;
    const [text, probability] = d.answer;
    this.said.replaceChildren(" → ", el("b", {}, text), el("i", {}, ` ${probability.toFixed(3)}`));
    this.tokens.append(this.said);
  }

  arrangeSteps() {
    const { steps, tape, passes } = this.data;
    this.steps.arrange(passes ? "Pass" : "Token step");
    this.steps.root.hidden = !steps;
    this.tape.hidden = !tape;
    this.tape.style.setProperty("--hue", tape ? `var(--${tape.hue})` : "");
  }

  // ---- painting

  paint() {
    if (!this.data) return;
    const key = `${this.colours.seen}${this.data.scale}${Boolean(this.data.passes)}`;
    if (this.scaleKey !== key) {
      this.scale = scaleColours(this.colours, this.data.scale);
      this.scaleKey = key;
      this.paintLegend();
    }
    [...this.panels.children].forEach((panel, p) => p < this.data.shape[0] && this.paintPanel(panel.children[2], p));
    this.paintPrompt();
    this.paintSteps();
    this.paintReads();
    this.tell();
  }

  paintPanel(map, p) {
    const [panels, rows, cols] = this.data.shape, canvas = map.children[0], shown = this.rowsShown(), row = this.view.row;
    if (canvas.width !== cols || canvas.height !== rows) Object.assign(canvas, { width: cols, height: rows });
    const pen = canvas.getContext("2d"), image = pen.createImageData(cols, rows), out = new Uint32Array(image.data.buffer);
    const start = (this.frame() * panels + p) * rows * cols, { full, faint } = this.scale;
    for (let r = 0, at = 0; r < rows; r++) {
      const colours = row === null || r === row ? full : faint;
      if (r >= shown) break;
      for (const stop = at + cols; at < stop; at++) out[at] = colours[this.cells[start + at]];
    }
    pen.putImageData(image, 0, 0);
    this.paintLens(map.children[1], p);
    const rings = map.querySelector(".rings");
    rings.replaceChildren(...this.rings(0, 0, 100, 100, "%"));
    rings.style.display = this.data.passes ? "" : "none";
  }

  /** Where words were committed in the passes shown (a ring), and where they were taken back before (a dashed one), in a box. */
  rings(x, y, wide, high, unit = "") {
    const { passes, shape: [, rows, cols] } = this.data, w = wide / cols, h = high / rows, now = this.view.step - 1;
    const ring = (dash) => ([row, col]) => sv("rect", { x: `${x + (col + 0.1) * w}${unit}`, y: `${y + (row + 0.12) * h}${unit}`, width: `${0.8 * w}${unit}`, height: `${0.76 * h}${unit}`,
      rx: 5, fill: "none", stroke: this.colours.css(dash ? "routed" : "kv"), "stroke-width": row === now ? 2.4 : 1.5, ...(dash && { "stroke-dasharray": "2 2" }) });
    return passes ? [...passes.taken.filter(([row]) => row <= now).map(ring(true)), ...passes.kept.filter(([row]) => row <= now).map(ring(false))] : [];
  }

  /** The emphasised row, drawn thick enough to read. */
  paintLens(lens, p) {
    const [, rows, cols] = this.data.shape, row = this.focusRow();
    lens.hidden = row === null;
    if (row === null) return;
    Object.assign(lens, { width: cols, height: 1 });
    lens.style.setProperty("--at", `${((row + 0.5) / rows) * 100}%`);
    const pen = lens.getContext("2d"), image = pen.createImageData(cols, 1), out = new Uint32Array(image.data.buffer);
    for (let c = 0; c < cols; c++) out[c] = this.scale.full[this.byte(p, row, c)];
    pen.putImageData(image, 0, 0);
  }

  paintPrompt() {
    const d = this.data, row = this.focusRow(), heads = this.heads();
    this.prompt.classList.toggle("picked", row !== null);
    this.tokens.querySelectorAll(".tok").forEach((token, i) => {
      if (d.passes) return this.paintWord(token, i);
      const strength = row === null || !d.rowsAreTokens || d.cols || i >= d.shape[2] ? 0 : Math.max(...heads.map((h) => this.byte(h, row, i) % MASKED)) / REST;
      token.style.setProperty("--tint", strength > 0.02 ? `${Math.round(4 + 72 * strength ** 1.5)}%` : "0%");
      const kept = ["cut", "gap"].filter((name) => token.classList.contains(name));
      token.className = ["tok", ...kept, d.roles[i], /^[^\p{L}\p{N}]$/u.test(d.tokens[i]) && "dot", i === this.view.row && "on", d.steps === d.tokens.length && i >= this.view.step && "later"].filter(Boolean).join(" ");
      token.setAttribute("aria-pressed", i === this.view.row);
    });
    this.said.style.opacity = this.view.step < d.steps ? 0.25 : "";
  }

  /** One word of a text that changes from pass to pass: tinted by how sure it was where it is new, faint where it is a mask. */
  paintWord(token, i) {
    const { passes } = this.data, row = this.view.step - 1, fresh = passes.kept.some(([r, c]) => r === row && c === i);
    if (token.textContent !== passes.words[row][i]) token.textContent = passes.words[row][i];
    token.style.setProperty("--tint", fresh ? `${Math.round(10 + 50 * (this.byte(0, row, i) / REST))}%` : "0%");
    token.className = ["tok", ...["cut", "gap"].filter((name) => token.classList.contains(name)), fresh && "on", passes.words[row][i] === passes.mask && "later", passes.wrong.includes(i) && this.view.step === this.data.steps && "wrong"].filter(Boolean).join(" ");
  }

  paintSteps() {
    const { steps, tokens } = this.data, step = this.view.step;
    if (!steps) return;
    const word = steps === tokens.length && !this.data.passes ? [" ", el("code", {}, tokens[step - 1])] : [];
    this.steps.paint(`${step} of ${steps}`, el("b", {}, String(step)), ` of ${steps}`, ...word);
    this.paintTape();
  }

  /** The tape for a width: [x, y, w, h, hue or "ghost"], in px. Kept tokens are cells; what is not kept is one outline a lane. */
  tapeCells(width) {
    const { tape, steps } = this.data, lanes = Math.max(tape.lanes.length, tape.ghost), step = this.view.step;
    const cell = width / steps, pitch = clamp(Math.round(64 / lanes), 7, 12), gap = cell > 5 ? 1.5 : 0.5, high = pitch - 2, cells = [];
    for (let lane = 0; lane < lanes; lane++) {
      const kept = lane < tape.lanes.length, from = kept && tape.windows[lane] ? Math.max(0, step - tape.windows[lane]) : 0, gone = kept ? from : step;
      if (gone) cells.push([0, lane * pitch, gone * cell - gap, high, "ghost"]);
      for (let t = from; kept && t < step; t++) cells.push([t * cell, lane * pitch, Math.max(1, cell - gap), high, tape.hues[lane]]);
    }
    return { cells, height: lanes * pitch - 2 };
  }

  tapeLine() {
    const { tape } = this.data, step = this.view.step, bytes = tape.bytes[step - 1], ghost = tape.ghostBytes[step - 1];
    return { now: `${whole(bytes ?? 0)} B`, lead: `${tape.title} after ${step} token${step === 1 ? "" : "s"}: `, ghost: ghost === undefined ? "" : ` (${tape.ghostLabel} ${whole(ghost)} B)` };
  }

  paintTape() {
    const { tape } = this.data, width = this.width;
    if (!tape || !width) return;
    const { cells, height } = this.tapeCells(width), ratio = Math.max(1, devicePixelRatio);
    if (this.tapeCanvas.width !== Math.round(width * ratio)) this.tapeCanvas.width = Math.round(width * ratio);
    if (this.tapeCanvas.height !== Math.round(height * ratio)) this.tapeCanvas.height = Math.round(height * ratio);
    this.tapeCanvas.style.height = `${height}px`;
    const pen = this.tapeCanvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.strokeStyle = this.colours.css("soft", 0.5);
    pen.lineWidth = 1;
    for (const [x, y, w, h, kind] of cells) {
      pen.fillStyle = this.colours.css(kind === "ghost" ? "soft" : kind);
      kind === "ghost" ? pen.strokeRect(x + 0.5, y + 0.5, Math.max(0, w - 1), h - 1) : pen.fillRect(x, y, w, h);
    }
    const line = this.tapeLine(), key = (kind, text, hue) => el("span", {}, el(`i${kind}`, hue ? { style: `background: var(--${hue})` } : {}), text);
    const named = Object.entries(tape.legend).map(([hue, text]) => key("", text, hue));
    this.tapeText.replaceChildren(el("span", {}, line.lead, el("b", {}, line.now), line.ghost), ...(named.length ? named : [key("", tape.lanes.length > 2 ? `${tape.lanes[0]} … ${tape.lanes.at(-1)}` : tape.lanes.join(", "))]),
      ...(tape.ghost > tape.lanes.length ? [key(".ghost", `what ${tape.ghostLabel} would keep as well`)] : []), ...(tape.windows.some(Boolean) ? [key(".ghost", "forgotten")] : []));
    this.paintRing();
  }

  /** The ring of a lane that forgets: which token each slot holds now, -1 where none yet. */
  slots() {
    const { ring } = this.data.tape, step = this.view.step;
    return Array.from({ length: ring }, (_, slot) => (slot < step ? step - 1 - ((step - 1 - slot) % ring) : -1));
  }

  ringLine() {
    const { tape: { ring }, tokens } = this.data, at = this.view.step - 1, name = (t) => `‘${tokens[t]}’ (${t + 1})`;
    const gone = at >= ring ? `, over ${name(at - ring)}` : "";
    return `Ring of ${ring} slot${ring === 1 ? "" : "s"}: ${name(at)} is written into slot ${(at % ring) + 1}${gone}`;
  }

  paintRing() {
    const { tape: { ring }, tokens } = this.data, at = this.view.step - 1;
    this.ring.hidden = this.ringText.hidden = !ring;
    if (!ring) return;
    this.ringText.textContent = this.ringLine();
    this.ring.classList.toggle("tight", ring > 16);
    this.ring.style.maxWidth = `${ring * 92}px`;
    keep(this.ring, ring, () => el("span.slot")).forEach((slot, i) => {
      const token = this.slots()[i], held = token >= 0 && token < tokens.length;
      slot.className = ["slot", held && "held", token === at && "new"].filter(Boolean).join(" ");
      slot.replaceChildren(...(held ? [tokens[token], el("i", {}, String(token + 1))] : []));
    });
  }

  paintLegend() {
    const signed = this.data.scale === "signed", pen = this.ramp.getContext("2d"), width = this.ramp.width;
    for (let x = 0; x < width; x++) { pen.fillStyle = this.scale.css(x / (width - 1)); pen.fillRect(x, 0, 1, 1); }
    const ticks = ticksOf(this.data);
    this.legend.children[0].textContent = signed ? "value" : this.data.passes ? "confidence" : "weight";
    this.legend.children[1].replaceChildren(this.ramp, ...ticks.map(([at, text]) => el("span", { style: `left: ${at * 100}%` }, text)));
    this.legend.title = signed ? "Linear scale" : "Square-root scale, the same for every panel";
  }

  /** The list beside an isolated head: what one row reads, strongest first. */
  paintReads() {
    const d = this.data, head = this.view.head;
    if (head === null) return this.reads.replaceChildren();
    const row = this.pointer?.row ?? this.focusRow() ?? this.rowsShown() - 1, best = this.top(head, row, TOP);
    const limit = d.scale === "signed" ? d.limit : 1, sum = best.reduce((total, [, v]) => total + v, 0);
    const line = (label, v, kind = "") => el(`div.line${kind}`, {}, label, el("div", {}, el("i", { style: `width: ${clamp((Math.abs(v) / limit) * 100, 0, 100)}%` })), el("span", {}, spoken(v)));
    const name = (col) => el("code", {}, `${d.colNames[col]} `, /^\d+$/.test(d.colNames[col]) ? "" : el("i", {}, String(col + 1)));
    const rest = d.scale === "signed" || best.length < TOP || sum > 0.995 ? [] : [line(el("span", { style: "text-align: left" }, "all others"), Math.max(0, 1 - sum), ".rest")];
    this.reads.replaceChildren(el("h4", {}, el("code", {}, d.rowNames[row]), ` ${row + 1} ${d.verb}`), ...best.map(([col, v]) => line(name(col), v)), ...rest,
      el("button.back", { type: "button", onclick: () => this.look({ head: null }) }, "Show all"));
  }

  /** The line under the panels: the cell that is pointed at, or what can be done. */
  tell() {
    const at = this.pointer, d = this.data, row = this.focusRow();
    if (at && d.passes) return this.readout.replaceChildren(...this.cellSaid(at));
    if (at) {
      const byte = this.byte(at.head, at.row, at.col), hidden = byte === MASKED || at.row >= this.rowsShown();
      const word = (names, i) => (/^\d+$/.test(names[i]) ? [el("code", {}, names[i])] : [el("code", {}, `‘${names[i]}’`), ` (${i + 1})`]);
      return this.readout.replaceChildren(`${d.labels[at.head]}: `, ...word(d.rowNames, at.row), hidden ? " does not see " : ` ${d.verb} `, ...word(d.colNames, at.col), ...(hidden ? [] : [": ", el("b", {}, spoken(this.value(byte)))]));
    }
    if (row !== null && d.rowsAreTokens) {
      const [[head, [col, value]] = [0, [0, 0]]] = this.heads().map((h) => [h, this.top(h, row, 1)[0] ?? [0, 0]]).sort((a, b) => b[1][1] - a[1][1]);
      return this.readout.replaceChildren(el("code", {}, `‘${d.rowNames[row]}’`), ` (${row + 1}) ${d.verb} `, el("code", {}, `‘${d.colNames[col]}’`), ` (${col + 1}) most: ${d.labels[head]}, `, el("b", {}, spoken(value)));
    }
    this.readout.textContent = this.hintText();
  }

  /** What a cell of a text that changes says: the word drawn there, how sure it was, and whether it was kept. */
  cellSaid({ head, row, col }) {
    const { passes } = this.data, byte = this.byte(head, row, col), has = (list) => list.some(([r, c]) => r === row && c === col);
    const where = `pass ${row + 1}, place ${col + 1}: `;
    if (row >= this.rowsShown()) return [where, "not yet"];
    if (byte === MASKED) return [where, el("code", {}, `‘${passes.words[row][col]}’`), " stands"];
    return [where, ...(has(passes.taken) ? ["taken back, now "] : []), el("code", {}, `‘${passes.drawn[row][col]}’`), " ", el("b", {}, spoken(this.value(byte))), has(passes.kept) ? ", kept" : ", masked again"];
  }

  hintText() {
    const d = this.data, finger = matchMedia("(hover: none)").matches, noun = /^\p{L}+/u.exec(d.labels[0])?.[0] ?? "map";
    if (this.view.head !== null) return finger ? "Tap a cell to read it." : "Click the map again or press Esc to see all.";
    const what = [d.shape[0] > 1 && noun, d.rowsAreTokens && "token"].filter(Boolean).join(" or a ");
    if (finger) return what ? `Tap a ${what} to isolate it.` : "";
    return `Point at a cell to read it${what && `; click a ${what} to isolate it`}.`;
  }

  /** Crosshair and readout only: nothing is redrawn while the pointer moves. */
  point(cell) {
    if (!this.data || (!cell && !this.pointer)) return;
    this.pointer = cell;
    this.root.classList.toggle("pointing", Boolean(cell));
    [...this.panels.children].forEach((panel, p) => panel.classList.toggle("pointed", cell?.head === p));
    if (cell) {
      this.panels.style.setProperty("--px", `${((cell.col + 0.5) / this.shape.cols) * 100}%`);
      this.panels.style.setProperty("--py", `${((cell.row + 0.5) / this.shape.rows) * 100}%`);
    }
    this.tell();
    this.paintReads();
  }

  resized() {
    const width = this.root.clientWidth;
    if (!this.data || this.width === width) return;
    this.arrange();
    this.fold();
    this.paintTape();
  }

  // ---- the same data as a table and as files

  /** The strongest readings of each row: one column a head, or ranked columns for the isolated head. */
  table() {
    const d = this.data, head = this.view.head, rows = [...Array(this.rowsShown()).keys()];
    if (d.passes) return { columns: ["pass", "committed", "text after it"], rows: rows.map((r) => [r + 1, d.passes.kept.filter(([row]) => row === r).length, d.passes.words[r].join(" ")]), note: "The file has every cell." };
    const cell = ([col, value] = []) => (col === undefined ? "" : `${this.place(d.colNames, col)} ${spoken(value)}`);
    const columns = head === null ? d.labels : ["1st", "2nd", "3rd", "4th", "5th"];
    const body = rows.map((row) => [this.place(d.rowNames, row), ...(head === null
      ? d.labels.map((_, p) => cell(this.top(p, row, 1)[0])) : [0, 1, 2, 3, 4].map((k) => cell(this.top(head, row, 5)[k])))]);
    const what = head === null ? "Each cell: what that row reads most, and how much." : `${d.labels[head]}: the five strongest readings of each row.`;
    return { columns: [d.rowsAreTokens ? "token" : "row", ...columns], rows: body, note: what };
  }

  /** Every visible cell, as the CSV file has it (values as fine as the picture: 255 levels). */
  everything() {
    const d = this.data, [panels, rows, cols] = d.shape, out = [], step = this.view.step;
    for (let p = 0; p < panels; p++)
      for (let r = 0; r < rows; r++)
        for (let c = 0; c < cols; c++) {
          const byte = this.byte(p, r, c);
          if (byte !== MASKED) out.push([d.labels[p], r + 1, d.rowNames[r], c + 1, d.colNames[c], Number(this.value(byte).toPrecision(4)), ...(d.frames ? [step] : [])]);
        }
    return { columns: ["panel", "row", "row label", "column", "column label", "value", ...(d.frames ? ["step"] : [])], rows: out };
  }

  svg() { return new Sheet(this).svg; }
}

/** The figure as one SVG sheet: title, prompt, panels as images with real text around them, legend and tape. */
class Sheet {
  constructor(maps) {
    this.maps = maps;
    this.width = 960;
    this.margin = 28;
    this.y = 28;
    this.svg = sv("svg");
    const { colours, data } = maps;
    this.ink = colours.css("ink");
    this.soft = colours.css("soft");
    this.write(data.title, 16, { "font-weight": 600 });
    if (data.tokens.length) this.prompt();
    this.panels();
    this.legend();
    if (data.tape) this.tape();
    this.caption();
    const height = Math.ceil(this.y + 16);
    fill(this.svg, { width: this.width, height, viewBox: `0 0 ${this.width} ${height}` }, []);
    this.svg.prepend(sv("title", {}, data.alt), sv("rect", { width: this.width, height, fill: colours.css("paper") }));
  }

  text(x, y, words, size, attrs = {}) {
    this.svg.append(sv("text", { x, y, "font-size": size, "font-family": SANS, fill: this.ink, "xml:space": "preserve", ...attrs }, words));
  }

  write(words, size, attrs = {}) {
    if (words) this.text(this.margin, (this.y += size), words, size, attrs);
    this.y += 10;
  }

  prompt() {
    const { data, view, colours } = this.maps, size = data.tokens.length > 40 ? 11 : 13, wide = size * 0.6, left = this.margin + 12;
    const box = sv("rect", { x: this.margin, y: this.y, width: this.width - 2 * this.margin, rx: 8, fill: colours.css("card"), stroke: colours.css("line") });
    this.svg.append(box);
    const top = this.y, tints = { key: "kv", answer: "query" };
    let x = left, y = (this.y += size + 10);
    const put = (word, tint, attrs) => {
      const w = word.length * wide;
      if (x + w > this.width - left) { x = left; y = this.y += size + 8; }
      if (tint) this.svg.append(sv("rect", { x: x - 3, y: y - size, width: w + 6, height: size + 5, rx: 4, fill: colours.css(tint, 0.24) }));
      this.text(x, y, word, size, { "font-family": MONO, ...attrs });
      x += w + size * 0.85;
    };
    const words = data.passes ? data.passes.words[view.step - 1] : data.tokens;
    words.forEach((word, i) => put(word, tints[data.roles[i]], { "font-weight": i === view.row || data.roles[i] === "query" ? 700 : 500 }));
    if (data.answer) { put("→", null, {}); put(data.answer[0], "query", { "font-weight": 500 }); put(data.answer[1].toFixed(3), null, { fill: this.soft }); }
    box.setAttribute("height", y + 12 - top);
    this.y = y + 30;
  }

  panels() {
    const { data, view } = this.maps, [count] = data.shape, alone = view.head !== null;
    const columns = alone ? 1 : Math.min(data.columns, count), gap = 14, full = this.width - 2 * this.margin;
    const wide = Math.min(alone ? 480 : this.maps.aspect() > 1.3 ? full : 420, (full - (columns - 1) * gap) / columns), high = wide / this.maps.aspect();
    this.maps.heads().forEach((p, i) => {
      if (i && i % columns === 0) this.y += high + 46;
      const run = alone || this.maps.groupOf(p) === null ? [p] : this.maps.run(p, columns);
      this.panel(p, this.margin + (i % columns) * (wide + gap), wide, high, run[0] === p ? run.length * (wide + gap) - gap : 0);
    });
    this.y += high + 40;
  }

  panel(p, x, wide, high, reach) {
    const { data, colours, panels } = this.maps, hue = colours.css(data.hue), map = panels.children[p].children[2], y = this.y;
    if (this.maps.groupOf(p) !== null && reach)
      for (const [at, thick, dash] of RULES[this.maps.groupOf(p) % RULES.length])
        this.svg.append(sv("line", { x1: x, x2: x + reach, y1: y - 8 + at, y2: y - 8 + at, stroke: hue, "stroke-width": thick, ...(dash && { "stroke-dasharray": dash }) }));
    this.text(x, y + 15, data.labels[p], 12, { fill: this.soft });
    this.text(x + wide, y + 15, this.maps.groupName(p), 12, { fill: hue, "text-anchor": "end" });
    const image = (canvas, top, height) => this.svg.append(sv("image", { x, y: top, width: wide, height, preserveAspectRatio: "none", style: "image-rendering:pixelated", href: canvas.toDataURL() }));
    image(map.children[0], y + 22, high);
    this.svg.append(...this.maps.rings(x, y + 22, wide, high));
    const row = this.maps.focusRow();
    if (row === null) return;
    const top = y + 22 + ((row + 0.5) / data.shape[1]) * high - 4;
    image(map.children[1], top, 8);
    this.svg.append(sv("rect", { x, y: top, width: wide, height: 8, fill: "none", stroke: this.ink }));
  }

  legend() {
    const { data, ramp } = this.maps, signed = data.scale === "signed", x = this.margin;
    this.svg.append(sv("image", { x, y: this.y, width: 160, height: 8, preserveAspectRatio: "none", href: ramp.toDataURL() }));
    for (const [at, words] of ticksOf(data)) this.text(x + 160 * at, this.y + 21, words, 11, { fill: this.soft, "text-anchor": "middle" });
    this.text(x + 176, this.y + 8, signed ? "value" : `${data.passes ? "confidence" : "weight"}, square-root scale`, 11, { fill: this.soft });
    this.y += 40;
  }

  tape() {
    const { maps, margin } = this, { cells, height } = maps.tapeCells(this.width - 2 * margin), line = maps.tapeLine();
    for (const [x, y, w, h, kind] of cells)
      this.svg.append(sv("rect", { x: (margin + x).toFixed(2), y: this.y + y, width: w.toFixed(2), height: h, ...(kind === "ghost" ? { fill: "none", stroke: this.soft, "stroke-opacity": 0.5 } : { fill: maps.colours.css(kind) }) }));
    this.y += height + 8;
    this.write(line.lead + line.now + line.ghost, 12, {});
    if (maps.data.tape.ring) this.write(`${maps.ringLine()}; it holds ${maps.slots().map((t) => maps.data.tokens[t] ?? "–").join(" ")}`, 12, {});
  }

  caption() {
    const words = this.maps.data.caption.replaceAll("**", "").split(/\s+/), lines = [""];
    for (const word of words) lines.at(-1).length + word.length > 135 ? lines.push(word) : (lines[lines.length - 1] += ` ${word}`);
    for (const line of lines) if (line.trim()) { this.text(this.margin, (this.y += 13), line.trim(), 12, { fill: this.soft }); this.y += 5; }
  }
}

// The code is here: draw what was waiting for it, and what comes from now on.
const cutaway = Object.assign((globalThis.cutaway ??= { waiting: [] }), { maps: place(Maps), boards: place(Boards), frame: place(Frame), forget });
for (const [kind, component] of cutaway.waiting.splice(0)) cutaway[kind](component);

export default ({ parentElement }) => {
  const box = parentElement.host.closest("[data-testid='stElementContainer']");
  if (box) box.style.cssText += "position:absolute;width:0;height:0;overflow:hidden";
};
