// The few lines each figure sends: draw with the code that entry/code.js brought, or wait until it is there.

const PATIENCE = 10_000; // ms

/** A component's function for one kind of figure: "maps", "boards" or "frame". */
export const mount = (kind) => (component) => {
  const cutaway = (globalThis.cutaway ??= { waiting: [] });
  if (cutaway[kind]) cutaway[kind](component);
  else {
    cutaway.waiting.push([kind, component]);
    const late = () => {
      if (!cutaway[kind]) component.parentElement.textContent = "The drawing code did not arrive: reload the page.";
    };
    setTimeout(late, PATIENCE);
  }
  return () => cutaway.forget?.(component.parentElement);
};
