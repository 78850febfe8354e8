// The panel beside the drawing: numbers of the network, of a region or of a node.
"use strict";

cg.factRows = (rows) => cg.h("dl", { class: "facts" }, rows.filter(Boolean).map(([name, value]) => [cg.h("dt", {}, name), cg.h("dd", {}, value)]));

/** @param act {select(item), filterBy(op), filtered} what the panel's buttons do. */
cg.panelFor = function (model, item, act) {
  if (!item) return overview();
  return item.isRegion ? regionPanel() : nodePanel();

  function cost(name, value, total) {
    return [name, [cg.h("span", { class: "number" }, cg.whole(value)), " ", cg.h("span", { class: "muted" }, cg.percent(value, total))]];
  }

  function painted() {
    const value = cg.valueOf(model, item);
    return value === null ? null : [item.isRegion ? "Contribution" : "Without it, score", item.isRegion ? cg.signed(value) : cg.signed(-value)];
  }

  function jump(to, text) {
    return cg.h("button", { type: "button", class: "link", click: () => act.select(to) }, text);
  }

  function path(of) {
    const chain = cg.ancestors(of).filter((region) => region.parent).reverse();
    if (!chain.length) return of.path || "–";
    return chain.map((region, i) => [i ? " › " : "", jump(region, region.name)]);
  }

  function operators(nodes, title) {
    const rows = new Map();
    for (const node of nodes) {
      const { op, kind } = node.signature;
      if (!rows.has(op)) rows.set(op, { op, kind, nodes: [] });
      rows.get(op).nodes.push(node);
    }
    const table = [...rows.values()].map((row) => ({ ...row, ...cg.costs(row.nodes) }));
    table.sort((a, b) => b.macs - a.macs || b.params - a.params || b.nodes.length - a.nodes.length);
    return [
      cg.h("h3", {}, title),
      cg.h("p", { class: "muted hint" }, "Press an operator to mark its nodes."),
      cg.h("table", { class: "operators" },
        cg.h("thead", {}, cg.h("tr", {}, cg.h("th", { scope: "col" }, "Operator"), ...["Nodes", "Params", "MACs"].map((text) => cg.h("th", { scope: "col", class: "right" }, text)))),
        cg.h("tbody", {}, table.map((row) => cg.h("tr", {},
          cg.h("td", {}, cg.h("button", { type: "button", class: "chip", "data-op": row.op, "aria-pressed": String(act.filtered.has(row.op)), click: () => act.filterBy(row.op) },
            cg.h("span", { class: "swatch kind-" + row.kind, "aria-hidden": "true" }), row.op)),
          cg.h("td", { class: "right" }, cg.whole(row.nodes.length)),
          cg.h("td", { class: "right" }, cg.short(row.params)),
          cg.h("td", { class: "right" }, cg.short(row.macs)))))),
    ];
  }

  function overview() {
    return [
      cg.h("h2", {}, "Network"),
      cg.factRows([
        ["Parameters", cg.whole(model.params)],
        ["MACs", cg.whole(model.macs)],
        ["Nodes", cg.whole(model.nodes.length)],
        ["Depth", cg.whole(model.depth)],
        model.producer && ["Made by", model.producer],
        ["Hash", cg.h("code", { class: "hash" }, model.hash)],
      ]),
      cg.h("p", { class: "muted hint" }, "At batch size 1; a MAC is a multiply-accumulate, two FLOPs."),
      operators(model.nodes, "Operators"),
    ];
  }

  function regionPanel() {
    const { caption, params, macs, all } = item;
    return [
      cg.h("div", { class: "panel-head" }, cg.h("h2", {}, caption), back()),
      cg.h("p", {}, cg.h("button", { type: "button", click: () => act.fold(item) }, act.isFolded(item) ? "Unfold region" : "Fold region")),
      cg.factRows([
        ["Region", cg.h("code", {}, item.path)],
        item.parent.parent && ["Inside", path(item)],
        ["Nodes", cg.whole(all.length)],
        cost("Parameters", params, model.params),
        cost("MACs", macs, model.macs),
        painted(),
      ]),
      operators(all, "Operators in the region"),
    ];
  }

  function back() {
    return cg.h("button", { type: "button", class: "icon", "aria-label": "Back to the network", title: "Back to the network (Esc)", click: () => act.select(null) }, "×");
  }

  function neighbours(title, indices) {
    if (!indices.length) return null;
    return [cg.h("h3", {}, title), cg.h("ul", { class: "neighbours" }, indices.map((index) => {
      const node = model.nodes[index];
      return cg.h("li", {}, jump(node, node.caption), " ", cg.h("span", { class: "muted" }, cg.shape(node.signature.shape)));
    }))];
  }

  function nodePanel() {
    const { signature } = item;
    return [
      cg.h("div", { class: "panel-head" }, cg.h("h2", {}, cg.h("span", { class: "swatch kind-" + signature.kind, "aria-hidden": "true" }), item.caption), back()),
      cg.h("p", { class: "muted" }, signature.doc),
      cg.factRows([
        ["Operator", signature.op],
        ["Output", cg.shape(signature.shape)],
        ...signature.inputs.map((shape, i) => [signature.inputs.length > 1 ? "Input " + (i + 1) : "Input", cg.shape(shape)]),
        cost("Parameters", signature.params, model.params),
        cost("MACs", signature.macs, model.macs),
        painted(),
        item.path && ["Region", path(item)],
        item.name && ["Name", cg.h("code", {}, item.name)],
        item.weights && ["Shares weights", cg.h("code", {}, item.weights)],
        ["Node", String(item.index)],
      ]),
      signature.attrs.length ? [
        cg.h("h3", {}, "Attributes"),
        cg.h("dl", { class: "facts attributes" }, signature.attrs.map(([name, value, isDefault]) => [
          cg.h("dt", {}, name), cg.h("dd", {}, cg.h("code", {}, value), isDefault ? cg.h("span", { class: "muted" }, " default") : null)])),
      ] : null,
      neighbours("Reads", item.inputs),
      neighbours("Read by", item.outputs),
    ];
  }
};
