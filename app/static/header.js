// The header's behaviour. Streamlit calls the exported function with new data after every run of the page.

const HINT = "n, p: preset · 1–5: section · Esc: leave the stage"

const el = (tag, attributes = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), attributes)
  node.append(...children)
  return node
}

// The address of a page: its name beside the current one, whatever path the app is served under.
const address = (page, current) => {
  const path = location.pathname
  const base = path.endsWith("/" + current) ? path.slice(0, -current.length) : path.replace(/[^/]*$/, "")
  return base + page
}

// Change the page as the Back button does: Streamlit listens to popstate and takes every value from the address.
const visit = (url) => {
  history.pushState({}, "", url)
  dispatchEvent(new PopStateEvent("popstate"))
  document.querySelector(".stMain")?.scrollTo(0, 0)
}

const plain = (event) => !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button)

// Links inside a page (class cw-link) stay on stage where the reader is on stage.
const onLink = (event) => {
  const link = event.target.closest?.("a.cw-link")
  if (!link || link.target || link.origin !== location.origin || !plain(event)) return
  event.preventDefault()
  const url = new URL(link.href)
  if (new URLSearchParams(location.search).get("stage") === "1") url.searchParams.set("stage", "1")
  visit(url.href)
}

const stageParameter = (data) => (data.stage ? "?stage=1" : "")

const pageLink = (page, data) => {
  const link = el("a", { href: address(page.name, data.current) + stageParameter(data), title: page.question }, page.title)
  if (page.name === data.current) link.setAttribute("aria-current", "page")
  link.addEventListener("click", (event) => {
    if (!plain(event)) return
    event.preventDefault()
    link.closest("details")?.removeAttribute("open")
    visit(link.href)
  })
  return link
}

const pageList = (group, data) =>
  el("ul", {}, ...group.pages.map((page) => el("li", {}, pageLink(page, data))))

const drop = (label, ...content) => {
  const details = el("details", { name: "cutaway-nav" }, el("summary", {}, label), el("div", {}, ...content))
  return details
}

// Wide: one menu a group, the current page named beside its own group. Narrow: one menu for all.
const navigation = (data) => {
  const wide = el("nav", { className: "wide", ariaLabel: "Pages" })
  for (const group of data.groups) {
    wide.append(drop(group.name, pageList(group, data)))
    const here = group.pages.find((page) => page.name === data.current)
    if (here) wide.append(pageLink(here, data))
  }
  const narrow = el("nav", { className: "narrow", ariaLabel: "Pages" })
  const groups = data.groups.map((group) => el("section", {}, el("h2", {}, group.name), pageList(group, data)))
  narrow.append(drop("Pages", ...groups))
  return [wide, narrow]
}

// Every value: the defaults of this page overlaid by the address bar, what is isolated in the picture, the version.
const permalink = (state) => {
  const defaults = JSON.parse(state.dataset.defaults)
  const bar = new URLSearchParams(location.search)
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(defaults)) {
    const now = bar.has(key) ? bar.getAll(key) : [value].flat()
    for (const item of now) query.append(key, item)
  }
  for (const key of state.dataset.also.split(" ")) if (bar.has(key)) query.append(key, bar.get(key))
  query.append("v", state.dataset.version)
  return query.toString()
}

const write = async (text, header) => {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // Not a secure context, or not allowed: offer the text, selected.
    header.querySelector(".by-hand")?.remove()
    const field = el("input", { className: "by-hand", value: text, readOnly: true, ariaLabel: "Link to this state" })
    field.addEventListener("blur", () => field.remove())
    header.append(field)
    field.focus()
    field.select()
    const copied = document.execCommand("copy")
    if (copied) field.blur()  // which removes it
    return copied
  }
}

// No link can hold this state: say why, and what to do instead, until the reader does something else.
const refuse = (why, header) => {
  header.querySelector(".refused")?.remove()
  const note = el("p", { className: "refused", role: "alert", tabIndex: -1 }, why)
  note.addEventListener("blur", () => note.remove())
  header.append(note)
  note.focus()
}

const copyButton = (data, header) => {
  const button = el("button", { type: "button", className: "copy" }, "Copy link")
  const said = el("span", { className: "said", role: "status" })
  button.addEventListener("click", async () => {
    const state = document.querySelector(".cw-state")
    if (!state) return
    if (state.dataset.refused) return refuse(state.dataset.refused, header)
    const query = permalink(state)
    history.replaceState(history.state, "", location.pathname + "?" + query)
    const url = location.origin + address(state.dataset.page, data.current) + "?" + query
    const copied = await write(url, header)
    said.textContent = copied ? "Copied" : "Press Ctrl+C"
    button.classList.add("done")
    clearTimeout(button.timer)
    button.timer = setTimeout(() => { said.textContent = ""; button.classList.remove("done") }, 1800)
  })
  return [button, said]
}

const press = (button) => button?.click()
const stagePill = () => document.querySelector(".st-key-stage [role=radio]")
const options = (selector) => [...document.querySelectorAll(selector + " [role=radio]")]

const step = (by) => {
  const presets = options('[class*="-presets-"]')
  if (!presets.length) return
  const at = presets.findIndex((button) => button.getAttribute("aria-checked") === "true")
  const next = at < 0 ? (by > 0 ? 0 : presets.length - 1) : (at + by + presets.length) % presets.length
  press(presets[next])
}

const typing = (event) => {
  const at = event.composedPath()[0]
  return at.isContentEditable || at.tagName === "TEXTAREA" || at.tagName === "SELECT"
    || (at.tagName === "INPUT" && at.type !== "range")
}

const onKey = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event)) return
  if (event.key === "Escape" && !document.querySelector(":popover-open, [role=dialog]")) press(stagePill())
  else if (event.key === "n") step(1)
  else if (event.key === "p") step(-1)
  else if (/^[1-9]$/.test(event.key)) press(options(".st-key-section")[event.key - 1])
}

const stageButton = (data) => {
  const button = el("button", { type: "button", className: "stage" }, data.stage ? "Leave stage" : "Stage")
  if (data.stage) button.title = HINT
  button.addEventListener("click", () => press(stagePill()))
  return button
}

// A menu closes on Escape and on a tap elsewhere.
const closeMenus = (header, except) =>
  header.querySelectorAll("details[open]").forEach((menu) => menu !== except && menu.removeAttribute("open"))

export default function ({ data, parentElement }) {
  const header = parentElement.querySelector("header")
  const same = header.dataset.shown === JSON.stringify(data)
  if (!same) {
    header.dataset.shown = JSON.stringify(data)
    header.className = data.stage ? "on-stage" : ""
    const mark = el("a", { className: "mark", href: address("", data.current) }, "Cutaway")
    mark.addEventListener("click", (event) => {
      if (!plain(event)) return
      event.preventDefault()
      visit(mark.href)
    })
    const tools = el("div", { className: "tools" }, ...copyButton(data, header), stageButton(data))
    header.replaceChildren(mark, ...navigation(data), tools)
  }
  // Streamlit cleans up only when the header goes, not before it calls again with new data.
  header.release?.()
  const outside = (event) => closeMenus(header, event.composedPath().find((node) => node.tagName === "DETAILS"))
  const escape = (event) => event.key === "Escape" && closeMenus(header)
  const listeners = [[document, "click", outside], [document, "click", onLink], [header, "keydown", escape]]
  if (data.stage) listeners.push([document, "keydown", onKey])
  for (const [target, type, listener] of listeners) target.addEventListener(type, listener)
  header.release = () => listeners.forEach(([target, type, listener]) => target.removeEventListener(type, listener))
  return header.release
}
