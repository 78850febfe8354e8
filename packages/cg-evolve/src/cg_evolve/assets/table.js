// All evaluations: filtered, sorted, a page at a time.
"use strict";

cg.evaluationTable = function (runs, open) {
  const PAGE = 50;
  const { rows, metrics, main } = runs;
  const shown = [main.metric, ...metrics.filter((name) => name !== main.metric)].filter((name) => metrics.includes(name)).slice(0, 6);
  const predicted = rows.some((row) => row.mean !== null);
  const columns = [
    { key: "id", label: "#", of: (row) => row.id, cell: (row) => cg.h("button", { type: "button", class: "link", "aria-label": `Evaluation ${row.id}`, click: () => open(row) }, String(row.id)), right: true },
    ...shown.map((name) => ({ key: "m:" + name, label: name, of: (row) => row.metrics[name], cell: (row) => cg.value(row.metrics[name]), right: true })),
    ...(predicted ? [{ key: "mean", label: "predicted", of: (row) => row.mean, cell: (row) => cg.value(row.mean === null ? null : Number(row.mean.toPrecision(4))), right: true }] : []),
    ...(runs.run.steps.length ? [{ key: "step", label: "step", of: (row) => row.step, cell: (row) => cg.value(row.step), right: true }] : []),
    { key: "cost", label: "time", of: (row) => row.cost, cell: (row) => cg.seconds(row.cost), right: true },
    { key: "origin", label: "origin", of: (row) => row.origin, cell: (row) => row.origin },
    { key: "status", label: "status", of: status, cell: (row) => cg.h("span", { class: "status " + status(row).replace(/ .*/, "") }, status(row)) },
    { key: "arch", label: "architecture", of: (row) => row.arch, cell: (row) => cg.h("code", {}, row.arch) },
  ];
  const state = { sort: columns[1], down: main.maximize, page: 0, text: "", status: "", origin: "" };
  if (state.sort.key.slice(2) !== main.metric) state.sort = columns[0];

  function status(row) { return row.status === "done" && !row.feasible ? "outside the constraints" : row.status; }

  const filter = cg.h("input", { type: "search", placeholder: "Filter by architecture, number or hash …", "aria-label": "Filter the evaluations", autocomplete: "off", spellcheck: "false", input: () => { state.text = filter.value.trim().toLowerCase(); first(); } });
  const pick = (name, label, values) => (values.length > 1 ? cg.choice(label, [["", "all"], ...values.map((value) => [value, value || "–"])], "", (value) => { state[name] = value; first(); }) : null);
  const unique = (of) => [...new Set(rows.map(of))].sort();
  const count = cg.h("p", { class: "muted", role: "status", "aria-live": "polite", id: "row-count" });
  const heads = columns.map((column) => cg.h("th", { scope: "col", class: column.right ? "right" : null },
    cg.h("button", { type: "button", click: () => sort(column) }, column.label, cg.h("span", { class: "order", "aria-hidden": "true" }))));
  const body = cg.h("tbody");
  const table = cg.h("table", { class: "evaluations" }, cg.h("caption", { class: "visually-hidden" }, "Evaluations; press a column's name to sort by it"), cg.h("thead", {}, cg.h("tr", {}, heads)), body);
  const previous = cg.h("button", { type: "button", click: () => { state.page--; draw(); } }, "Previous");
  const next = cg.h("button", { type: "button", click: () => { state.page++; draw(); } }, "Next");
  const where = cg.h("span", { class: "muted" });

  function first() { state.page = 0; draw(); }

  function sort(column) {
    if (state.sort === column) state.down = !state.down;
    else { state.sort = column; state.down = column.right && column.key !== "id" && (!column.key.startsWith("m:") || runs.maximized(column.label)); }
    first();
  }

  function draw() {
    const { of } = state.sort;
    const kept = rows.filter((row) =>
      (!state.text || row.arch.toLowerCase().includes(state.text) || String(row.id) === state.text.replace("#", "") || row.hash.includes(state.text))
      && (!state.status || status(row) === state.status) && (!state.origin || row.origin === state.origin));
    kept.sort((p, q) => {
      const a = of(p), b = of(q);
      if (a === null || b === null || a === undefined || b === undefined) return (a === null || a === undefined) - (b === null || b === undefined) || p.id - q.id;
      return (state.down ? -1 : 1) * (a < b ? -1 : a > b ? 1 : 0) || p.id - q.id;
    });
    const pages = Math.max(1, Math.ceil(kept.length / PAGE));
    state.page = Math.min(Math.max(0, state.page), pages - 1);
    body.replaceChildren(...kept.slice(state.page * PAGE, (state.page + 1) * PAGE).map((row) =>
      cg.h("tr", { class: row === runs.best ? "best" : null }, columns.map((column) => cg.h("td", { class: column.right ? "right" : null }, column.cell(row))))));
    columns.forEach((column, i) => {
      const sorted = column === state.sort;
      if (sorted) heads[i].setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else heads[i].removeAttribute("aria-sort");
      heads[i].querySelector(".order").textContent = sorted ? (state.down ? " ↓" : " ↑") : "";
    });
    count.textContent = kept.length === rows.length ? cg.plural(rows.length, "evaluation") : `${cg.whole(kept.length)} of ${cg.plural(rows.length, "evaluation")}`;
    previous.disabled = state.page === 0;
    next.disabled = state.page === pages - 1;
    where.textContent = `page ${state.page + 1} of ${pages}`;
  }
  draw();
  return [
    cg.h("div", { class: "chart-tools", role: "search", "aria-label": "Evaluations" }, filter, pick("origin", "Origin", unique((row) => row.origin)), pick("status", "Status", unique(status))),
    count,
    cg.h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Table of evaluations, scrolls sideways" }, table),
    cg.h("nav", { class: "pager", "aria-label": "Pages of the table" }, previous, where, next),
  ];
};
