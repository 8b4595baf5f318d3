// One figure a place on the page; Streamlit calls again with every change of data or theme.
import boardsSheet from "../boards.css" with { type: "css" };
import mapsSheet from "../maps.css" with { type: "css" };
import { el } from "./dom.js";
import { unpack } from "./wire.js";

const SHEETS = [mapsSheet, boardsSheet];
const placed = new WeakMap(); // parent element -> { figure, turn }

/** The component's root element, styled. */
export function rootOf(parent, kind) {
  const missing = SHEETS.filter((sheet) => !parent.adoptedStyleSheets.includes(sheet));
  parent.adoptedStyleSheets = [...parent.adoptedStyleSheets, ...missing];
  const root = el(`div.cw.${kind}`);
  parent.append(root);
  return root;
}

/** What draws a kind of figure: made once for each place, then given the newest data only. */
export const place = (Kind) => async (component) => {
  const parent = component.parentElement;
  if (!placed.has(parent)) placed.set(parent, { figure: new Kind(parent), turn: 0 });
  const here = placed.get(parent);
  const turn = ++here.turn;
  const { header, cells } = await unpack(component.data);
  if (turn === here.turn) here.figure.update(header, cells, component);
};

export function forget(parent) {
  placed.get(parent)?.figure.root.remove();
  placed.delete(parent);
}
