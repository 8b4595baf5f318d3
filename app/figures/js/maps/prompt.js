// The prompt's tokens: chosen, tinted by what the focus row reads, folded where they are many.
import { clamp, el, exactly } from "../dom.js";
import { MASKED, REST } from "./data.js";

const LONG = 40; // tokens from which the letters are smaller
const FOLD = ["cut", "gap"]; // classes of a folded token, which painting leaves alone
const WAYS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -1e9, End: 1e9 };

const isMark = (word) => /^[^\p{L}\p{N}]$/u.test(word);
const indexOf = (event) => {
  const token = event.target.closest?.(".tok");
  return token ? Number(token.dataset.token) : null;
};

export class Prompt {
  /** `toggle(row)`: a token was pressed; `hint(row or null)`: one is pointed at. */
  constructor(view, { toggle, hint }) {
    this.view = view;
    this.tokens = el("div.tokens", { role: "group", "aria-label": "Tokens of the prompt: arrow keys move, Enter isolates" });
    this.answer = el("span.said");
    this.unfold = el("button.unfold", { type: "button", onclick: () => this.open() });
    this.root = el("div.prompt", {}, this.tokens, this.unfold);
    // delegated, so that new data needs no new listeners
    this.tokens.addEventListener("click", (event) => indexOf(event) !== null && toggle(indexOf(event)));
    this.tokens.addEventListener("pointerover", (event) => hint(indexOf(event)));
    this.tokens.addEventListener("pointerleave", () => hint(null));
    this.tokens.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && hint(indexOf(event)));
    this.tokens.addEventListener("focusout", () => hint(null));
    this.tokens.addEventListener("keydown", (event) => this.pressed(event));
  }

  all() {
    return [...this.tokens.querySelectorAll(".tok")];
  }

  pressed(event) {
    const move = WAYS[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const all = this.all();
    const next = all[clamp((indexOf(event) ?? 0) + move, 0, all.length - 1)];
    for (const token of all) token.tabIndex = token === next ? 0 : -1;
    next.focus();
  }

  open() {
    this.tokens.classList.toggle("open");
    this.fold();
  }

  arrange() {
    const { tokens: words, rowsAreTokens, answer } = this.view.data;
    this.root.hidden = !words.length;
    this.answer.remove();
    const tokens = exactly(this.tokens, words.length, () => el("button.tok", { type: "button", tabindex: "-1" }));
    tokens.forEach((token, i) => {
      if (token.textContent !== words[i]) token.textContent = words[i];
      token.dataset.token = i;
      token.title = `token ${i + 1}`;
      token.disabled = !rowsAreTokens;
    });
    if (tokens.length && !tokens.some((token) => token.tabIndex === 0)) tokens[0].tabIndex = 0;
    this.tokens.classList.toggle("long", words.length > LONG);
    if (!answer) return;
    const [text, probability] = answer;
    this.answer.replaceChildren(" → ", el("b", {}, text), el("i", {}, ` ${probability.toFixed(3)}`));
    this.tokens.append(this.answer);
  }

  /** A long prompt keeps its ends, the tokens that matter now and their neighbours; the rest waits behind a button. */
  fold() {
    const whole = Boolean(this.view.data.passes);
    const tokens = this.all();
    const all = tokens.map((_, i) => i);
    this.tokens.classList.toggle("whole", whole);
    if (whole) {
      this.unfold.hidden = true;
      return;
    }
    const open = this.tokens.classList.contains("open");
    this.unfold.hidden = !open && this.fits(tokens, all);
    this.unfold.textContent = open ? "fewer" : `all ${tokens.length} tokens`;
    if (open || this.unfold.hidden) return;
    const anchors = this.view.anchors();
    const near = (i) => Math.min(...anchors.map(([at, weight]) => Math.abs(at - i) - weight));
    const order = all.sort((a, b) => near(a) - near(b) || a - b);
    let low = 1;
    let high = tokens.length;
    while (low < high - 1) {
      const middle = (low + high) >> 1;
      if (this.fits(tokens, order.slice(0, middle))) low = middle;
      else high = middle;
    }
    this.fits(tokens, order.slice(0, low));
  }

  /** Show these tokens only: is there room for them? */
  fits(tokens, wanted) {
    const shown = new Set(wanted);
    const last = tokens.length - 1;
    tokens.forEach((token, i) => {
      const starts = shown.has(i) && i > 0 && !shown.has(i - 1);
      if (starts && token.classList.contains("dot") && i < last) shown.delete(i);
      token.classList.toggle("cut", !shown.has(i));
      token.classList.toggle("gap", starts && shown.has(i));
    });
    return this.tokens.scrollHeight <= this.tokens.clientHeight + 3;
  }

  paint() {
    const { view } = this;
    this.root.classList.toggle("picked", view.focusRow() !== null);
    this.all().forEach((token, i) => (view.data.passes ? this.paintWord(token, i) : this.paintToken(token, i)));
    this.answer.style.opacity = view.step < view.data.steps ? 0.25 : "";
  }

  paintToken(token, i) {
    const { view } = this;
    const { data } = view;
    const strength = this.strength(i);
    token.style.setProperty("--tint", strength > 0.02 ? `${Math.round(4 + 72 * strength ** 1.5)}%` : "0%");
    const later = data.steps === data.tokens.length && i >= view.step;
    dress(token, data.roles[i], isMark(data.tokens[i]) && "dot", i === view.row && "on", later && "later");
    token.setAttribute("aria-pressed", i === view.row);
  }

  /** How much the focus row reads of a token, by the head that reads most: 0 to 1, as the scale has it. */
  strength(i) {
    const { view } = this;
    const { data } = view;
    const row = view.focusRow();
    if (row === null || !data.rowsAreTokens || data.cols || i >= data.width) return 0;
    return Math.max(...view.heads().map((head) => view.byte(head, row, i) % MASKED)) / REST;
  }

  /** One word of a text that changes from pass to pass: tinted by how sure it was if it is new, faint if it is a mask. */
  paintWord(token, i) {
    const { view } = this;
    const { passes, steps } = view.data;
    const row = view.step - 1;
    const word = passes.words[row][i];
    const fresh = passes.kept.some(([r, c]) => r === row && c === i);
    if (token.textContent !== word) token.textContent = word;
    token.style.setProperty("--tint", fresh ? `${Math.round(10 + 50 * (view.byte(0, row, i) / REST))}%` : "0%");
    dress(token, fresh && "on", word === passes.mask && "later", passes.wrong.includes(i) && view.step === steps && "wrong");
  }
}

/** Give a token its classes. */
function dress(token, ...kinds) {
  const folded = FOLD.filter((name) => token.classList.contains(name));
  token.className = ["tok", ...folded, ...kinds].filter(Boolean).join(" ");
}
