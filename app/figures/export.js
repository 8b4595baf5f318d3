// Shared by every figure: unpacking, colours, the data table, and PNG, SVG and CSV files that carry their configuration.
const HUES = ["paper", "card", "ink", "soft", "line", "query", "kv", "latent", "window", "state", "routed", "shared", "saved"];
const SVG = "http://www.w3.org/2000/svg";
const SANS = "Inter, system-ui, sans-serif", MONO = "JetBrains Mono, ui-monospace, monospace";
const TABLE_ROWS = 200;

/** HTML element: el("p.cap", {attributes}, ...children); text is never parsed as markup. */
function el(spec, attrs = {}, ...children) {
  const [tag, ...classes] = spec.split(".");
  return fill(document.createElement(tag), classes.length ? { class: classes.join(" "), ...attrs } : attrs, children);
}

/** SVG element, same form. */
const sv = (tag, attrs = {}, ...children) => fill(document.createElementNS(SVG, tag), attrs, children);

function fill(node, attrs, children) {
  for (const [name, value] of Object.entries(attrs)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** "**bold** and plain" as nodes. */
const rich = (text) => text.split("**").map((part, i) => (i % 2 ? el("b", {}, part) : part));

const whole = (n) => Number(n).toLocaleString("en-US");

/** The header and the raw bytes that app/figures/frame.py packed. What is not deflated is there before the coming frame. */
async function unpack(bytes) {
  const raw = bytes[0] ? await inflate(bytes.subarray(1)) : bytes.slice(1);
  const size = new DataView(raw.buffer).getUint32(0, true);
  return { header: JSON.parse(new TextDecoder().decode(raw.subarray(4, 4 + size))), cells: raw.subarray(4 + size) };
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The component's root element, styled; made once for each place on the page. */
function rootOf(parent, kind) {
  const sheet = (rootOf.sheet ??= new CSSStyleSheet());
  if (!rootOf.ready) { sheet.replaceSync(STYLE); rootOf.ready = true; }
  if (!parent.adoptedStyleSheets.includes(sheet)) parent.adoptedStyleSheets = [...parent.adoptedStyleSheets, sheet];
  const root = el(`div.cw.${kind}`);
  parent.append(root);
  return root;
}

/** The theme's colours as [r, g, b], read from the page; calls changed() when the page's theme has changed. */
class Colours {
  constructor(root, changed) {
    this.probes = HUES.map((hue) => el("i.probe", { style: `color: var(--${hue})` }));
    const sensor = el("i.probe.sensor", { style: "color: var(--paper)", ontransitionend: () => this.read() && changed() });
    root.prepend(sensor, ...this.probes);
    this.brush = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
    this.read();
  }

  /** Read all colours; true if one of them differs from last time. */
  read() {
    const names = this.probes.map((probe) => getComputedStyle(probe).color);
    if (this.seen === names.join()) return false;
    this.seen = names.join();
    HUES.forEach((hue, i) => (this[hue] = this.rgb(names[i])));
    this.dark = this.ink[0] > 128;
    return true;
  }

  rgb(css) {
    this.brush.fillStyle = css;
    this.brush.fillRect(0, 0, 1, 1);
    return [...this.brush.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  }

  css(hue, alpha = 1) {
    return alpha === 1 ? `rgb(${this[hue].join()})` : `rgba(${this[hue].join()},${alpha})`;
  }
}

const mix = (a, b, t) => a.map((x, i) => Math.round(x + (b[i] - x) * t));

/** The row under a figure: its data as a table (built when opened), and its files. source = {name, config, table, csv, svg, paper}. */
class Foot {
  constructor(root, source) {
    this.source = source;
    this.body = el("div");
    this.details = el("details", { ontoggle: () => this.refresh() }, el("summary", {}, "Data as a table"), this.body);
    this.note = el("span", { role: "status" });
    const files = ["PNG", "SVG", "CSV"].map((kind) =>
      el("button", { type: "button", "aria-label": `Download this figure as ${kind}`, onclick: () => this.save(kind) }, kind));
    root.append(el("div.foot", {}, this.details, el("div.files", {}, this.note, ...files)));
  }

  /** Build the table again if it is open. */
  refresh() {
    if (!this.details.open) return;
    const { columns, rows, note } = this.source.table();
    const cell = (tag, value) => el(tag, typeof value === "number" ? { class: "num" } : {}, value === null ? "" : shown(value));
    const head = columns.map((name, i) => el("th", typeof rows[0]?.[i] === "number" ? { class: "num", scope: "col" } : { scope: "col" }, name));
    const body = rows.slice(0, TABLE_ROWS).map((row) => el("tr", {}, ...row.map((value) => cell("td", value))));
    const cut = rows.length > TABLE_ROWS ? `The first ${TABLE_ROWS} of ${whole(rows.length)} rows; the CSV file has all.` : "";
    const sheet = el("div.sheet", { tabindex: "0" }, el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body)));
    this.body.replaceChildren(sheet, el("p.note", {}, [cut, note].filter(Boolean).join(" ")));
  }

  async save(kind) {
    try {
      this.note.textContent = "";
      const source = this.source, config = source.config();
      const blob = kind === "CSV" ? csvFile(source.csv(), config) : await picture(kind, await source.svg(), config, source.paper());
      download(blob, `cutaway-${source.name()}.${kind.toLowerCase()}`);
    } catch (error) {
      this.note.textContent = `The ${kind} file could not be made: ${error.message}`;
    }
  }
}

const shown = (value) => (typeof value === "number" ? (Number.isInteger(value) ? whole(value) : String(value)) : String(value));

function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** "# key: value" lines, then the table. */
function csvFile({ columns, rows }, config) {
  const quote = (value) => (value === null ? "" : /[",\n\r]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  const about = Object.entries(config).map(([key, value]) => `# ${key}: ${String(value).replace(/\s*[\r\n]+\s*/g, " ")}`);
  const lines = [columns, ...rows].map((row) => row.map(quote).join(","));
  return new Blob([[...about, ...lines].join("\n") + "\n"], { type: "text/csv;charset=utf-8" });
}

/** A standalone SVG file, or the same picture as PNG at twice its size. */
async function picture(kind, svg, config, paper) {
  svg.setAttribute("xmlns", SVG);
  svg.prepend(sv("metadata", { id: "cutaway" }, JSON.stringify(config)));
  await embedFonts(svg);
  const text = new XMLSerializer().serializeToString(svg);
  const file = new Blob(['<?xml version="1.0" encoding="UTF-8"?>\n', text], { type: "image/svg+xml" });
  return kind === "SVG" ? file : raster(file, Number(svg.getAttribute("width")), Number(svg.getAttribute("height")), paper, config);
}

/** Write the page's own fonts that the picture uses into it; without them it falls back to what the reader has. */
async function embedFonts(svg) {
  const used = new XMLSerializer().serializeToString(svg);
  const found = [...document.styleSheets].flatMap(fontFaces).filter(({ family, url }) =>
    used.includes(family) && new URL(url, document.baseURI).origin === location.origin);
  const faces = await Promise.all(found.map(async ({ family, weight, range, url }) => {
    try {
      const data = await asDataUrl(await (await fetch(url)).blob());
      return `@font-face{font-family:"${family}";font-weight:${weight || "100 900"};${range ? `unicode-range:${range};` : ""}src:url(${data}) format("woff2")}`;
    } catch { return ""; }
  }));
  if (faces.join("")) svg.prepend(sv("style", {}, faces.join("\n")));
}

/** The font files one style sheet declares; Latin only, because the extended files double the size. */
function fontFaces(sheet) {
  let rules = [];
  try { rules = [...sheet.cssRules]; } catch { return []; }
  return rules.filter((rule) => rule instanceof CSSFontFaceRule).map((rule) => ({
    family: rule.style.getPropertyValue("font-family").replace(/["']/g, ""),
    weight: rule.style.getPropertyValue("font-weight"),
    range: rule.style.getPropertyValue("unicode-range"),
    url: /url\(["']?([^"')]+)/.exec(rule.style.getPropertyValue("src"))?.[1] ?? "",
  })).filter(({ url }) => url && !url.includes("-ext-") && !url.startsWith("data:"));
}

const asDataUrl = (blob) => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result);
  reader.onerror = () => failed(reader.error);
  reader.readAsDataURL(blob);
});

async function raster(file, width, height, paper, config) {
  const image = new Image();
  image.src = await asDataUrl(file);
  await image.decode();
  await new Promise((done) => setTimeout(done, 60)); // fonts inside the picture
  const canvas = Object.assign(document.createElement("canvas"), { width: Math.round(2 * width), height: Math.round(2 * height) });
  const pen = canvas.getContext("2d");
  pen.fillStyle = paper;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  const png = await new Promise((done) => canvas.toBlob(done, "image/png"));
  return withText(new Uint8Array(await png.arrayBuffer()), "Cutaway", JSON.stringify(config));
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** PNG bytes with a tEXt chunk after the header (33 bytes); text outside ASCII is written as \uXXXX, which JSON reads back. */
function withText(png, keyword, text) {
  const ascii = text.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const body = new TextEncoder().encode(`tEXt${keyword}\0${ascii}`);
  const chunk = new Uint8Array(body.length + 8), view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - 4);
  chunk.set(body, 4);
  view.setUint32(4 + body.length, (body.reduce((crc, byte) => CRC[(crc ^ byte) & 255] ^ (crc >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0);
  return new Blob([png.subarray(0, 33), chunk, png.subarray(33)], { type: "image/png" });
}

/** The frame of a Plotly figure: caption, table, files. The chart is the one in the same keyed container. */
class Frame {
  constructor(parent) {
    this.parent = parent;
    this.root = rootOf(parent, "frame");
    this.colours = new Colours(this.root, () => {});
    this.caption = el("p.cap");
    this.root.append(this.caption);
    this.foot = new Foot(this.root, {
      name: () => this.header.name, config: () => this.header.config, table: () => this.rows(), csv: () => this.rows(),
      svg: () => this.svg(), paper: () => this.colours.css("paper"),
    });
  }

  async update({ data }) {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const { header } = await unpack(data);
    if (turn !== this.turn) return;
    this.header = header;
    this.root.classList.toggle("stage", header.stage);
    this.caption.replaceChildren(...rich(header.caption));
    this.caption.hidden = !header.caption;
    this.foot.refresh();
  }

  rows() {
    const columns = Object.keys(this.header.table), values = Object.values(this.header.table);
    return { columns, rows: (values[0] ?? []).map((_, i) => values.map((column) => column[i])) };
  }

  /** Plotly's layers as one picture on the paper colour. */
  svg() {
    const chart = this.parent.host.closest("[class*='st-key-figure-']")?.querySelector(".js-plotly-plot");
    const layers = [...(chart?.querySelectorAll(".main-svg") ?? [])];
    if (!layers.length) throw new Error("the chart is not drawn yet");
    this.colours.read();
    const { width, height } = layers[0].getBoundingClientRect();
    const svg = sv("svg", { width: Math.round(width), height: Math.round(height), viewBox: `0 0 ${width} ${height}` },
      sv("title", {}, this.header.alt), sv("rect", { width: "100%", height: "100%", fill: this.colours.css("paper") }));
    for (const layer of layers) {
      const copy = layer.cloneNode(true);
      copy.querySelectorAll(".hoverlayer, .zoombox, .zoombox-corners, .drag").forEach((node) => node.remove());
      svg.append(sv("g", {}, ...copy.childNodes));
    }
    return svg;
  }
}

/** One object a place on the page; Streamlit calls again with every change of data or theme. */
const placed = new WeakMap();
const place = (Kind) => (component) => {
  const parent = component.parentElement;
  if (!placed.has(parent)) placed.set(parent, new Kind(parent));
  placed.get(parent).update(component);
};

function forget(parent) {
  placed.get(parent)?.root.remove();
  placed.delete(parent);
}
