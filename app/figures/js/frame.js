// What stands under a Plotly figure.
import { Colours } from "./colours.js";
import { el, rich, sv } from "./dom.js";
import { Foot } from "./foot.js";
import { rootOf } from "./place.js";

/** The frame of a Plotly figure: caption, table, files. The chart is the one in the same keyed container. */
export class Frame {
  constructor(parent) {
    this.parent = parent;
    this.root = rootOf(parent, "frame");
    this.colours = new Colours(this.root, () => {});
    this.caption = el("p.cap");
    this.root.append(this.caption);
    this.foot = new Foot(this.root, {
      name: () => this.header.name,
      config: () => this.header.config,
      table: () => this.rows(),
      csv: () => this.rows(),
      svg: () => this.svg(),
      paper: () => this.colours.css("paper"),
    });
  }

  update(header) {
    this.header = header;
    this.root.classList.toggle("stage", header.stage);
    this.caption.replaceChildren(...rich(header.caption));
    this.caption.hidden = !header.caption;
    this.foot.refresh();
  }

  rows() {
    const columns = Object.keys(this.header.table);
    const values = Object.values(this.header.table);
    return { columns, rows: (values[0] ?? []).map((_, i) => values.map((column) => column[i])) };
  }

  /** Plotly's layers as one picture on the paper colour. */
  svg() {
    const chart = this.parent.host.closest("[class*='st-key-figure-']")?.querySelector(".js-plotly-plot");
    const layers = [...(chart?.querySelectorAll(".main-svg") ?? [])];
    if (!layers.length) throw new Error("the chart is not drawn yet");
    this.colours.read();
    const { width, height } = layers[0].getBoundingClientRect();
    const svg = sv(
      "svg",
      { width: Math.round(width), height: Math.round(height), viewBox: `0 0 ${width} ${height}` },
      sv("title", {}, this.header.alt),
      sv("rect", { width: "100%", height: "100%", fill: this.colours.css("paper") }),
    );
    for (const layer of layers) {
      const copy = layer.cloneNode(true);
      copy.querySelectorAll(".hoverlayer, .zoombox, .zoombox-corners, .drag").forEach((node) => node.remove());
      svg.append(sv("g", {}, ...copy.childNodes));
    }
    return svg;
  }
}
