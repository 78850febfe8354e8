// Where everything goes. Each open region is laid out by dagre on its own, long ones in columns, and is a box in its parent's layout; an
// edge that crosses a region's border does so at a port. So the time grows with the size of regions, not of the network.
"use strict";

cg.SIZES = { nodeHeight: 40, costHeight: 14, regionHeight: 54, header: 28, pad: 14, least: 92, letter: 7.3, small: 6.1, gutter: 52 };

cg.itemSize = function (item) {
  const { letter, small, least, nodeHeight, costHeight, regionHeight } = cg.SIZES;
  if (item.isRegion) {
    const width = Math.max(item.caption.length * letter + 58, cg.regionLine(item).length * small + 30);
    return { w: Math.min(Math.max(150, width), 340), h: regionHeight };
  }
  const cost = cg.costLine(item.signature);
  const width = Math.max(item.caption.length * letter, cg.nodeLine(item).length * small, cost.length * small) + 24;
  return { w: Math.min(Math.max(least, width), 300), h: nodeHeight + (cost ? costHeight : 0) };
};

/** Second line of a node and of a folded region. */
cg.nodeLine = (node) => node.signature.shape.slice(1).join("×") || "scalar";
cg.regionLine = (region) => [cg.plural(region.all.length, "node"), cg.costLine(region)].filter(Boolean).join(" · ");
/** Third line of a node, and what stands beside the name of an open region: nothing where it costs nothing. */
cg.costLine = ({ params, macs }) => [params && cg.short(params) + " par", macs && cg.short(macs) + " MACs"].filter(Boolean).join(" · ");

/**
 * @param model from cg.graphModel.
 * @param folded set of folded regions.
 * @param frame {width, height} of where it is shown: it is broken into as many columns as show it largest there.
 * @returns {{boxes: Map, edges: Array, width, height}} boxes by item: {x, y, w, h, open}; edges: {steps, of: [{from, to}]}.
 */
cg.layout = function (model, folded, frame) {
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

  const shown = new Set(shownAs);
  const area = [...shown].reduce((sum, item) => { const { w, h } = cg.itemSize(item); return sum + (w + 40) * (h + 40); }, 0);
  // Regions taller than this are broken into columns of their own; of small networks what is best is tried.
  const about = Math.sqrt((area * frame.height) / frame.width);
  let tallest = Math.max(900, 2 * about);
  const placed = new Map(), placedByKey = new Map();
  function place(region) {
    const { segments, inPorts, outPorts } = part(region);
    const graph = new dagre.graphlib.Graph({ multigraph: true });
    const many = region.items.length > 250;
    graph.setGraph({ rankdir: "TB", nodesep: 26, edgesep: 14, ranksep: 30, ranker: many ? "longest-path" : "network-simplex" });
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

    const at = (key) => graph.node(key);
    const lines = [...segments].map(([name, piece]) => {
      const inner = graph.edge({ v: piece.from, w: piece.to, name }).points.slice(1, -1);
      return { ...piece, points: [centre(piece.from, piece.source, "out"), ...inner, centre(piece.to, piece.source, "in")] };
    });
    /** Where an edge leaves or enters: at the middle, or at the port of an open region. */
    function centre(key, source, side) {
      const { x, y, width } = at(key), inside = placedByKey.get(key);
      if (!inside) return { x, y };
      return { x: x - width / 2 + (side === "in" ? inside.inX : inside.outX).get(source), y };
    }
    const keys = [...region.items.map((item) => item.key), ...[...inPorts].map((s) => "in:" + s), ...[...outPorts].map((s) => "out:" + s)];
    const bands = cg.bands(keys.map(at), lines);
    const isRoot = region === model.root;
    const { pad, header, letter, small, gutter } = cg.SIZES;
    const columns = isRoot ? cg.columns(bands, frame, gutter, frame.height) : cg.columns(bands, { width: tallest, height: tallest }, gutter, tallest);
    const { shift, ways } = cg.wrap(bands, columns, lines, gutter);
    const bandOf = new Map(bands.map((band, i) => [Math.round(band.middle), i]));
    const { width: wide, height: tall } = cg.extent(bands, columns, gutter);
    const above = isRoot ? pad : header + (inPorts.size ? 4 : 10);
    const named = region.caption.length * letter + cg.costLine(region).length * small + 74;
    const width = Math.max(wide + 2 * pad, isRoot ? 0 : named);
    const shiftX = (width - wide) / 2;
    const moved = (key) => {
      const { x, y } = at(key), { dx, dy } = shift[bandOf.get(Math.round(y))];
      return { x: x + dx + shiftX, y: y + dy + above };
    };
    const size = { w: width, h: tall + above + (outPorts.size ? 4 : pad), items: new Map(), inX: new Map(), outX: new Map(), lines };
    for (const item of region.items) {
      const { x, y } = moved(item.key), { width: w, height: h } = at(item.key);
      size.items.set(item, { x: x - w / 2, y: y - h / 2, w, h });
    }
    for (const source of inPorts) size.inX.set(source, moved("in:" + source).x);
    for (const source of outPorts) size.outX.set(source, moved("out:" + source).x);
    ways.forEach((steps, i) => { lines[i].steps = steps.map(({ how, x, y }) => ({ how, x: x + shiftX, y: y + above })); });
    placed.set(region, size);
    placedByKey.set(region.key, size);
    return size;
  }
  let whole = place(model.root);
  if (shown.size <= 300) {
    const scale = ({ w, h }) => Math.min(1.15, frame.width / w, frame.height / h);
    let best = tallest;
    for (const limit of [1.2, 3.2, 6].map((factor) => Math.max(600, factor * about))) {
      tallest = limit;
      const found = place(model.root);
      if (scale(found) > scale(whole) * 1.02) { best = limit; whole = found; }
    }
    tallest = best;
    whole = place(model.root);
  }

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
      const steps = line.steps.map(({ how, x, y }) => ({ how, x: x + dx, y: y + dy }));
      const from = boxes.get(byKey.get(line.from)), to = boxes.get(byKey.get(line.to));
      // The first and the last band are passed from and up to the box, or the border of the region.
      steps[0].y = from ? from.y + from.h : dy;
      steps[steps.length - 1].y = to ? to.y : dy + size.h;
      edges.push({ steps, of: line.links, arrow: Boolean(to) && !to.open });
    }
  }
  settle(model.root, 0, 0);
  return { boxes, edges, shownAs, width: whole.w, height: whole.h };
};
