// Bytes as pixels, and the rings around words.
import { mix } from "../colours.js";
import { sv } from "../dom.js";
import { MASKED, REST } from "./data.js";

/** The deep end of a scale: the look's own blue for queries, the same step for any other hue. */
const DEEP_QUERY = { light: [24, 44, 110], dark: [198, 214, 255] };
const deeper = (rgb, dark) => mix(rgb, dark ? [255, 255, 255] : [0, 0, 0], 0.55);

/** The colours from one end of a scale to the other, evenly spaced. */
function stopsOf({ card, query, window, state, dark }, scale) {
  if (scale === "signed") return [deeper(window, dark), window, card, state, deeper(state, dark)];
  return [card, query, DEEP_QUERY[dark ? "dark" : "light"]];
}

/** 256 colours as little-endian RGBA; two of them: full strength and stepped back. css(t): the colour at t from 0 to 1. */
export function scaleColours(colours, scale) {
  const stops = stopsOf(colours, scale);
  const at = (t) => {
    const x = t * (stops.length - 1);
    const i = Math.min(stops.length - 2, Math.floor(x));
    return mix(stops[i], stops[i + 1], x - i);
  };
  const table = (alpha) =>
    Uint32Array.from({ length: 256 }, (_, byte) => {
      if (byte === MASKED) return 0;
      const [r, g, b] = at(byte / REST);
      return ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
    });
  return { full: table(255), faint: table(colours.dark ? 105 : 115), css: (t) => `rgb(${at(t).join()})` };
}

/** Put pixels on a canvas of that size. paint: fills the Uint32Array. */
function pixels(canvas, width, height, paint) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(width, height);
  paint(new Uint32Array(image.data.buffer));
  pen.putImageData(image, 0, 0);
}

/** A panel's cells, as many rows as are shown; beside an isolated row the others step back. */
export function paintCells(canvas, view, panel, scale) {
  const { data, row } = view;
  const { width, height } = data;
  const start = data.start(view.frame(), panel);
  const shown = Math.min(height, view.rowsShown());
  pixels(canvas, width, height, (out) => {
    for (let r = 0, at = 0; r < shown; r++) {
      const colours = row === null || r === row ? scale.full : scale.faint;
      for (const stop = at + width; at < stop; at++) out[at] = colours[data.cells[start + at]];
    }
  });
}

/** The emphasised row, drawn thick enough to read. */
export function paintLens(lens, view, panel, scale) {
  const { width, height } = view.data;
  const row = view.focusRow();
  lens.hidden = row === null;
  if (row === null) return;
  lens.style.setProperty("--at", `${((row + 0.5) / height) * 100}%`);
  pixels(lens, width, 1, (out) => {
    for (let c = 0; c < width; c++) out[c] = scale.full[view.byte(panel, row, c)];
  });
}

/** Where words were committed in the passes shown (a ring), and where they were taken back before (a dashed one), in a box. */
export function rings(view, colours, { x, y, wide, high, unit = "" }) {
  const { passes, width, height } = view.data;
  const now = view.step - 1;
  if (!passes) return [];
  const w = wide / width;
  const h = high / height;
  const ring = ([row, col], hue, dashes) =>
    sv("rect", {
      x: `${x + (col + 0.1) * w}${unit}`,
      y: `${y + (row + 0.12) * h}${unit}`,
      width: `${0.8 * w}${unit}`,
      height: `${0.76 * h}${unit}`,
      rx: 5,
      fill: "none",
      stroke: colours.css(hue),
      "stroke-width": row === now ? 2.4 : 1.5,
      "stroke-dasharray": dashes,
    });
  const shown = (cells) => cells.filter(([row]) => row <= now);
  return [
    ...shown(passes.taken).map((cell) => ring(cell, "routed", "2 2")),
    ...shown(passes.kept).map((cell) => ring(cell, "kv", null)),
  ];
}
