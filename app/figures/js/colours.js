// The page's colours and fonts, for what is painted instead of styled.
import { el } from "./dom.js";

export const SANS = "Inter, system-ui, sans-serif";
export const MONO = "JetBrains Mono, ui-monospace, monospace";

const HUES = ["paper", "card", "ink", "soft", "line", "query", "kv", "latent", "window", "state", "routed", "shared", "saved"];

export const mix = (a, b, t) => a.map((x, i) => Math.round(x + (b[i] - x) * t));

/** The theme's colours as [r, g, b], read from the page; calls changed() when the page's theme has changed. */
export class Colours {
  constructor(root, changed) {
    this.probes = HUES.map((hue) => el("i.probe", { style: `color: var(--${hue})` }));
    const sensor = el("i.probe.sensor", { style: "color: var(--paper)", ontransitionend: () => this.read() && changed() });
    root.prepend(sensor, ...this.probes);
    this.brush = el("canvas", { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
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
