// The page of several runs: their best values so far over evaluations or time, and a table of what they did.
"use strict";
(function () {
  const { runs, objective } = cg.data("comparison-data");
  const up = objective.maximize;
  const better = (a, b) => (up ? a > b : a < b);
  const host = document.getElementById("report");
  document.getElementById("head-tools").append(cg.themeButton());

  /** The best value after each evaluation. */
  const records = runs.map((run) => {
    let best = null;
    return run.values.map((value) => { if (value !== null && (best === null || better(value, best))) best = value; return best; });
  });

  /** The last of a run's best values up to a place on the axis. */
  function upTo(record, places, x) {
    let low = 0, high = places.length;
    while (low < high) { const middle = (low + high) >> 1; if (places[middle] <= x) low = middle + 1; else high = middle; }
    return low ? record[low - 1] : null;
  }

  function trajectories() {
    const state = { x: "evaluations", range: "best" };
    const frame = cg.h("div", { class: "plot" }), legend = cg.h("div");
    let plot = null;
    function draw() {
      plot?.destroy();
      const places = runs.map((run) => (state.x === "time" ? run.seconds : run.values.map((_, i) => i + 1)));
      const xs = [...new Set(places.flat())].sort((a, b) => a - b);
      const last = places.map((place) => place[place.length - 1]);
      const series = runs.map((run, i) => ({ label: run.name, values: xs.map((x) => (x > last[i] ? null : upTo(records[i], places[i], x))), colour: `run-${i}`, line: "step" }));
      const focus = cg.focus(series.flatMap((one) => one.values).filter((value) => value !== null), up);
      legend.replaceChildren(cg.legend(series, state.range === "best" && focus ? "the worst tenth is out of sight" : null));
      plot = cg.plot(frame, {
        label: `Best ${objective.metric} so far of ${cg.plural(runs.length, "run")}`,
        x: { label: state.x === "time" ? "seconds since the first evaluation began" : "evaluations", values: xs, whole: state.x !== "time" },
        y: { label: objective.metric, range: state.range === "best" ? focus?.range : undefined },
        series,
        describe: (at) => [`${state.x === "time" ? cg.seconds(xs[at]) : cg.plural(xs[at], "evaluation")}`, ...series.map((one) => `${one.label}: ${cg.value(one.values[at])}`)].join("\n"),
      });
    }
    const tools = cg.h("div", { class: "chart-tools" },
      cg.choice("over", [["evaluations", "evaluations"], ["time", "time"]], state.x, (value) => { state.x = value; draw(); }),
      cg.choice("Range", [["best", "the best 90%"], ["all", "everything"]], state.range, (value) => { state.range = value; draw(); }));
    draw();
    return [tools, legend, frame];
  }

  const SETTINGS = ["space", "evaluator", "algorithm", "scorer", "exclude", "constraints", "steps", "compare", "budget", "seed"];
  const text = (value) => (Array.isArray(value) ? value.join(", ") : String(value)) || "–";
  const differ = SETTINGS.filter((name) => new Set(runs.map((run) => text(run.facts[name]))).size > 1);
  const same = SETTINGS.filter((name) => !differ.includes(name) && text(runs[0].facts[name]) !== "–");

  function table() {
    const found = runs.map((run) => run.best).filter(Boolean).map((best) => best.value);
    const top = found.length ? found.reduce((a, b) => (better(a, b) ? a : b)) : null;
    const heads = ["run", ...differ, `best ${objective.metric}`, "found at", "evaluations", "failed", "evaluating took", "architecture"];
    const right = new Set([`best ${objective.metric}`, "found at", "evaluations", "failed", "evaluating took"]);
    const lines = runs.map((run, i) => {
      const first = run.best === null ? null : records[i].indexOf(run.best.value) + 1;
      const cells = [[cg.h("span", { class: "run-sign", style: `--sign: var(--run-${i})`, "aria-hidden": "true" }), run.name], ...differ.map((name) => text(run.facts[name])),
        cg.value(run.best?.value), cg.value(first), cg.whole(run.values.length), cg.whole(run.failed), cg.seconds(run.cost), run.best ? cg.h("code", {}, run.best.arch) : "–"];
      return cg.h("tr", { class: run.best && run.best.value === top ? "best" : null }, cells.map((cell, k) => cg.h("td", { class: right.has(heads[k]) ? "right" : heads[k] === "architecture" ? "arch-cell" : null }, cell)));
    });
    return [
      cg.h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Table of runs, scrolls sideways" },
        cg.h("table", { class: "evaluations comparison" }, cg.h("caption", { class: "visually-hidden" }, "The runs"), cg.h("thead", {}, cg.h("tr", {}, heads.map((name) => cg.h("th", { scope: "col", class: right.has(name) ? "right" : null }, name)))), cg.h("tbody", {}, lines))),
      same.length ? cg.h("p", { class: "muted" }, "All have " + same.map((name) => `${name} ${text(runs[0].facts[name])}`).join("; ") + ".") : null,
    ];
  }

  const section = (id, title, ...content) => cg.h("section", { id, "aria-labelledby": id + "-title" }, cg.h("h2", { id: id + "-title" }, title), ...content);
  host.append(section("runs", "Runs", ...table()), section("trajectories", up ? "Best so far" : "Least so far", ...trajectories()));
  document.documentElement.dataset.ready = "true";
})();
