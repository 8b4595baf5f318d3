// The header's behaviour. Streamlit calls the exported function with new data after every run of the page.
import { el } from "./figures/js/dom.js";

const HINT = "n, p: preset · 1–5: section · Esc: leave the stage";
const COPIED = 1800; // ms for which the button says so

/** The address of a page: its name beside the current one, whatever path the app is served under. */
const address = (page, current) => {
  const path = location.pathname;
  const base = path.endsWith(`/${current}`) ? path.slice(0, -current.length) : path.replace(/[^/]*$/, "");
  return base + page;
};

/** Change the page as the Back button does: Streamlit listens to popstate and takes every value from the address. */
const visit = (url) => {
  history.pushState({}, "", url);
  dispatchEvent(new PopStateEvent("popstate"));
  document.querySelector(".stMain")?.scrollTo(0, 0);
};

const isPlain = (event) => !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button);

/** Links inside a page (class cw-link) stay on stage where the reader is on stage. */
const onLink = (event) => {
  const link = event.target.closest?.("a.cw-link");
  if (!link || link.target || link.origin !== location.origin || !isPlain(event)) return;
  event.preventDefault();
  const url = new URL(link.href);
  if (new URLSearchParams(location.search).get("stage") === "1") url.searchParams.set("stage", "1");
  visit(url.href);
};

/** A link that changes the page without loading the app again, and closes the menu it stands in. */
const link = (spec, attributes, text) => {
  const anchor = el(spec, attributes, text);
  anchor.addEventListener("click", (event) => {
    if (!isPlain(event)) return;
    event.preventDefault();
    anchor.closest("details")?.removeAttribute("open");
    visit(anchor.href);
  });
  return anchor;
};

const pageLink = (page, data) => {
  const href = address(page.name, data.current) + (data.stage ? "?stage=1" : "");
  const current = page.name === data.current ? "page" : null;
  return link("a", { href, title: page.question, "aria-current": current }, page.title);
};

const pageList = (group, data) => el("ul", {}, ...group.pages.map((page) => el("li", {}, pageLink(page, data))));

const drop = (label, ...content) => el("details", { name: "cutaway-nav" }, el("summary", {}, label), el("div", {}, ...content));

/** Wide: one menu a group, the current page named beside its own group. Narrow: one menu for all. */
const navigation = (data) => {
  const wide = el("nav.wide", { "aria-label": "Pages" });
  for (const group of data.groups) {
    wide.append(drop(group.name, pageList(group, data)));
    const here = group.pages.find((page) => page.name === data.current);
    if (here) wide.append(pageLink(here, data));
  }
  const groups = data.groups.map((group) => el("section", {}, el("h2", {}, group.name), pageList(group, data)));
  return [wide, el("nav.narrow", { "aria-label": "Pages" }, drop("Pages", ...groups))];
};

/** Every value: the defaults of this page overlaid by the address bar, what is isolated in the picture, the version. */
const permalink = (state) => {
  const bar = new URLSearchParams(location.search);
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(JSON.parse(state.dataset.defaults)))
    for (const item of bar.has(key) ? bar.getAll(key) : [value].flat()) query.append(key, item);
  for (const key of state.dataset.also.split(" ")) if (bar.has(key)) query.append(key, bar.get(key));
  query.append("v", state.dataset.version);
  return query.toString();
};

const write = async (text, header) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Not a secure context, or not allowed: offer the text, selected.
    header.querySelector(".by-hand")?.remove();
    const field = el("input.by-hand", { value: text, readonly: true, "aria-label": "Link to this state" });
    field.addEventListener("blur", () => field.remove());
    header.append(field);
    field.focus();
    field.select();
    const copied = document.execCommand("copy");
    if (copied) field.blur(); // which removes it
    return copied;
  }
};

/** No link can hold this state: say why, and what to do instead, until the reader does something else. */
const refuse = (why, header) => {
  header.querySelector(".refused")?.remove();
  const note = el("p.refused", { role: "alert", tabindex: -1 }, why);
  note.addEventListener("blur", () => note.remove());
  header.append(note);
  note.focus();
};

const copyButton = (data, header) => {
  const button = el("button.copy", { type: "button" }, "Copy link");
  const said = el("span.said", { role: "status" });
  button.addEventListener("click", async () => {
    const state = document.querySelector(".cw-state");
    if (!state) return;
    if (state.dataset.refused) return refuse(state.dataset.refused, header);
    const query = permalink(state);
    history.replaceState(history.state, "", `${location.pathname}?${query}`);
    const copied = await write(`${location.origin}${address(state.dataset.page, data.current)}?${query}`, header);
    said.textContent = copied ? "Copied" : "Press Ctrl+C";
    button.classList.add("done");
    clearTimeout(button.timer);
    button.timer = setTimeout(() => {
      said.textContent = "";
      button.classList.remove("done");
    }, COPIED);
  });
  return [button, said];
};

const press = (button) => button?.click();
const stagePill = () => document.querySelector(".st-key-stage [role=radio]");
const options = (selector) => [...document.querySelectorAll(`${selector} [role=radio]`)];

const step = (by) => {
  const presets = options('[class*="-presets-"]');
  if (!presets.length) return;
  const at = presets.findIndex((button) => button.getAttribute("aria-checked") === "true");
  const first = by > 0 ? 0 : presets.length - 1;
  press(presets[at < 0 ? first : (at + by + presets.length) % presets.length]);
};

const isTyping = (event) => {
  const at = event.composedPath()[0];
  return at.isContentEditable || ["TEXTAREA", "SELECT"].includes(at.tagName) || (at.tagName === "INPUT" && at.type !== "range");
};

/** The keys of the stage. */
const onKey = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
  if (event.key === "Escape" && !document.querySelector(":popover-open, [role=dialog]")) press(stagePill());
  else if (event.key === "n") step(1);
  else if (event.key === "p") step(-1);
  else if (/^[1-9]$/.test(event.key)) press(options(".st-key-section")[event.key - 1]);
};

const stageButton = (data) => {
  const attributes = { type: "button", title: data.stage ? HINT : null, onclick: () => press(stagePill()) };
  return el("button.stage", attributes, data.stage ? "Leave stage" : "Stage");
};

/** A menu closes on Escape and on a tap elsewhere. */
const closeMenus = (header, except) => {
  for (const menu of header.querySelectorAll("details[open]")) if (menu !== except) menu.removeAttribute("open");
};

export default ({ data, parentElement }) => {
  const header = parentElement.querySelector("header");
  const shown = JSON.stringify(data);
  if (header.dataset.shown !== shown) {
    header.dataset.shown = shown;
    header.className = data.stage ? "on-stage" : "";
    const mark = link("a.mark", { href: address("", data.current) }, "Cutaway");
    const tools = el("div.tools", {}, ...copyButton(data, header), stageButton(data));
    header.replaceChildren(mark, ...navigation(data), tools);
  }
  // Streamlit cleans up only when the header goes, not before it calls again with new data.
  header.release?.();
  const isMenu = (node) => node.tagName === "DETAILS";
  const outside = (event) => closeMenus(header, event.composedPath().find(isMenu));
  const escape = (event) => event.key === "Escape" && closeMenus(header);
  const listeners = [
    [document, "click", outside],
    [document, "click", onLink],
    [header, "keydown", escape],
  ];
  if (data.stage) listeners.push([document, "keydown", onKey]);
  for (const [target, type, listener] of listeners) target.addEventListener(type, listener);
  header.release = () => {
    for (const [target, type, listener] of listeners) target.removeEventListener(type, listener);
  };
  return header.release;
};
