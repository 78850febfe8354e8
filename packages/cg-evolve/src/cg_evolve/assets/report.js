// The page of a run.
"use strict";
(function () {
  const data = cg.data("report-data");
  const runs = cg.evaluations(data);
  const { rows, run, main, best, optimum } = runs;
  document.getElementById("head-tools").append(cg.themeButton());
  const open = cg.evaluationDialog(runs);
  const host = document.getElementById("report");

  function section(id, title, ...content) {
    if (content.length === 1 && content[0] === null) return null;
    return cg.h("section", { id, "aria-labelledby": id + "-title" }, cg.h("h2", { id: id + "-title" }, title), ...content);
  }

  function card(label, value, more) {
    return cg.h("div", { class: "card" }, cg.h("dt", {}, label), cg.h("dd", {}, cg.h("span", { class: "big" }, value), more ? cg.h("span", { class: "muted more" }, more) : null));
  }

  function summary() {
    const failed = rows.filter((row) => row.status === "failed").length;
    const open_ = rows.filter((row) => row.status === "pending").length;
    const cost = rows.reduce((sum, row) => sum + (row.cost || 0), 0);
    const last = Math.max(0, ...rows.map((row) => row.finished || 0));
    const regret = optimum && best ? (main.maximize ? optimum.value - best.value : best.value - optimum.value) : null;
    return [
      cg.h("dl", { class: "cards" },
        card(main.metric + (main.maximize ? "" : " (less is better)"), best ? cg.value(best.value) : "–", best ? `best, evaluation #${best.id}` : "no success yet"),
        regret === null ? null : card("Regret", cg.value(Number(regret.toPrecision(3))), `best label is ${cg.value(optimum.value)}, of ${cg.whole(optimum.among)}`),
        card("Evaluations", cg.whole(rows.length), [failed ? cg.plural(failed, "failure") : null, open_ ? `${open_} pending` : null, run.steps.length ? `of ${cg.plural(new Set(rows.map((row) => row.hash)).size, "training")}, of which ${rows.filter(runs.good).length} whole` : null, `budget ${run.steps.length ? cg.plural(run.budget, "whole training") : cg.whole(run.budget)}`].filter(Boolean).join(", ")),
        card("Time", cg.seconds(last), `evaluating took ${cg.seconds(cost)}`)),
      cg.h("details", { class: "settings" }, cg.h("summary", {}, "How it was searched"), cg.factRows([
        ["Space", run.space], ["Algorithm", run.algorithm], ["Evaluator", run.evaluator],
        ["Objectives", run.objectives.map((one) => `${one.maximize ? "more" : "less"} ${one.metric}`).join(", ")],
        run.constraints.length && ["Constraints", run.constraints.join(", ")],
        ["Predictor", run.scorer], run.steps.length && ["Trainings compared after", `${run.steps.join(", ")} steps${run.compare ? ` by ${run.compare}` : ""}; only whole trainings are in the charts`], run.exclude.length && ["Not learned from", run.exclude.join(", ")], ["Seed", String(run.seed)],
      ])),
    ];
  }

  function networks() {
    if (!data.graphs.length) return [cg.h("p", {}, data.note)];
    const frame = cg.h("div", { class: "graph-host" });
    const about = cg.h("div");
    function show(number) {
      const { id, graph } = data.graphs[number];
      const row = rows[id];
      about.replaceChildren(
        cg.h("p", {}, cg.h("code", { class: "arch" }, row.arch), " ", cg.h("button", { type: "button", click: () => open(row) }, "All numbers")),
        cg.h("h3", {}, "Ancestry"), ...[cg.ancestry(runs, row, open)].flat().filter(Boolean), cg.h("h3", {}, "Drawing"));
      const scroller = about.querySelector(".scroller");
      if (scroller) scroller.scrollLeft = scroller.scrollWidth; // the network itself is at the end
      cg.graphView(frame, graph);
    }
    const label = (one, i) => `#${one.id}: ${main.metric} ${cg.value(rows[one.id].value)}` + (rows[one.id] === best ? " (winner)" : "");
    const chooser = data.graphs.length > 1 ? cg.h("div", { class: "chart-tools" }, cg.choice("Network", data.graphs.map((one, i) => [String(i), label(one, i)]), "0", show)) : null;
    new ResizeObserver((_, observer) => { observer.disconnect(); show(0); }).observe(frame); // once it has a size
    return [chooser, about, frame];
  }

  // The result is painted first, the rest follows part by part.
  const parts = [
    () => section("summary", "Result", summary()),
    () => cg.h("div", { class: "pair" }, section("trajectory", "Trajectory", cg.trajectory(runs, open)), section("tradeoff", "Trade-off", cg.tradeoff(runs, open))),
    () => section("prediction", "Predicted and measured", cg.prediction(runs, open)),
    () => section("network", run.objectives.length > 1 ? "Networks of the front" : "Winner", ...networks()),
    () => section("evaluations", "All evaluations", ...cg.evaluationTable(runs, open)),
  ];
  (function add() {
    const part = parts.shift()();
    if (part) host.append(part);
    if (parts.length) requestAnimationFrame(() => setTimeout(add));
    else document.documentElement.dataset.ready = "true";
  })();
})();
