// The memory tape: what is kept after each token, one cell a token and lane; and the ring of a lane that forgets.
import { clamp, el, exactly } from "../dom.js";
import { whole } from "../numbers.js";

export const GHOST = "ghost"; // what is not kept: an outline

/** The tape for a width: [x, y, w, h, hue or GHOST], in px. Kept tokens are cells; what is not kept is one outline a lane. */
export function tapeCells({ data: { tape, steps }, step }, width) {
  const lanes = Math.max(tape.lanes.length, tape.ghost);
  const cells = [];
  const cell = width / steps;
  const pitch = clamp(Math.round(64 / lanes), 7, 12);
  const gap = cell > 5 ? 1.5 : 0.5;
  const high = pitch - 2;
  for (let lane = 0; lane < lanes; lane++) {
    const kept = lane < tape.lanes.length;
    const from = kept && tape.windows[lane] ? Math.max(0, step - tape.windows[lane]) : 0;
    const gone = kept ? from : step;
    if (gone) cells.push([0, lane * pitch, gone * cell - gap, high, GHOST]);
    for (let t = gone; t < step; t++) cells.push([t * cell, lane * pitch, Math.max(1, cell - gap), high, tape.hues[lane]]);
  }
  return { cells, height: lanes * pitch - 2 };
}

/** The line under the tape, in three parts. */
export function tapeLine({ data: { tape }, step }) {
  const bytes = tape.bytes[step - 1];
  const ghost = tape.ghostBytes[step - 1];
  return {
    lead: `${tape.title} after ${step} token${step === 1 ? "" : "s"}: `,
    now: `${whole(bytes ?? 0)} B`,
    ghost: ghost === undefined ? "" : ` (${tape.ghostLabel} ${whole(ghost)} B)`,
  };
}

/** The ring of a lane that forgets: which token each slot holds now, -1 where none yet. */
export function ringSlots({
  data: {
    tape: { ring },
  },
  step,
}) {
  return Array.from({ length: ring }, (_, slot) => (slot < step ? step - 1 - ((step - 1 - slot) % ring) : -1));
}

/** What the last step did to the ring. */
export function ringLine({
  data: {
    tape: { ring },
    tokens,
  },
  step,
}) {
  const at = step - 1;
  const name = (t) => `‘${tokens[t]}’ (${t + 1})`;
  const gone = at >= ring ? `, over ${name(at - ring)}` : "";
  return `Ring of ${ring} slot${ring === 1 ? "" : "s"}: ${name(at)} is written into slot ${(at % ring) + 1}${gone}`;
}

/** What the colours of the tape mean: [kind of mark, words, palette key]. */
function keysOf({ lanes, legend, ghost, ghostLabel, windows }) {
  const named = Object.entries(legend).map(([hue, words]) => ["", words, hue]);
  const plain = [["", lanes.length > 2 ? `${lanes[0]} … ${lanes.at(-1)}` : lanes.join(", "), null]];
  const compared = ghost > lanes.length ? [[".ghost", `what ${ghostLabel} would keep as well`, null]] : [];
  const forgotten = windows.some(Boolean) ? [[".ghost", "forgotten", null]] : [];
  return [...(named.length ? named : plain), ...compared, ...forgotten];
}

export class Tape {
  constructor() {
    this.canvas = el("canvas");
    this.line = el("p");
    this.ringLine = el("p");
    this.ring = el("div.ring", { "aria-hidden": "true" });
    this.root = el("div.tape", {}, this.canvas, this.line, this.ringLine, this.ring);
  }

  arrange({ tape }) {
    this.root.hidden = !tape;
    this.root.style.setProperty("--hue", tape ? `var(--${tape.hue})` : "");
  }

  paint(view, width, colours) {
    if (!view.data.tape || !width) return;
    const { cells, height } = tapeCells(view, width);
    this.paintCells(cells, width, height, colours);
    const { lead, now, ghost } = tapeLine(view);
    const mark = ([kind, words, hue]) => el("span", {}, el(`i${kind}`, { style: hue && `background: var(--${hue})` }), words);
    this.line.replaceChildren(el("span", {}, lead, el("b", {}, now), ghost), ...keysOf(view.data.tape).map(mark));
    this.paintRing(view);
  }

  paintCells(cells, width, height, colours) {
    const ratio = Math.max(1, devicePixelRatio);
    const canvas = this.canvas;
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== across) canvas.width = across;
    if (canvas.height !== down) canvas.height = down;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.strokeStyle = colours.css("soft", 0.5);
    pen.lineWidth = 1;
    for (const [x, y, w, h, kind] of cells) {
      if (kind === GHOST) {
        pen.strokeRect(x + 0.5, y + 0.5, Math.max(0, w - 1), h - 1);
      } else {
        pen.fillStyle = colours.css(kind);
        pen.fillRect(x, y, w, h);
      }
    }
  }

  paintRing(view) {
    const { tape, tokens } = view.data;
    const { ring } = tape;
    this.ring.hidden = this.ringLine.hidden = !ring;
    if (!ring) return;
    this.ringLine.textContent = ringLine(view);
    this.ring.classList.toggle("tight", ring > 16);
    this.ring.style.maxWidth = `${ring * 92}px`;
    const holds = ringSlots(view);
    exactly(this.ring, ring, () => el("span.slot")).forEach((slot, i) => {
      const token = holds[i];
      const held = token >= 0 && token < tokens.length;
      slot.className = ["slot", held && "held", token === view.step - 1 && "new"].filter(Boolean).join(" ");
      slot.replaceChildren(...(held ? [tokens[token], el("i", {}, String(token + 1))] : []));
    });
  }
}
