// The layer strip: every layer is a column, its mixer above, its feed-forward part below. Choose a brush, then drag over layers.
// Streamlit calls the exported function with new data after every run; what was painted goes back as a trigger.
import { clamp, el } from "./dom.js";

const HELP = "Layer strip: arrows move, Shift and arrows extend, Enter paints, letters choose a brush";
const COUNTED = "It has formulas here and no module yet: it is counted and cannot run in the twin";
const WAYS = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -8, PageUp: 8 };
const LETTER = 13; // px of a column from which its letters fit
const TICK = 34; // px between two numbers of the scale

const span = (a, b) => (a === b ? `layer ${a + 1}` : `layers ${Math.min(a, b) + 1} to ${Math.max(a, b) + 1}`);

class Strip {
  constructor(box) {
    this.at = 0; // where the keyboard's cursor stands
    this.from = null; // the other end of what is being painted
    this.palette = el("div.palette");
    this.track = el("div.track", { tabindex: 0, role: "slider", "aria-label": HELP });
    this.scale = el("div.scale");
    this.said = el("p.said", { "aria-live": "polite" });
    box.replaceChildren(this.palette, this.track, this.scale, this.said);
    this.listen();
  }

  listen() {
    const { track } = this;
    track.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.dragging = true;
      track.setPointerCapture(event.pointerId);
      this.from = this.at = this.layerAt(event);
      this.mark();
    });
    track.addEventListener("pointermove", (event) => {
      if (!this.dragging) return this.tell(this.layerAt(event));
      this.at = this.layerAt(event);
      this.mark();
    });
    track.addEventListener("pointerup", () => this.dragging && this.paint());
    track.addEventListener("pointercancel", () => this.rest()); // the finger scrolled the page instead
    track.addEventListener("pointerleave", () => this.dragging || this.tell(null));
    track.addEventListener("keydown", (event) => this.key(event));
    track.addEventListener("focus", () => track.matches(":focus-visible") && this.mark());
    track.addEventListener("blur", () => this.dragging || this.rest());
  }

  layerAt(event) {
    const { left, width } = this.track.getBoundingClientRect();
    const n = this.data.mixer.length;
    return clamp(Math.floor(((event.clientX - left) / width) * n), 0, n - 1);
  }

  key(event) {
    const modified = event.ctrlKey || event.metaKey || event.altKey;
    if (!modified && (event.key === "Enter" || event.key === " ")) {
      this.paint();
      event.preventDefault();
    } else if (modified ? this.takeAll(event) : this.move(event)) {
      event.preventDefault();
      event.stopPropagation();
      this.mark();
    }
  }

  /** Ctrl+A takes every layer; true if that was it. */
  takeAll(event) {
    if (event.key !== "a") return false;
    this.from = 0;
    this.at = this.data.mixer.length - 1;
    return true;
  }

  /** Move, extend or choose a brush; true if the key meant one of these. */
  move(event) {
    const last = this.data.mixer.length - 1;
    const way = WAYS[event.key];
    const end = { Home: 0, End: last }[event.key];
    if (way !== undefined || end !== undefined) {
      this.from = event.shiftKey ? (this.from ?? this.at) : null;
      this.at = clamp(end ?? this.at + way, 0, last);
    } else if (event.key === "Escape") {
      this.from = null;
    } else {
      const brush = this.data.brushes.findIndex((b) => b.letter === event.key);
      if (brush < 0) return false;
      this.choose(brush);
    }
    return true;
  }

  get ends() {
    const a = this.from ?? this.at;
    return [Math.min(a, this.at), Math.max(a, this.at)];
  }

  get brush() {
    return this.data.brushes[this.chosen];
  }

  choose(index) {
    this.chosen = index;
    this.draw();
  }

  paint() {
    const [first, last] = this.ends;
    const { letter, slot } = this.brush;
    this.dragging = false;
    this.data[slot] = this.data[slot].map((kind, i) => (i >= first && i <= last ? this.chosen : kind));
    this.from = null;
    this.draw();
    this.said.textContent = `${span(first, last)}: ${this.brush.label}`;
    this.send("painted", { first, last, letter, slot });
  }

  rest() {
    this.dragging = false;
    this.from = null;
    for (const column of this.track.children) column.classList.remove("taken", "here");
    this.tell(null);
  }

  mark() {
    const [first, last] = this.ends;
    [...this.track.children].forEach((column, i) => {
      column.classList.toggle("taken", i >= first && i <= last);
      column.classList.toggle("here", i === this.at);
      column.classList.toggle("lower", this.brush.slot === "ffn");
    });
    this.track.setAttribute("aria-valuenow", this.at + 1);
    this.track.setAttribute("aria-valuetext", this.line(this.at));
    const does = this.dragging ? "let go to paint with" : "Enter paints with";
    this.said.textContent = `${span(first, last)}: ${does} ${this.brush.label}`;
  }

  line(i) {
    const [mixer, ffn] = ["mixer", "ffn"].map((slot) => this.data.brushes[this.data[slot][i]].label);
    return `layer ${i + 1}: ${mixer} · ${ffn}`;
  }

  tell(i) {
    this.said.textContent = i === null ? this.data.said : this.line(i);
  }

  cell(index, wide) {
    const { hue, letter } = this.data.brushes[index];
    const none = hue === "none";
    return el(none ? "i.none" : "i", { style: `--hue: var(--cw-${none ? "line" : hue})` }, wide ? letter : "");
  }

  chip(brush, index) {
    const attributes = {
      type: "button",
      role: "radio",
      "aria-checked": String(index === this.chosen),
      title: brush.live ? null : COUNTED,
    };
    const counted = brush.live ? null : el("small", {}, "counted only");
    const press = { onclick: () => this.choose(index) };
    return el("button", { ...attributes, ...press }, this.cell(index, true), el("span", {}, brush.label), counted);
  }

  group(name, slot) {
    const chips = this.data.brushes
      .map((b, i) => [b, i])
      .filter(([b]) => b.slot === slot)
      .map(([b, i]) => this.chip(b, i));
    return el("div.group", { role: "radiogroup", "aria-label": name }, el("b", {}, name), el("div", {}, ...chips));
  }

  draw() {
    const { mixer, ffn } = this.data;
    const n = mixer.length;
    const width = this.track.clientWidth;
    const wide = width / n >= LETTER;
    this.palette.replaceChildren(this.group("Mixer", "mixer"), this.group("Feed-forward", "ffn"));
    this.track.replaceChildren(...mixer.map((kind, i) => el("div", {}, this.cell(kind, wide), this.cell(ffn[i], wide))));
    this.track.classList.toggle("many", n > 96);
    this.track.setAttribute("aria-valuemin", 1);
    this.track.setAttribute("aria-valuemax", n);
    const step = [1, 4, 8, 16, 32, 64, 128, 256, 512].find((s) => (s * width) / n >= TICK) ?? 1024;
    const ticks = [...mixer.keys()].filter((i) => i === 0 || (i + 1) % step === 0);
    this.scale.replaceChildren(...ticks.map((i) => el("span", { style: `left:${((i + 0.5) / n) * 100}%` }, String(i + 1))));
  }

  show(data, send) {
    const before = this.data && this.brush;
    this.data = structuredClone(data);
    this.send = send;
    const same = before ? data.brushes.findIndex((b) => b.slot === before.slot && b.letter === before.letter) : -1;
    this.chosen =
      same >= 0
        ? same
        : Math.max(
            0,
            data.brushes.findIndex((b) => !b.own && b.slot === "mixer"),
          );
    this.at = Math.min(this.at, data.mixer.length - 1);
    this.draw();
    if (!this.dragging) this.tell(null);
  }
}

export default ({ data, parentElement, setTriggerValue }) => {
  const box = parentElement.querySelector(".strip");
  box.strip ??= new Strip(box);
  box.strip.show(data, setTriggerValue);
  box.watch ??= new ResizeObserver(() => box.strip.dragging || box.strip.draw());
  box.watch.observe(box.strip.track);
  return () => box.watch.disconnect();
};
