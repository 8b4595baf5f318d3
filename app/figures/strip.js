// The layer strip: every layer is a column, its mixer above and its feed-forward part below. Choose a brush, then drag over layers.
// Streamlit calls the exported function with new data after every run; what was painted goes back as a trigger.

const make = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props)
  node.append(...children)
  return node
}

const span = (a, b) => (a === b ? `layer ${a + 1}` : `layers ${Math.min(a, b) + 1} to ${Math.max(a, b) + 1}`)

class Strip {
  constructor(box) {
    this.at = 0  // where the keyboard's cursor stands
    this.from = null  // the other end of what is being painted
    this.palette = make("div", { className: "palette" })
    this.track = make("div", { className: "track", tabIndex: 0 })
    this.track.setAttribute("role", "slider")
    this.track.setAttribute("aria-label", "Layer strip: arrows move, Shift and arrows extend, Enter paints, letters choose a brush")
    this.scale = make("div", { className: "scale" })
    this.said = make("p", { className: "said" })
    this.said.setAttribute("aria-live", "polite")
    box.replaceChildren(this.palette, this.track, this.scale, this.said)
    this.listen()
  }

  listen() {
    const track = this.track
    track.addEventListener("pointerdown", (event) => {
      if (event.button) return
      this.dragging = true
      track.setPointerCapture(event.pointerId)
      this.from = this.at = this.layerAt(event)
      this.mark()
    })
    track.addEventListener("pointermove", (event) => {
      if (!this.dragging) return this.tell(this.layerAt(event))
      this.at = this.layerAt(event)
      this.mark()
    })
    track.addEventListener("pointerup", () => this.dragging && this.paint())
    track.addEventListener("pointercancel", () => this.rest())  // the finger scrolled the page instead
    track.addEventListener("pointerleave", () => this.dragging || this.tell(null))
    track.addEventListener("keydown", (event) => this.key(event))
    track.addEventListener("focus", () => track.matches(":focus-visible") && this.mark())
    track.addEventListener("blur", () => this.dragging || this.rest())
  }

  layerAt(event) {
    const { left, width } = this.track.getBoundingClientRect(), n = this.data.mixer.length
    return Math.max(0, Math.min(n - 1, Math.floor(((event.clientX - left) / width) * n)))
  }

  key(event) {
    const n = this.data.mixer.length
    const way = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -8, PageUp: 8 }[event.key]
    const end = { Home: 0, End: n - 1 }[event.key]
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if (event.key !== "a") return
      this.from = 0
      this.at = n - 1
    } else if (way !== undefined || end !== undefined) {
      const to = Math.max(0, Math.min(n - 1, end ?? this.at + way))
      this.from = event.shiftKey ? this.from ?? this.at : null
      this.at = to
    } else if (event.key === "Enter" || event.key === " ") {
      this.paint()
      event.preventDefault()
      return
    } else if (event.key === "Escape") {
      this.from = null
    } else {
      const brush = this.data.brushes.findIndex((b) => b.letter === event.key)
      if (brush < 0) return
      this.choose(brush)
    }
    event.preventDefault()
    event.stopPropagation()
    this.mark()
  }

  get ends() {
    const a = this.from ?? this.at
    return [Math.min(a, this.at), Math.max(a, this.at)]
  }

  get brush() { return this.data.brushes[this.chosen] }

  choose(index) {
    this.chosen = index
    this.draw()
  }

  paint() {
    const [first, last] = this.ends, { letter, slot } = this.brush
    this.dragging = false
    this.data[slot] = this.data[slot].map((kind, i) => (i >= first && i <= last ? this.chosen : kind))
    this.from = null
    this.draw()
    this.said.textContent = `${span(first, last)}: ${this.brush.label}`
    this.send("painted", { first, last, letter, slot })
  }

  rest() {
    this.dragging = false
    this.from = null
    for (const column of this.track.children) column.classList.remove("taken", "here")
    this.tell(null)
  }

  mark() {
    const [first, last] = this.ends
    ;[...this.track.children].forEach((column, i) => {
      column.classList.toggle("taken", i >= first && i <= last)
      column.classList.toggle("here", i === this.at)
      column.classList.toggle("lower", this.brush.slot === "ffn")
    })
    this.track.setAttribute("aria-valuenow", this.at + 1)
    this.track.setAttribute("aria-valuetext", this.line(this.at))
    const does = this.dragging ? "let go to paint with" : "Enter paints with"
    this.said.textContent = `${span(first, last)}: ${does} ${this.brush.label}`
  }

  line(i) {
    const [mixer, ffn] = ["mixer", "ffn"].map((slot) => this.data.brushes[this.data[slot][i]].label)
    return `layer ${i + 1}: ${mixer} · ${ffn}`
  }

  tell(i) {
    this.said.textContent = i === null ? this.data.said : this.line(i)
  }

  cell(index, wide) {
    const brush = this.data.brushes[index]
    const node = make("i", { className: brush.hue === "none" ? "none" : "" }, wide ? brush.letter : "")
    node.style.setProperty("--hue", `var(--cw-${brush.hue === "none" ? "line" : brush.hue})`)
    return node
  }

  chip(brush, index) {
    const dot = this.cell(index, true)
    const name = make("span", {}, brush.label)
    const chip = make("button", { type: "button" }, dot, name)
    chip.setAttribute("role", "radio")
    chip.setAttribute("aria-checked", index === this.chosen)
    if (!brush.live) {
      chip.append(make("small", {}, "counted only"))
      chip.title = "It has formulas here and no module yet: it is counted and cannot run in the twin"
    }
    chip.addEventListener("click", () => this.choose(index))
    return chip
  }

  group(name, slot) {
    const chips = this.data.brushes.map((b, i) => [b, i]).filter(([b]) => b.slot === slot)
    const group = make("div", { className: "group" }, make("b", {}, name), make("div", {}, ...chips.map(([b, i]) => this.chip(b, i))))
    group.setAttribute("role", "radiogroup")
    group.setAttribute("aria-label", name)
    return group
  }

  draw() {
    const { mixer, ffn } = this.data, n = mixer.length, wide = this.track.clientWidth / n >= 13
    this.palette.replaceChildren(this.group("Mixer", "mixer"), this.group("Feed-forward", "ffn"))
    this.track.replaceChildren(...mixer.map((kind, i) => make("div", {}, this.cell(kind, wide), this.cell(ffn[i], wide))))
    this.track.classList.toggle("many", n > 96)
    this.track.setAttribute("aria-valuemin", 1)
    this.track.setAttribute("aria-valuemax", n)
    const step = [1, 4, 8, 16, 32, 64, 128, 256, 512].find((s) => (s * this.track.clientWidth) / n >= 34) ?? 1024
    const ticks = [...mixer.keys()].filter((i) => i === 0 || (i + 1) % step === 0)
    this.scale.replaceChildren(...ticks.map((i) => Object.assign(make("span", {}, String(i + 1)), { style: `left:${((i + 0.5) / n) * 100}%` })))
  }

  show(data, send) {
    const before = this.data && this.brush
    this.data = structuredClone(data)
    this.send = send
    const same = before ? data.brushes.findIndex((b) => b.slot === before.slot && b.letter === before.letter) : -1
    this.chosen = same >= 0 ? same : Math.max(0, data.brushes.findIndex((b) => !b.own && b.slot === "mixer"))
    this.at = Math.min(this.at, data.mixer.length - 1)
    this.draw()
    if (!this.dragging) this.tell(null)
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".strip")
  box.strip ??= new Strip(box)
  box.strip.show(data, setTriggerValue)
  box.watch ??= new ResizeObserver(() => box.strip.dragging || box.strip.draw())
  box.watch.observe(box.strip.track)
  return () => box.watch.disconnect()
}
