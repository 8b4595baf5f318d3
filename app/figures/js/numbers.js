// Numbers as a reader reads them.

/** 1,234,567 */
export const whole = (n) => Number(n).toLocaleString("en-US");

/** A table's cell: whole numbers with commas, everything else as it is. */
export const cellText = (value) => (Number.isInteger(value) ? whole(value) : String(value));

/** A number as a reader says it: 0.93, 0.012, <0.001. */
export function spoken(x) {
  const size = Math.abs(x);
  if (size > 0 && size < 0.001) return x < 0 ? ">-0.001" : "<0.001";
  return size >= 0.1 ? x.toFixed(size >= 100 ? 0 : 2) : String(Number(x.toPrecision(2)));
}
