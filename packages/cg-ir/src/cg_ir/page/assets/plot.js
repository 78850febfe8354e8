// Plots: uPlot in the page's colours, with the point nearest to the pointer named, and the same by keyboard.
"use strict";

/** What a CSS colour variable is at present. */
cg.colour = function (name) {
  const probe = cg.h("span", { style: `color: var(--${name})`, hidden: true });
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
};

/** An axis label: 12, 1.5M, 3e-4. */
cg.tick = function (value) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  if (size >= 1e4) return cg.short(value).replace(/(\.\d*?)0+ /, "$1 ").replace(/\.? /, "");
  if (size > 0 && size < 1e-3) return value.toExponential(0);
  return String(Number(value.toPrecision(6)));
};

/**
 * A plot in `host` that is drawn anew when its width or the page's colours change.
 *
 * @param spec {label, x: {label, values, log}, y: {label, log, range}, series: [{label, values, colour, line: false|"line"|"step", points}],
 *   describe(index) -> text of a point, pick(index)}; x values ascend, all series have their length, null leaves a gap.
 * @returns {{show(index), destroy()}}
 */
cg.plot = function (host, spec) {
  const { x, y, series } = spec;
  const tip = cg.h("div", { class: "tip", hidden: true });
  const live = cg.h("div", { class: "visually-hidden", "aria-live": "polite" });
  const frame = cg.h("div", { class: "plot-frame", tabindex: "0", role: "application", "aria-label": spec.label + ". Arrow keys go from point to point, Enter shows its numbers.", keydown: onKey });
  host.replaceChildren(frame, tip, live);
  let plot = null, at = null;

  const pointed = series.findIndex((one) => one.points);
  const main = series[pointed < 0 ? 0 : pointed];

  /** The row whose main point is nearest to the pointer, within reach. */
  function nearest(u) {
    const { left, top } = u.cursor;
    if (left < 0) return null;
    let best = null, least = 32 * 32;
    for (let i = 0; i < x.values.length; i++) {
      if (main.values[i] === null || main.values[i] === undefined) continue;
      const px = u.valToPos(x.values[i], "x");
      if (Math.abs(px - left) > 32) continue;
      const distance = (px - left) ** 2 + (u.valToPos(main.values[i], "y") - top) ** 2;
      if (distance < least) { least = distance; best = i; }
    }
    return best;
  }

  function point(index, speak) {
    at = index;
    if (index === null) { tip.hidden = true; return; }
    const text = spec.describe(index);
    tip.textContent = text;
    tip.hidden = false;
    const left = plot.valToPos(x.values[index], "x") + plot.over.offsetLeft, top = plot.valToPos(main.values[index], "y") + plot.over.offsetTop;
    tip.style.left = Math.max(0, Math.min(left - tip.offsetWidth / 2, host.clientWidth - tip.offsetWidth)) + "px";
    tip.style.top = (top > tip.offsetHeight + 14 ? top - tip.offsetHeight - 12 : top + 14) + "px";
    if (speak) live.textContent = text;
  }

  function onKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Enter" && at !== null) spec.pick?.(at);
    else if (event.key === "Escape") point(null);
    else if (step) {
      let next = at === null ? (step > 0 ? 0 : x.values.length - 1) : at + step;
      while (next >= 0 && next < x.values.length && (main.values[next] === null || main.values[next] === undefined)) next += step;
      if (next >= 0 && next < x.values.length) point(next, true);
    } else return;
    event.preventDefault();
  }

  function make() {
    plot?.destroy();
    const text = cg.colour("text"), muted = cg.colour("muted"), line = cg.colour("line");
    const axis = ({ label, log, whole }) => ({
      label, stroke: muted, labelSize: 22, labelFont: "13px system-ui, sans-serif", font: "12px system-ui, sans-serif",
      grid: { stroke: line, width: 0.7 }, ticks: { stroke: line, width: 0.7, size: 5 },
      incrs: whole ? [1, 2, 5].flatMap((step) => [0, 1, 2, 3, 4, 5, 6].map((power) => step * 10 ** power)).sort((a, b) => a - b) : undefined,
      values: (u, ticks) => ticks.map((value) => (log && value !== null && Math.abs(Math.log10(value) % 1) > 1e-9 ? "" : cg.tick(value))),
    });
    const scale = (log) => (log ? { distr: 3 } : {});
    plot = new uPlot({
      width: Math.max(200, host.clientWidth), height: spec.height || (host.clientWidth < 520 ? 260 : 320),
      padding: [10, 14, 0, 0],
      scales: { x: { time: false, ...scale(x.log), range: x.log ? undefined : pad }, y: { ...scale(y.log), range: y.log ? undefined : y.range ? () => y.range : pad } },
      axes: [axis(x), { ...axis(y), size: 58 }],
      legend: { show: false },
      cursor: { points: { show: false }, y: false, drag: { x: true, y: false } },
      series: [{}, ...series.map((one) => {
        const stroke = cg.colour(one.colour);
        return {
          stroke, width: one.line ? (one.thin ? 1 : 2) : 0, spanGaps: true, dash: one.thin ? [5, 4] : undefined,
          paths: one.line === "step" ? uPlot.paths.stepped({ align: 1 }) : one.line ? undefined : () => null,
          points: { show: Boolean(one.points), size: one.size || 5, width: 1, stroke, fill: one.hollow ? cg.colour("bg") : stroke },
        };
      })],
      hooks: { setCursor: [(u) => { if (u.cursor.event?.type.startsWith("mouse") || u.cursor.left >= 0) point(nearest(u)); }] },
    }, [x.values, ...series.map((one) => one.values)], frame);
    plot.root.style.color = text;
    plot.over.addEventListener("click", () => { const index = nearest(plot); if (index !== null) spec.pick?.(index); });
    plot.over.addEventListener("mouseleave", () => point(null));
  }

  function pad(u, low, high) {
    if (low === null || low === undefined) return [0, 1];
    const margin = (high - low) * 0.04 || Math.abs(high) * 0.05 || 1;
    return [low - margin, high + margin];
  }

  let width = 0;
  const observer = new ResizeObserver(() => {
    if (host.clientWidth && host.clientWidth !== width) { width = host.clientWidth; make(); }
  });
  observer.observe(host);
  const recolour = () => { if (host.isConnected && plot) make(); };
  document.addEventListener("cg-theme", recolour);
  return {
    show: (index) => point(index, true),
    destroy() { observer.disconnect(); document.removeEventListener("cg-theme", recolour); plot?.destroy(); },
  };
};

/**
 * The part of an axis that matters: without the worst tenth where that stretches the axis more than twofold.
 *
 * @returns {{range: [low, high], hidden: number} | null}
 */
cg.focus = function (values, up) {
  const sorted = values.slice().sort((a, b) => a - b);
  const tenth = Math.floor(sorted.length / 10);
  if (tenth < 1) return null;
  const [low, high] = up ? [sorted[tenth], sorted[sorted.length - 1]] : [sorted[0], sorted[sorted.length - 1 - tenth]];
  if (sorted[sorted.length - 1] - sorted[0] < 2 * (high - low) || high === low) return null;
  const margin = 0.06 * (high - low);
  return { range: [low - margin, high + margin], hidden: sorted.filter((value) => value < low - margin || value > high + margin).length };
};

/** Names of a plot's series with their signs. */
cg.legend = (series, note) => cg.h("ul", { class: "legend" }, series.map((one) => cg.h("li", {},
  cg.h("span", { class: one.line ? "sign line" : "sign", style: `--sign: var(--${one.colour})`, "aria-hidden": "true" }), one.label)), note ? cg.h("li", {}, note) : null);
