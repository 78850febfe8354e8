// The plots of a run: trajectory and regret, trade-off, predicted and measured.
"use strict";

cg.describe = (row, extra) => `#${row.id} ${extra}\n${row.arch.length > 120 ? row.arch.slice(0, 119) + "…" : row.arch}`;

const outOfSight = (count) => `${cg.plural(count, "point")} out of sight`;
const rangeChoice = (state, draw) => cg.choice("Range", [["best", "the best 90%"], ["all", "everything"]], state.range, (value) => { state.range = value; draw(); });

cg.trajectory = function (runs, open) {
  const { rows, good, better, main, optimum } = runs;
  const state = { y: "value", x: "id" };
  const focus = cg.focus(rows.filter(good).map((row) => row.value), main.maximize);
  state.range = focus ? "best" : "all";
  const host = cg.h("div", { class: "plot" }), legend = cg.h("div");
  const timed = rows.some((row) => row.finished > 0);
  let plot = null;

  function draw() {
    plot?.destroy();
    const done = rows.filter(good);
    const at = (row) => (state.x === "id" ? row.id : row.finished);
    done.sort((a, b) => at(a) - at(b) || a.id - b.id);
    let best = null;
    const record = done.map((row) => { if (best === null || better(row.value, best)) best = row.value; return best; });
    const regret = state.y === "regret";
    const distance = (value) => (main.maximize ? optimum.value - value : value - optimum.value);
    const least = regret ? Math.min(...done.map((row) => distance(row.value)).filter((d) => d > 0)) / 3 || 1e-6 : 0;
    const shown = (value) => (regret ? Math.max(distance(value), least) : value);
    const series = [
      { label: "each evaluation", values: done.map((row) => shown(row.value)), colour: "muted", points: true, size: done.length > 600 ? 3 : 5 },
      { label: regret ? "regret of the best so far" : "best so far", values: record.map(shown), colour: "accent", line: "step" },
    ];
    if (!regret && optimum) series.push({ label: `best of all ${cg.whole(optimum.among)} labels: ${cg.value(optimum.value)}`, values: done.map(() => optimum.value), colour: "mark", line: "line", thin: true });
    const near = !regret && state.range === "best" ? focus : null;
    legend.replaceChildren(cg.legend(series, near && outOfSight(near.hidden)));
    const end = record[record.length - 1];
    plot = cg.plot(host, {
      label: regret ? `Regret over evaluations; at the end ${cg.value(distance(end))}` : `${main.metric} over evaluations; best ${cg.value(end)}`,
      x: { label: state.x === "id" ? "evaluation" : "seconds since the first evaluation began", values: done.map(at), whole: state.x === "id" },
      y: { label: regret ? "regret of " + main.metric : main.metric, log: regret, range: near?.range },
      series,
      describe: (i) => cg.describe(done[i], `${main.metric} ${cg.value(done[i].value)}, best so far ${cg.value(record[i])}`),
      pick: (i) => open(done[i]),
    });
  }
  const tools = cg.h("div", { class: "chart-tools" },
    optimum && cg.choice("Show", [["value", main.metric], ["regret", "regret (log)"]], "value", (value) => { state.y = value; draw(); }),
    focus && rangeChoice(state, draw),
    timed && cg.choice("over", [["id", "evaluations"], ["time", "time"]], "id", (value) => { state.x = value; draw(); }));
  draw();
  return [tools, legend, host];
};

cg.tradeoff = function (runs, open) {
  const { rows, good, metrics, run, main, maximized } = runs;
  const second = run.objectives[1]?.metric || ["macs", "latency", "params"].find((name) => metrics.includes(name) && name !== main.metric) || metrics.find((name) => name !== main.metric);
  if (!second) return null;
  const state = { x: second, y: main.metric, range: "best" };
  const host = cg.h("div", { class: "plot" }), legend = cg.h("div");
  let plot = null;

  function draw() {
    plot?.destroy();
    const xOf = (row) => row.metrics[state.x], yOf = (row) => row.metrics[state.y];
    const done = rows.filter((row) => good(row) && xOf(row) !== null && yOf(row) !== null).sort((a, b) => xOf(a) - xOf(b));
    const up = [maximized(state.x), maximized(state.y)];
    const front = new Set(cg.front(done, xOf, yOf, ...up));
    const series = [
      { label: "evaluations", values: done.map(yOf), colour: "muted", points: true, size: done.length > 600 ? 3.5 : 5 },
      { label: `Pareto front (${front.size}): ${up[0] ? "more" : "less"} ${state.x}, ${up[1] ? "more" : "less"} ${state.y}`, values: done.map((row) => (front.has(row) ? yOf(row) : null)), colour: "accent", line: "line", points: true, size: 8 },
    ];
    const near = state.range === "best" ? cg.focus(done.map(yOf), up[1]) : null;
    legend.replaceChildren(cg.legend(series, near && outOfSight(near.hidden)));
    const span = done.length ? xOf(done[done.length - 1]) / Math.max(xOf(done[0]), 1e-12) : 1;
    plot = cg.plot(host, {
      label: `${state.y} against ${state.x}; ${front.size} evaluations on the Pareto front`,
      x: { label: state.x, values: done.map(xOf), log: span > 60 && xOf(done[0]) > 0 },
      y: { label: state.y, range: near?.range },
      series,
      describe: (i) => cg.describe(done[i], `${state.y} ${cg.value(yOf(done[i]))}, ${state.x} ${cg.value(xOf(done[i]))}${front.has(done[i]) ? ", on the front" : ""}`),
      pick: (i) => open(done[i]),
    });
  }
  const options = metrics.map((name) => [name, name]);
  const tools = cg.h("div", { class: "chart-tools" },
    cg.choice("Up", options, state.y, (value) => { state.y = value; draw(); }), cg.choice("across", options, state.x, (value) => { state.x = value; draw(); }), rangeChoice(state, draw));
  draw();
  return [tools, legend, host];
};

cg.prediction = function (runs, open) {
  const { rows, good, main } = runs;
  const done = rows.filter((row) => good(row) && row.mean !== null).sort((a, b) => a.mean - b.mean);
  if (done.length < 2) return null;
  const host = cg.h("div", { class: "plot" }), note = cg.h("div");
  const focus = cg.focus(done.map((row) => row.value), main.maximize);
  const state = { range: focus ? "best" : "all" };
  const rho = cg.spearman(done.map((row) => row.mean), done.map((row) => (main.maximize ? row.value : -row.value)));
  const deviations = done.some((row) => row.std > 0);
  const series = [{ label: "evaluations that were predicted before they were measured", values: done.map((row) => row.value), colour: "accent", points: true }];
  let plot = null;
  const draw = () => {
    plot?.destroy();
    const near = state.range === "best" ? focus : null;
    note.replaceChildren(cg.legend(series, near && outOfSight(near.hidden)));
    plot = cg.plot(host, {
      label: `Measured ${main.metric} against its prediction; Spearman correlation ${cg.value(Number(rho.toFixed(3)))}`,
      x: { label: "predicted score", values: done.map((row) => row.mean) }, y: { label: "measured " + main.metric, range: near?.range }, series,
      describe: (i) => cg.describe(done[i], `predicted ${cg.value(done[i].mean)}${deviations && done[i].std !== null ? " ± " + cg.value(Number(done[i].std.toPrecision(2))) : ""}, measured ${cg.value(done[i].value)}`),
      pick: (i) => open(done[i]),
    });
  };
  draw();
  return [cg.h("p", { class: "muted" }, `Spearman's rank correlation of ${cg.plural(done.length, "evaluation")}: `, cg.h("strong", { id: "spearman" }, rho.toFixed(3)),
    ". Each prediction is the one of the moment when the network was chosen. A guided search chooses what it believes good, so its points crowd at the top, and the correlation is usually lower than among random networks."),
    focus && cg.h("div", { class: "chart-tools" }, rangeChoice(state, draw)), note, host];
};
