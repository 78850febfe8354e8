// The evaluations of a run as rows, and what follows from them.
"use strict";

cg.evaluations = function (data) {
  const { columns, run } = data;
  const metrics = Object.keys(columns.metrics);
  const main = run.objectives[0];
  const rows = columns.arch.map((arch, id) => ({
    id, arch, hash: columns.hash[id], status: columns.status[id], value: columns.value[id], step: columns.step[id], origin: columns.origin[id],
    parents: columns.parents[id], mean: columns.mean[id], std: columns.std[id], feasible: columns.feasible[id], cost: columns.cost[id],
    attempts: columns.attempts[id], seed: columns.seed[id], error: columns.error[id] || "", finished: columns.finished[id],
    metrics: Object.fromEntries(metrics.map((name) => [name, columns.metrics[name][id]])),
  }));
  const last = run.steps.length ? run.steps[run.steps.length - 1] : null; // only a whole training counts
  const good = (row) => row.status === "done" && row.feasible && row.value !== null && row.step === last;
  const better = (a, b) => (main.maximize ? a > b : a < b);
  const maximized = (metric) => {
    const objective = run.objectives.find((one) => one.metric === metric);
    return objective ? objective.maximize : !run.lower.includes(metric);
  };
  return { rows, metrics, main, good, better, maximized, run, optimum: data.optimum, best: data.best === null ? null : rows[data.best] };
};

/** Rows that none other dominates on two metrics, by the first of them. */
cg.front = function (rows, xOf, yOf, xUp, yUp) {
  const order = rows.slice().sort((a, b) => (xUp ? xOf(b) - xOf(a) : xOf(a) - xOf(b)) || (yUp ? yOf(b) - yOf(a) : yOf(a) - yOf(b)));
  const front = [];
  for (const row of order) {
    if (!front.length || (yUp ? yOf(row) > yOf(front[front.length - 1]) : yOf(row) < yOf(front[front.length - 1]))) front.push(row);
  }
  return front;
};

/** Spearman's rank correlation; ties get their mean rank. */
cg.spearman = function (a, b) {
  const ranks = (values) => {
    const order = values.map((value, i) => [value, i]).sort((p, q) => p[0] - q[0]);
    const result = new Array(values.length);
    for (let i = 0; i < order.length; ) {
      let j = i;
      while (j + 1 < order.length && order[j + 1][0] === order[i][0]) j++;
      for (let k = i; k <= j; k++) result[order[k][1]] = (i + j) / 2;
      i = j + 1;
    }
    return result;
  };
  const p = ranks(a), q = ranks(b), mean = (a.length - 1) / 2;
  let pq = 0, pp = 0, qq = 0;
  for (let i = 0; i < p.length; i++) { pq += (p[i] - mean) * (q[i] - mean); pp += (p[i] - mean) ** 2; qq += (q[i] - mean) ** 2; }
  return pp && qq ? pq / Math.sqrt(pp * qq) : NaN;
};

/** A value for reading: whole numbers with separators, others in six digits. */
cg.value = (value) => (value === null || value === undefined ? "–" : Number.isInteger(value) ? cg.whole(value) : String(Number(value.toPrecision(6))));

cg.seconds = function (value) {
  if (value === null || value === undefined) return "–";
  if (value > 0 && value < 1e-4) return "<0.1 ms";
  if (value < 1) return Number((1000 * value).toPrecision(2)) + " ms";
  if (value < 90) return value.toFixed(1) + " s";
  if (value < 5400) return (value / 60).toFixed(1) + " min";
  return (value / 3600).toFixed(1) + " h";
};
