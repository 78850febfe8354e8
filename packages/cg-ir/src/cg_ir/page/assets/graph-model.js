// The graph as the page holds it: nodes, and the tree of regions that they lie in.
"use strict";

/**
 * @param data what cg_ir.page.graph.graph_data writes.
 * @returns {{nodes, root, regions, params, macs}} nodes and regions are both "items": {key, parent, caption, ...}.
 */
cg.graphModel = function (data) {
  const regions = [];
  data.tree.forEach(([path, around], i) => {
    const parent = i ? regions[around] : null;
    regions.push({ key: "r:" + i, isRegion: true, path, name: within(path, parent), parent, regions: [], nodes: [] });
    parent?.regions.push(regions[i]);
  });
  const root = regions[0];

  /** What a name says beyond that of the region around. */
  function within(path, parent) {
    return parent?.path && (path + ".").startsWith(parent.path + ".") ? path.slice(parent.path.length + 1) : path;
  }

  const nodes = data.codes.map((code, index) => {
    const signature = data.signatures[code];
    const path = data.regions[data.region[index]];
    const parent = regions[data.home[index]];
    const node = {
      key: "n:" + index, isRegion: false, index, signature, path, name: within(path, parent), parent, first: index,
      inputs: data.inputs[index], outputs: [], weights: data.weights[index] || null, caption: signature.caption,
    };
    parent.nodes.push(node);
    node.words = [
      signature.op, signature.caption, signature.kind, path, signature.shape.join("x"),
      ...signature.attrs.map(([name, value]) => name + "=" + value), node.weights || "",
    ].join("\n").toLowerCase().replaceAll("×", "x");
    return node;
  });
  for (const node of nodes) {
    node.inputs.forEach((source) => nodes[source].outputs.push(node.index));
  }
  nodes.forEach((node) => { node.outputs = [...new Set(node.outputs)]; });

  function total(item) {
    // A number says little without what it counts.
    item.caption = !item.parent ? data.name || "network" : /^\d/.test(item.name) && item.parent.parent ? item.parent.caption + "." + item.name : item.name;
    item.all = [...item.nodes, ...item.regions.flatMap(total)].sort((a, b) => a.index - b.index);
    item.first = item.all.length ? item.all[0].index : Infinity;
    item.items = [...item.nodes, ...item.regions].sort((a, b) => a.first - b.first);
    Object.assign(item, cg.costs(item.all));
    return item.all;
  }
  total(root);
  const paint = data.paint || { name: "", regions: {}, nodes: {} };
  const most = (values) => Math.max(1e-12, ...Object.values(values).map(Math.abs));
  paint.most = { regions: most(paint.regions), nodes: most(paint.nodes) };
  return { paint, name: data.name, hash: data.hash, depth: data.depth, producer: data.producer, nodes, root, regions, params: data.params, macs: data.macs };
};

/** Parameters (shared weights once) and MACs of some nodes. */
cg.costs = function (nodes) {
  const seen = new Set();
  let params = 0, macs = 0;
  for (const { signature, weights } of nodes) {
    if (!weights || !seen.has(weights)) params += signature.params;
    if (weights) seen.add(weights);
    macs += signature.macs;
  }
  return { params, macs };
};

/** What an item was given to be painted by, or null: of a region its own, or the sum of those inside it. */
cg.valueOf = function ({ paint }, item) {
  if (!item.isRegion) return paint.nodes[item.index] ?? null;
  const inside = Object.entries(paint.regions).filter(([path]) => path === item.path || path.startsWith(item.path + "."));
  return item.parent && inside.length ? inside.reduce((sum, [, value]) => sum + value, 0) : null;
};

/** The same between -0.75 and 0.75. */
cg.paintOf = function (model, item) {
  const value = cg.valueOf(model, item), most = item.isRegion ? model.paint.most.regions : model.paint.most.nodes;
  return value === null ? null : 0.75 * Math.sign(value) * Math.sqrt(Math.min(1, Math.abs(value) / most));
};

cg.ancestors = function (item) {
  const result = [];
  for (let at = item.parent; at; at = at.parent) result.push(at);
  return result;
};

/** The regions that are folded at first: whole levels are open as long as about `budget` items are in sight, or as many as `open` says. */
cg.firstFolds = function (model, budget, open) {
  if (Number.isInteger(open)) return new Set(model.regions.filter((region) => cg.ancestors(region).length > open));
  const folded = new Set(model.regions.filter((region) => region.parent));
  let level = [model.root], shown = model.root.items.length;
  for (;;) {
    const next = level.flatMap((region) => region.regions);
    const more = next.reduce((sum, region) => sum + region.items.length, 0);
    if (!next.length || shown + more > budget) return folded;
    next.forEach((region) => folded.delete(region));
    shown += more;
    level = next;
  }
};
