// The same data as a table and as a file.
import { spoken } from "../numbers.js";
import { MASKED, placeText } from "./data.js";

const RANKS = ["1st", "2nd", "3rd", "4th", "5th"];

/** The strongest readings of each row: one column a head, or ranked columns for the isolated head. */
export function table(view) {
  const { data, head } = view;
  const rows = [...Array(view.rowsShown()).keys()];
  if (data.passes) return passesTable(data.passes, rows);
  const reading = ([col, value] = []) => (col === undefined ? "" : `${placeText(data.colNames, col)} ${spoken(value)}`);
  const cells = (row) => {
    if (head === null) return data.labels.map((_, panel) => reading(view.strongest(panel, row, 1)[0]));
    const best = view.strongest(head, row, RANKS.length);
    return RANKS.map((_, rank) => reading(best[rank]));
  };
  return {
    columns: [data.rowsAreTokens ? "token" : "row", ...(head === null ? data.labels : RANKS)],
    rows: rows.map((row) => [placeText(data.rowNames, row), ...cells(row)]),
    note:
      head === null
        ? "Each cell: what that row reads most, and how much."
        : `${data.labels[head]}: the five strongest readings of each row.`,
  };
}

function passesTable({ kept, words }, rows) {
  const committed = (pass) => kept.filter(([row]) => row === pass).length;
  return {
    columns: ["pass", "committed", "text after it"],
    rows: rows.map((pass) => [pass + 1, committed(pass), words[pass].join(" ")]),
    note: "The file has every cell.",
  };
}

/** Every visible cell, as the CSV file has it (values as fine as the picture: 255 levels). */
export function everything(view) {
  const { data } = view;
  const out = [];
  const step = data.frames ? [view.step] : [];
  const cell = (panel, row, col, byte) => {
    const value = Number(data.value(byte).toPrecision(4));
    return [data.labels[panel], row + 1, data.rowNames[row], col + 1, data.colNames[col], value, ...step];
  };
  for (let panel = 0; panel < data.count; panel++) {
    for (let row = 0; row < data.height; row++) {
      for (let col = 0; col < data.width; col++) {
        const byte = view.byte(panel, row, col);
        if (byte !== MASKED) out.push(cell(panel, row, col, byte));
      }
    }
  }
  const columns = ["panel", "row", "row label", "column", "column label", "value"];
  return { columns: data.frames ? [...columns, "step"] : columns, rows: out };
}
