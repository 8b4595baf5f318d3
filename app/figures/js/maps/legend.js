// The scale as a strip of colours with its marks.
import { el } from "../dom.js";

export class Legend {
  constructor() {
    this.ramp = el("canvas", { width: 132, height: 1 });
    this.name = el("span");
    this.strip = el("div.ramp", {}, this.ramp);
    this.root = el("div.legend", {}, this.name, this.strip);
  }

  paint(data, scale) {
    const pen = this.ramp.getContext("2d");
    const width = this.ramp.width;
    for (let x = 0; x < width; x++) {
      pen.fillStyle = scale.css(x / (width - 1));
      pen.fillRect(x, 0, 1, 1);
    }
    this.name.textContent = data.measure();
    const marks = data.ticks().map(([at, words]) => el("span", { style: `left: ${at * 100}%` }, words));
    this.strip.replaceChildren(this.ramp, ...marks);
    this.root.title = data.scale === "signed" ? "Linear scale" : "Square-root scale, the same for every panel";
  }
}
