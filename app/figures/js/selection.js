// A selection that lives in two places: the visitor changes it here, and Python keeps it for the link.

const ECHO = 3000; // ms for which a selection that comes back is taken for the one that was sent

/** Tells news from Python from echoes of what was sent from here. */
export class Selection {
  constructor() {
    this.sent = new Map(); // selection as JSON -> when it was sent
    this.heard = undefined; // what Python said last, as JSON
  }

  send(wanted, now = Date.now()) {
    this.sent.set(JSON.stringify(wanted), now);
  }

  /** Python says `selected`, which means `wanted` here: is it new, and not an echo? */
  isNews(selected, wanted, now = Date.now()) {
    const said = JSON.stringify(selected);
    const before = this.heard;
    this.heard = said;
    return said !== before && now - (this.sent.get(JSON.stringify(wanted)) ?? -Infinity) >= ECHO;
  }
}
