// Where everything goes. Each open region is laid out by dagre on its own and is a box in its parent's layout; an edge that
// crosses a region's border does so at a port. So the time grows with the size of regions, not of the network.
"use strict";

cg.SIZES = { nodeHeight: 40, regionHeight: 54, header: 28, pad: 14, least: 92, letter: 7.3 };

cg.itemSize = function (item) {
  const { letter, least, nodeHeight, regionHeight } = cg.SIZES;
  if (item.isRegion) {
    const width = Math.max(item.caption.length * letter + 58, cg.regionLine(item).length * 6.1 + 30);
    return { w: Math.min(Math.max(150, width), 340), h: regionHeight };
  }
  const width = Math.max(item.caption.length * letter, cg.nodeLine(item).length * 6.1) + 24;
  return { w: Math.min(Math.max(least, width), 300), h: nodeHeight };
};

/** Second line of a node and of a folded region. */
cg.nodeLine = (node) => node.signature.shape.slice(1).join("×") || "scalar";
cg.regionLine = (region) => cg.plural(region.all.length, "node") + " · " + cg.short(region.params) + " par · " + cg.short(region.macs) + " MACs";

/**
 * @param model from cg.graphModel.
 * @param folded set of folded regions.
 * @returns {{boxes: Map, edges: Array, width, height}} boxes by item: {x, y, w, h, open}; edges: {points, of: [{from, to}]}.
 */
cg.layout = function (model, folded) {
  const shownAs = model.nodes.map((node) => {
    let shown = node;
    for (const region of cg.ancestors(node)) if (folded.has(region)) shown = region;
    return shown;
  });
  const links = new Map();
  model.nodes.forEach((node, index) => {
    const to = shownAs[index];
    for (const input of node.inputs) {
      const from = shownAs[input];
      if (from !== to) links.set(from.key + ">" + to.key, { from, to });
    }
  });

  // What each open region has to lay out: segments between its items and its ports.
  const parts = new Map();
  const part = (region) => {
    if (!parts.has(region)) parts.set(region, { segments: new Map(), inPorts: new Set(), outPorts: new Set() });
    return parts.get(region);
  };
  function segment(region, from, to, link) {
    const source = link.from.key;
    const { segments } = part(region);
    const name = from + ">" + to + "#" + source;
    if (!segments.has(name)) segments.set(name, { from, to, source, links: [] });
    segments.get(name).links.push(link);
  }
  for (const link of links.values()) {
    const above = new Set(cg.ancestors(link.to));
    const source = link.from.key;
    let left = link.from, right = link.to;
    for (; !above.has(left.parent); left = left.parent) {
      part(left.parent).outPorts.add(source);
      segment(left.parent, left.key, "out:" + source, link);
    }
    for (; right.parent !== left.parent; right = right.parent) {
      part(right.parent).inPorts.add(source);
      segment(right.parent, "in:" + source, right.key, link);
    }
    segment(left.parent, left.key, right.key, link);
  }

  const placed = new Map();
  function place(region) {
    const { segments, inPorts, outPorts } = part(region);
    const graph = new dagre.graphlib.Graph({ multigraph: true });
    const many = region.items.length > 250;
    graph.setGraph({ rankdir: "TB", nodesep: 26, edgesep: 14, ranksep: 34, ranker: many ? "longest-path" : "network-simplex" });
    graph.setDefaultEdgeLabel(() => ({}));
    for (const item of region.items) {
      const open = item.isRegion && !folded.has(item);
      const size = open ? place(item) : cg.itemSize(item);
      graph.setNode(item.key, { width: size.w, height: size.h });
    }
    // Ports stand in the first and the last rank, whatever rank their neighbours have.
    if (inPorts.size) graph.setNode("top", { width: 1, height: 1 });
    for (const source of inPorts) {
      graph.setNode("in:" + source, { width: 10, height: 1 });
      graph.setEdge("top", "in:" + source, { weight: 1000 });
    }
    if (outPorts.size) graph.setNode("bottom", { width: 1, height: 1 });
    for (const source of outPorts) {
      graph.setNode("out:" + source, { width: 10, height: 1 });
      graph.setEdge("out:" + source, "bottom", { weight: 1000 });
    }
    for (const [name, { from, to }] of segments) graph.setEdge(from, to, { weight: 1 }, name);
    dagre.layout(graph);

    const lines = [];
    for (const [name, piece] of segments) {
      const { points } = graph.edge({ v: piece.from, w: piece.to, name });
      lines.push({ ...piece, points: points.map(({ x, y }) => ({ x, y })) });
    }
    let left = Infinity, right = -Infinity, top = Infinity, bottom = -Infinity;
    const reach = (x0, x1, y0, y1) => {
      left = Math.min(left, x0); right = Math.max(right, x1); top = Math.min(top, y0); bottom = Math.max(bottom, y1);
    };
    for (const item of region.items) {
      const { x, y, width, height } = graph.node(item.key);
      reach(x - width / 2, x + width / 2, y - height / 2, y + height / 2);
    }
    lines.forEach((line) => line.points.forEach(({ x, y }) => reach(x, x, y, y)));
    const { pad, header, letter } = cg.SIZES;
    const isRoot = region === model.root;
    const above = isRoot ? pad : header + (inPorts.size ? 4 : 10);
    const width = Math.max(right - left + 2 * pad, isRoot ? 0 : region.caption.length * letter + 64);
    const shiftX = (width - (right - left)) / 2 - left, shiftY = above - top;
    const size = { w: width, h: bottom - top + above + (outPorts.size ? 4 : pad), items: new Map(), inX: new Map(), outX: new Map(), lines };
    for (const item of region.items) {
      const { x, y, width: w, height: h } = graph.node(item.key);
      size.items.set(item, { x: x - w / 2 + shiftX, y: y - h / 2 + shiftY, w, h });
    }
    for (const source of inPorts) size.inX.set(source, graph.node("in:" + source).x + shiftX);
    for (const source of outPorts) size.outX.set(source, graph.node("out:" + source).x + shiftX);
    for (const line of lines) for (const point of line.points) { point.x += shiftX; point.y += shiftY; }
    placed.set(region, size);
    return size;
  }
  const whole = place(model.root);

  const boxes = new Map(), edges = [];
  function settle(region, dx, dy) {
    const size = placed.get(region);
    const byKey = new Map();
    for (const [item, box] of size.items) {
      const open = item.isRegion && !folded.has(item);
      boxes.set(item, { x: box.x + dx, y: box.y + dy, w: box.w, h: box.h, open });
      byKey.set(item.key, item);
      if (open) settle(item, box.x + dx, box.y + dy);
    }
    for (const line of size.lines) {
      const points = line.points.map(({ x, y }) => ({ x: x + dx, y: y + dy }));
      const from = byKey.get(line.from), to = byKey.get(line.to);
      if (!from) points[0] = { x: size.inX.get(line.source) + dx, y: dy };
      else if (boxes.get(from).open) {
        const box = boxes.get(from);
        points[0] = { x: box.x + placed.get(from).outX.get(line.source), y: box.y + box.h };
      }
      const last = points.length - 1;
      if (!to) points[last] = { x: size.outX.get(line.source) + dx, y: dy + size.h };
      else if (boxes.get(to).open) {
        const box = boxes.get(to);
        points[last] = { x: box.x + placed.get(to).inX.get(line.source), y: box.y };
      }
      edges.push({ points, of: line.links, arrow: Boolean(to) && !boxes.get(to).open });
    }
  }
  settle(model.root, 0, 0);
  return { boxes, edges, shownAs, width: whole.w, height: whole.h };
};
