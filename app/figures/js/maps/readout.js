// What is pointed at, in words: the line under the panels, and the list beside an isolated head.
import { clamp, el } from "../dom.js";
import { spoken } from "../numbers.js";
import { isNumber, MASKED } from "./data.js";

const TOP = 6; // readings in the list

const quoted = (name) => el("code", {}, `‘${name}’`);

/** A name and its place: ‘kite’ (4), or the place alone where it is the name. */
const named = (names, i) => (isNumber(names[i]) ? [el("code", {}, names[i])] : [quoted(names[i]), ` (${i + 1})`]);

/** The line under the panels, as nodes: the cell that is pointed at, or what the focus row reads, or what can be done. */
export function readout(view) {
  const { data, pointer } = view;
  const row = view.focusRow();
  if (pointer) return data.passes ? passCell(view) : cell(view);
  if (row !== null && data.rowsAreTokens) return mostRead(view, row);
  return [hintText(view, matchMedia("(hover: none)").matches)];
}

function cell(view) {
  const { data } = view;
  const { head, row, col } = view.pointer;
  const byte = view.byte(head, row, col);
  const hidden = byte === MASKED || row >= view.rowsShown();
  const verb = hidden ? " does not see " : ` ${data.verb} `;
  const value = hidden ? [] : [": ", el("b", {}, spoken(data.value(byte)))];
  return [`${data.labels[head]}: `, ...named(data.rowNames, row), verb, ...named(data.colNames, col), ...value];
}

function mostRead(view, row) {
  const { labels, rowNames, colNames, verb } = view.data;
  const best = view.heads().map((head) => [head, ...(view.strongest(head, row, 1)[0] ?? [0, 0])]);
  const [[head, col, value]] = best.sort((a, b) => b[2] - a[2]);
  const most = ` (${col + 1}) most: ${labels[head]}, `;
  return [quoted(rowNames[row]), ` (${row + 1}) ${verb} `, quoted(colNames[col]), most, el("b", {}, spoken(value))];
}

/** A cell of a text that changes: the word drawn there, how sure it was, and whether it was kept. */
function passCell(view) {
  const { passes } = view.data;
  const { head, row, col } = view.pointer;
  const byte = view.byte(head, row, col);
  const has = (cells) => cells.some(([r, c]) => r === row && c === col);
  const where = `pass ${row + 1}, place ${col + 1}: `;
  if (row >= view.rowsShown()) return [where, "not yet"];
  if (byte === MASKED) return [where, quoted(passes.words[row][col]), " stands"];
  const before = has(passes.taken) ? ["taken back, now "] : [];
  const sure = el("b", {}, spoken(view.data.value(byte)));
  return [where, ...before, quoted(passes.drawn[row][col]), " ", sure, has(passes.kept) ? ", kept" : ", masked again"];
}

/** What can be done with the picture. `finger`: there is nothing to point with. */
export function hintText({ data, head }, finger) {
  const noun = /^\p{L}+/u.exec(data.labels[0])?.[0] ?? "map";
  if (head !== null) return finger ? "Tap a cell to read it." : "Click the map again or press Esc to see all.";
  const what = [data.count > 1 && noun, data.rowsAreTokens && "token"].filter(Boolean).join(" or a ");
  if (finger) return what ? `Tap a ${what} to isolate it.` : "";
  return `Point at a cell to read it${what && `; click a ${what} to isolate it`}.`;
}

/** The list beside an isolated head, as nodes: what one row reads, strongest first. `back()` shows all heads again. */
export function readings(view, back) {
  const { data, head, pointer } = view;
  if (head === null) return [];
  const row = pointer?.row ?? view.focusRow() ?? view.rowsShown() - 1;
  const best = view.strongest(head, row, TOP);
  const signed = data.scale === "signed";
  const limit = signed ? data.limit : 1;
  const line = (label, value, kind = "") => {
    const share = clamp((Math.abs(value) / limit) * 100, 0, 100);
    const bar = el("div", {}, el("i", { style: `width: ${share}%` }));
    return el(`div.line${kind}`, {}, label, bar, el("span", {}, spoken(value)));
  };
  const name = (col) => {
    const place = isNumber(data.colNames[col]) ? "" : el("i", {}, String(col + 1));
    return el("code", {}, `${data.colNames[col]} `, place);
  };
  const sum = best.reduce((total, [, value]) => total + value, 0);
  const all = signed || best.length < TOP || sum > 0.995;
  const others = () => line(el("span", { style: "text-align: left" }, "all others"), Math.max(0, 1 - sum), ".rest");
  return [
    el("h4", {}, el("code", {}, data.rowNames[row]), ` ${row + 1} ${data.verb}`),
    ...best.map(([col, value]) => line(name(col), value)),
    ...(all ? [] : [others()]),
    el("button.back", { type: "button", onclick: back }, "Show all"),
  ];
}
