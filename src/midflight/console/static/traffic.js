// The curves. Their numbers are in #series, and their colours are the theme's.
(() => {
  const GRAPHS = {
    calls: { unit: "/s", curves: [["calls", "answered", "--sky", true], ["failed", "failed", "--fail"]] },
    took: { unit: " ms", curves: [["p99", "p99", "--release-before"], ["p50", "p50", "--sky"]] },
  };
  const drawn = new Map();
  let shown = "", drawnIn = 0;
  const letters = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);
  const exact = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 19);
  const number = (value) => (value == null ? "–" : value >= 100 ? value.toFixed(0) : value.toFixed(1));

  function numbers() {
    const text = document.getElementById("series")?.dataset.series;
    return text ? JSON.parse(text) : null;
  }
  function columns(series, name) {
    return [series.at, ...GRAPHS[name].curves.map(([curve]) => series[curve])];
  }
  function options(name, box) {
    const { curves } = GRAPHS[name];
    drawnIn = letters();
    const size = drawnIn * 0.78;
    const axis = {
      stroke: colour("--ink-soft"), font: `${size}px Inter, system-ui, sans-serif`,
      grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false },
    };
    return {
      width: box.clientWidth, height: box.clientHeight, legend: { show: false }, padding: [size * 0.6, size * 1.4, 0, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
      scales: { y: { range: (u, low, high) => [0, Math.max(high * 1.15, 1)] } },
      axes: [
        { ...axis, values: (u, at) => at.map(clock), space: size * 6, incrs: [60, 120, 300, 600, 900, 1800, 3600], size: size * 2.4, gap: size * 0.4 },
        { ...axis, size: size * 3.6, space: size * 2.6, gap: size * 0.4 },
      ],
      series: [{}, ...curves.map(([, , hue, filled]) => ({
        stroke: colour(hue), width: Math.max(2, drawnIn / 8), fill: filled ? `${colour(hue)}22` : undefined, points: { size: 5, fill: colour(hue) },
      }))],
      hooks: { setCursor: [(u) => tell(name, box, u.cursor.idx)] },
    };
  }
  function tell(name, box, index) {
    const { curves, unit } = GRAPHS[name], series = numbers();
    if (!series) return;
    const last = series.at.length - 1, at = index == null ? last : index;
    const words = curves.map(([curve, word]) => `${word} ${number(series[curve][at])}${unit}`);
    const text = `${exact(series.at[at])} ${words.join(", ")}`;
    document.getElementById(`readout-${name}`).textContent = text;
    for (const [key, value] of [["valuemax", last], ["valuenow", at], ["valuetext", text]]) box.setAttribute(`aria-${key}`, value);
  }
  function draw() {
    const series = numbers(), text = JSON.stringify(series);
    for (const box of document.querySelectorAll(".chart")) {
      const name = box.dataset.chart, old = drawn.get(name);
      if (!series) continue;
      if (old && old.root.isConnected) {
        if (text !== shown) old.setData(columns(series, name));
      } else {
        old?.destroy();
        drawn.set(name, new uPlot(options(name, box), columns(series, name), box));
        sized.observe(box);
      }
      tell(name, box, drawn.get(name).cursor.idx);
    }
    shown = text;
  }
  const sized = new ResizeObserver((boxes) => {
    if (letters() !== drawnIn) anew();  // another screen, for which all is of another size
    else for (const { target: box } of boxes) drawn.get(box.dataset.chart)?.setSize({ width: box.clientWidth, height: box.clientHeight });
  });
  function anew() {
    for (const [name, graph] of drawn) { graph.destroy(); drawn.delete(name); }
    draw();
  }

  // By keyboard: point by point.
  const BY = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -1e6, End: 1e6 };
  document.addEventListener("keydown", (event) => {
    const box = event.target.closest(".chart"), graph = box && drawn.get(box.dataset.chart);
    if (!graph || !(event.key in BY) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const last = graph.data[0].length - 1;
    const at = Math.min(last, Math.max(0, (graph.cursor.idx ?? last) + BY[event.key]));
    graph.setCursor({ left: graph.valToPos(graph.data[0][at], "x"), top: 0 });
  });
  new MutationObserver(anew).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  document.addEventListener("htmx:after:swap", draw);
  draw();
})();
