// Steps through a picture: back, play, forth, a slider, and where it stands.
import { clamp, el, sv } from "./dom.js";

const ICONS = { back: "M11 3 5 8l6 5z", play: "M4 2.5 13 8l-9 5.5z", pause: "M4 3h3v10H4zM9 3h3v10H9z", next: "m5 3 6 5-6 5z" };
const SECONDS = 7; // a picture plays in about so many, unless steps would be too fast or too slow to follow

export class Steps {
  /** `at()` and `last()` say where it stands, `go(step)` shows another, `commit()` tells the page once a move is over. */
  constructor(each, { at, last, go, commit, alive }) {
    Object.assign(this, { at, last, go, commit, alive, playing: 0 });
    const icon = (name) => sv("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, sv("path", { d: ICONS[name] }));
    const button = (name, label, act) => el("button", { type: "button", "aria-label": label, onclick: act }, icon(name));
    this.player = button("play", "Play", () => this.play());
    this.slider = el("input", { type: "range", min: "1", step: "1" });
    this.slider.addEventListener("input", () => {
      this.stop();
      go(this.slider.valueAsNumber);
    });
    this.slider.addEventListener("change", commit);
    this.now = el("output");
    this.label = el("label", { "aria-hidden": "true" });
    this.root = el(
      "div.steps",
      {},
      this.label,
      button("back", `Previous ${each}`, () => this.nudge(-1)),
      this.player,
      button("next", `Next ${each}`, () => this.nudge(1)),
      this.slider,
      this.now,
    );
  }

  /** What a step is called; how many there are is asked anew. */
  arrange(name) {
    this.label.textContent = name;
    for (const attribute of ["aria-label", "title"]) this.slider.setAttribute(attribute, name);
    this.slider.max = this.last();
  }

  /** Where it stands: in words for who hears it, and as what is shown beside the slider. */
  paint(said, ...shown) {
    const at = this.at();
    const last = this.last();
    this.slider.value = at;
    this.slider.style.setProperty("--done", `${last > 1 ? ((at - 1) / (last - 1)) * 100 : 100}%`);
    this.slider.setAttribute("aria-valuetext", said);
    this.now.replaceChildren(...shown);
  }

  nudge(by) {
    this.stop();
    this.go(this.at() + by);
    this.commit();
  }

  play() {
    if (this.playing) {
      this.stop();
      return this.commit();
    }
    if (this.at() >= this.last()) this.go(1);
    this.show(
      setInterval(
        () => {
          if (!this.alive()) return this.stop();
          this.go(this.at() + 1);
          if (this.at() >= this.last()) {
            this.stop();
            this.commit();
          }
        },
        clamp((1000 * SECONDS) / this.last(), 60, 300),
      ),
    );
  }

  stop() {
    clearInterval(this.playing);
    this.show(0);
  }

  show(timer) {
    this.playing = timer;
    this.player.setAttribute("aria-label", timer ? "Pause" : "Play");
    this.player.querySelector("path").setAttribute("d", ICONS[timer ? "pause" : "play"]);
  }
}
