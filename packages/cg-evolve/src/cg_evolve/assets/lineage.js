// Where an architecture came from: its ancestors as a drawing, and one evaluation's numbers in a dialog.
"use strict";

cg.ancestry = function (runs, row, open) {
  const { rows } = runs;
  const LIMIT = 60;
  const found = new Map([[row.id, row]]);
  for (let queue = [row]; queue.length && found.size < LIMIT; ) {
    const next = queue.shift();
    for (const parent of next.parents) if (rows[parent] && !found.has(parent) && found.size < LIMIT) { found.set(parent, rows[parent]); queue.push(rows[parent]); }
  }
  if (found.size < 2) return cg.h("p", { class: "muted" }, row.origin ? `It has no ancestors: it came from “${row.origin}”.` : "It has no ancestors.");
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 40 });
  graph.setDefaultEdgeLabel(() => ({}));
  const W = 104, H = 46;
  for (const id of found.keys()) graph.setNode(String(id), { width: W, height: H });
  for (const one of found.values()) for (const parent of one.parents) if (found.has(parent)) graph.setEdge(String(parent), String(one.id));
  dagre.layout(graph);
  const size = graph.graph();
  const picture = cg.svg("svg", { class: "ancestry", width: size.width + 12, height: size.height + 12, viewBox: `-6 -6 ${size.width + 12} ${size.height + 12}`, role: "group", "aria-label": `Ancestors of evaluation ${row.id}` });
  for (const edge of graph.edges()) {
    const points = graph.edge(edge).points;
    picture.append(cg.svg("path", { class: "edge", d: "M" + points.map((p) => `${p.x.toFixed(1)} ${p.y.toFixed(1)}`).join("L") }));
  }
  for (const [id, one] of [...found].sort(([a], [b]) => a - b)) {
    const { x, y } = graph.node(String(id));
    const show = () => open(one);
    picture.append(cg.svg("g", { class: one === row ? "born winner" : "born", role: "button", tabindex: "0", transform: `translate(${x - W / 2} ${y - H / 2})`,
      "aria-label": `#${id} ${cg.value(one.value === null ? null : Number(one.value.toPrecision(5)))} ${one.origin || "proposal"}`, click: show,
      keydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); show(); } } },
      cg.svg("rect", { width: W, height: H, rx: 8 }), cg.svg("text", { x: 10, y: 19, class: "name" }, `#${id}`), " ", cg.svg("text", { x: W - 10, y: 19, class: "value" }, cg.value(one.value === null ? null : Number(one.value.toPrecision(5)))), " ",
      cg.svg("text", { x: 10, y: 36, class: "origin" }, cg.clip(one.origin || "proposal", W - 16, 6.2))));
  }
  const more = [...found.values()].some((one) => one.parents.some((parent) => !found.has(parent)));
  return [cg.h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Ancestors, scrolls sideways" }, picture), more ? cg.h("p", { class: "muted" }, `The ${LIMIT} nearest ancestors are shown.`) : null];
};

/** The architecture with what differs from another one marked. */
cg.marked = function (arch, other) {
  let a = 0, z = 0;
  while (a < arch.length && arch[a] === other[a]) a++;
  while (z < arch.length - a && z < other.length - a && arch[arch.length - 1 - z] === other[other.length - 1 - z]) z++;
  return [arch.slice(0, a), cg.h("mark", {}, arch.slice(a, arch.length - z)), arch.slice(arch.length - z)];
};

/** A dialog with everything about an evaluation. */
cg.evaluationDialog = function (runs) {
  const body = cg.h("div", { class: "body" });
  const heading = cg.h("h2", { id: "dialog-title" });
  const dialog = cg.h("dialog", { "aria-labelledby": "dialog-title", click: (event) => { if (event.target === dialog) dialog.close(); } },
    cg.h("div", { class: "dialog-head" }, heading, cg.h("button", { type: "button", class: "icon", "aria-label": "Close", click: () => dialog.close() }, "×")), body);
  document.body.append(dialog);
  return function open(row) {
    const link = (id) => cg.h("button", { type: "button", class: "link", click: () => open(runs.rows[id]) }, "#" + id);
    const children = runs.rows.filter((one) => one.parents.includes(row.id));
    const parent = runs.rows[row.parents[0]];
    heading.textContent = `Evaluation #${row.id}`;
    body.replaceChildren(...[
      cg.h("p", {}, cg.h("code", { class: "arch" }, parent ? cg.marked(row.arch, parent.arch) : row.arch)),
      parent ? cg.h("p", { class: "muted hint" }, `Marked: what differs from #${parent.id}.`) : null,
      row.error ? cg.h("p", { class: "error" }, row.error) : null,
      cg.factRows([
        ["Status", row.status + (row.feasible ? "" : ", outside the constraints")],
        ...Object.entries(row.metrics).map(([name, value]) => [name, cg.value(value)]),
        row.mean !== null && ["Predicted", cg.value(row.mean) + (row.std === null ? "" : " ± " + cg.value(Number(row.std.toPrecision(2))))],
        ["Came from", [row.origin || "–", row.parents.length ? [" of ", row.parents.map((id, i) => [i ? ", " : "", runs.rows[id] ? link(id) : "#" + id])] : null]],
        children.length && ["Led to", children.slice(0, 12).map((one, i) => [i ? ", " : "", link(one.id)]).concat(children.length > 12 ? [`, and ${children.length - 12} more`] : [])],
        row.step !== null && ["Trained to step", cg.whole(row.step)],
        ["Took", cg.seconds(row.cost) + (row.attempts > 1 ? `, attempt ${row.attempts}` : "")],
        ["Seed", String(row.seed)],
        ["Graph", cg.h("code", {}, row.hash)],
      ]),
    ].filter(Boolean));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  };
};
