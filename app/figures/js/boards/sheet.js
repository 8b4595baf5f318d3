// The figure as one SVG sheet: title, the large board as it stands, and the small ones as an image.
import { SANS } from "../colours.js";
import { sv } from "../dom.js";

const SIDE = 300; // px of the large board

/** at: the frame that is shown; words: what is said about it. */
export function sheet(data, { at, words, colours, tiles }) {
  const cell = SIDE / data.size;
  const width = 40 + SIDE + 30 + tiles.grid.width;
  const height = 96 + Math.max(SIDE, tiles.grid.height);
  const paper = sv("rect", { width, height, fill: colours.css("paper") });
  const svg = sv("svg", { width, height, viewBox: `0 0 ${width} ${height}` }, sv("title", {}, data.alt), paper);
  const text = (x, y, what, size, attributes = {}) => {
    const font = { "font-size": size, "font-family": SANS, fill: colours.css("ink") };
    svg.append(sv("text", { x, y, ...font, ...attributes }, what));
  };
  text(20, 32, data.title, 16, { "font-weight": 600 });
  text(20, 54, `step ${data.step(at)} of ${data.steps}: ${words}`, 12, { fill: colours.css("soft") });
  for (const c of data.all()) {
    const x = 20 + (c % data.size) * cell;
    const y = 70 + Math.floor(c / data.size) * cell;
    const look = { fill: colours.css(...data.tint(at, c)), stroke: colours.css("soft"), "stroke-width": 0.5 };
    svg.append(sv("rect", { x, y, width: cell, height: cell, ...look }));
    const weight = data.fixed(c) ? 700 : 500;
    text(x + cell / 2, y + cell / 2 + 6, data.cellText(at, c), 18, { "text-anchor": "middle", "font-weight": weight });
    const ring = { fill: "none", stroke: colours.css("routed"), "stroke-width": 2 };
    if (data.wrong(at, c)) svg.append(sv("rect", { x: x + 2, y: y + 2, width: cell - 4, height: cell - 4, ...ring }));
  }
  const place = { x: 20 + SIDE + 30, y: 62, width: tiles.grid.width, height: tiles.grid.height };
  svg.append(sv("image", { ...place, href: tiles.canvas.toDataURL() }));
  return svg;
}
