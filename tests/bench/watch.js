// Inside a page: when was each picture last painted anew after a key was pressed?
// A picture is the canvases, or the Plotly drawing, below one keyed element of the page; its signature is its pixels or its SVG.
(() => {
  const LARGEST = 400_000; // pixels of one canvas that are still looked at in every frame

  /** Everything that matches, inside shadow roots too. */
  const all = (selector, root = document) => [
    ...root.querySelectorAll(selector),
    ...[...root.querySelectorAll("*")].flatMap((node) => (node.shadowRoot ? all(selector, node.shadowRoot) : [])),
  ];

  /** The key of the Streamlit element around a node: "figure-wiring"; out of shadow roots too. */
  const nameOf = (node) => {
    for (let at = node; at; at = at.parentNode ?? at.host) {
      const key = [...(at.classList ?? [])].find((name) => name.startsWith("st-key-"));
      if (key) return key.slice("st-key-".length);
    }
    return "page";
  };

  /** The pixels of a canvas as one number. */
  const pixels = (canvas) => {
    const { width, height } = canvas;
    if (!width || !height || width * height > LARGEST) return 0;
    const data = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer);
    let sum = width;
    for (let i = 0; i < data.length; i++) sum = (Math.imul(sum, 31) + data[i]) | 0;
    return sum;
  };

  const drawing = (plot) => [...plot.querySelectorAll(".main-svg")].map((svg) => svg.innerHTML).join();

  let parts = [];
  let most = 0; // [name, element, signature function], and how many there have been at once
  const find = () => {
    parts = [
      ...all("canvas").map((node) => [nameOf(node), node, pixels]),
      ...all(".js-plotly-plot").map((node) => [nameOf(node), node, drawing]),
    ];
    most = Math.max(most, parts.length);
  };

  /** {name: signature} of every picture. */
  const look = () => {
    // while a chart is mounted anew it is missing for some frames: look until all are back
    if (parts.length < most || !parts.length || parts.some(([, node]) => !node.isConnected)) find();
    const seen = {};
    for (const [name, node, signature] of parts) (seen[name] ??= []).push(signature(node));
    return Object.fromEntries(Object.entries(seen).map(([name, marks]) => [name, marks.join("|")]));
  };

  /** Call back after the coming frame is on the screen. */
  const painted = (call) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => call(performance.now());
    channel.port2.postMessage(0);
  };

  const watch = (window.cutawayWatch = { pressed: null, changed: {}, running: false });

  /** What there is to see now: the same text twice means that nothing moves. Empty until every picture in `wanted` stands. */
  watch.still = (wanted) => {
    find();
    const seen = look();
    return wanted.every((name) => name in seen) && parts.length ? JSON.stringify(seen) : "";
  };

  /** Remember how the pictures are, and watch them in every frame until stop(). The clock starts at the next key. */
  watch.start = () => {
    find();
    let before = look();
    Object.assign(watch, { pressed: null, changed: {}, running: true });
    addEventListener(
      "keydown",
      (event) => {
        watch.pressed ??= event.timeStamp;
      },
      { capture: true, once: true },
    );
    const frame = () => {
      if (!watch.running) return;
      const now = look();
      const names = Object.keys(now).filter((name) => now[name] !== before[name]);
      if (names.length)
        painted((time) =>
          names.forEach((name) => {
            watch.changed[name] = time - watch.pressed;
          }),
        );
      before = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  };

  /** The names in `wanted` (or, where it is empty, any picture) have changed, and nothing has for `quiet` ms. */
  watch.done = (wanted, quiet) => {
    const times = Object.values(watch.changed);
    const idle = document.querySelector("[data-test-script-state=notRunning]");
    if (!times.length || !idle || wanted.some((name) => !(name in watch.changed))) return false;
    return performance.now() - watch.pressed - Math.max(...times) > quiet;
  };

  /** {picture: ms from the key to its last new painting}. */
  watch.stop = () => {
    watch.running = false;
    return watch.changed;
  };
})();
