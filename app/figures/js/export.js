// PNG, SVG and CSV files that carry their configuration.
import { el, SVG, sv } from "./dom.js";

export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** "# key: value" lines, then the table. */
export function csvText({ columns, rows }, config) {
  const quote = (value) =>
    value === null ? "" : /[",\n\r]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
  const about = Object.entries(config).map(([key, value]) => `# ${key}: ${String(value).replace(/\s*[\r\n]+\s*/g, " ")}`);
  const lines = [columns, ...rows].map((row) => row.map(quote).join(","));
  return `${[...about, ...lines].join("\n")}\n`;
}

export const csvFile = (table, config) => new Blob([csvText(table, config)], { type: "text/csv;charset=utf-8" });

/** A standalone SVG file, or the same picture as PNG at twice its size. */
export async function picture(kind, svg, config, paper) {
  svg.setAttribute("xmlns", SVG);
  svg.prepend(sv("metadata", { id: "cutaway" }, JSON.stringify(config)));
  await embedFonts(svg);
  const text = new XMLSerializer().serializeToString(svg);
  const file = new Blob(['<?xml version="1.0" encoding="UTF-8"?>\n', text], { type: "image/svg+xml" });
  const [width, height] = ["width", "height"].map((name) => Number(svg.getAttribute(name)));
  return kind === "SVG" ? file : raster(file, width, height, paper, config);
}

/** Write the page's own fonts that the picture uses into it; without them it falls back to what the reader has. */
async function embedFonts(svg) {
  const used = new XMLSerializer().serializeToString(svg);
  const found = [...document.styleSheets]
    .flatMap(fontFaces)
    .filter(({ family, url }) => used.includes(family) && new URL(url, document.baseURI).origin === location.origin);
  const faces = await Promise.all(
    found.map(async ({ family, weight, range, url }) => {
      try {
        const data = await asDataUrl(await (await fetch(url)).blob());
        const letters = range ? `unicode-range:${range};` : "";
        const face = `font-family:"${family}";font-weight:${weight || "100 900"};${letters}src:url(${data}) format("woff2")`;
        return `@font-face{${face}}`;
      } catch {
        return "";
      }
    }),
  );
  if (faces.join("")) svg.prepend(sv("style", {}, faces.join("\n")));
}

/** The font files one style sheet declares; Latin only, because the extended files double the size. */
function fontFaces(sheet) {
  let rules = [];
  try {
    rules = [...sheet.cssRules];
  } catch {
    return [];
  }
  return rules
    .filter((rule) => rule instanceof CSSFontFaceRule)
    .map((rule) => ({
      family: rule.style.getPropertyValue("font-family").replace(/["']/g, ""),
      weight: rule.style.getPropertyValue("font-weight"),
      range: rule.style.getPropertyValue("unicode-range"),
      url: /url\(["']?([^"')]+)/.exec(rule.style.getPropertyValue("src"))?.[1] ?? "",
    }))
    .filter(({ url }) => url && !url.includes("-ext-") && !url.startsWith("data:"));
}

const asDataUrl = (blob) =>
  new Promise((done, failed) => {
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
  const canvas = Object.assign(document.createElement("canvas"), {
    width: Math.round(2 * width),
    height: Math.round(2 * height),
  });
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
  const chunk = new Uint8Array(body.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - 4);
  chunk.set(body, 4);
  view.setUint32(
    4 + body.length,
    (body.reduce((crc, byte) => CRC[(crc ^ byte) & 255] ^ (crc >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0,
  );
  return new Blob([png.subarray(0, 33), chunk, png.subarray(33)], { type: "image/png" });
}
