// Everything that draws figures, sent once a session: draw what was waiting for it, and what comes from now on.
import { Boards } from "../boards/boards.js";
import { Frame } from "../frame.js";
import { Maps } from "../maps/maps.js";
import { forget, place } from "../place.js";

const kinds = { maps: place(Maps), boards: place(Boards), frame: place(Frame), forget };
const cutaway = Object.assign((globalThis.cutaway ??= { waiting: [] }), kinds);
for (const [kind, component] of cutaway.waiting.splice(0)) cutaway[kind](component);

/** The code itself takes no room on the page. */
export default ({ parentElement }) => {
  const box = parentElement.host.closest("[data-testid='stElementContainer']");
  if (box) box.style.cssText += "position:absolute;width:0;height:0;overflow:hidden";
};
