// What every script needs of the page: elements made and counted.

export const SVG = "http://www.w3.org/2000/svg";

/** HTML element: el("p.cap", {attributes}, ...children). "onclick" adds a listener; text is never parsed as markup. */
export function el(spec, attributes = {}, ...children) {
  const [tag, ...classes] = spec.split(".");
  const all = classes.length ? { class: classes.join(" "), ...attributes } : attributes;
  return fill(document.createElement(tag), all, children);
}

/** SVG element, same form. */
export const sv = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** Give a node attributes (null and false are left out, true is empty) and append children (null is left out). */
export function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Make parent have exactly n children, leaving those it has; returns them. */
export function exactly(parent, n, make) {
  while (parent.children.length > n) parent.lastElementChild.remove();
  while (parent.children.length < n) parent.append(make(parent.children.length));
  return [...parent.children];
}

/** "**bold** and plain" as nodes. */
export const rich = (text) => text.split("**").map((part, i) => (i % 2 ? el("b", {}, part) : part));

export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));
