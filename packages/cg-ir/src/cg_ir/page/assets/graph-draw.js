// The drawing: SVG elements for boxes and edges of a layout.
"use strict";

cg.clip = (text, width, letter) => (text.length * letter > width ? text.slice(0, Math.max(3, Math.floor(width / letter) - 1)) + "…" : text);

/** What a screen reader says of an item: what is written on it, then the rest. */
cg.spoken = function (item, box) {
  const words = (...lines) => lines.filter(Boolean).join(" ");
  if (item.isRegion) return `${words(item.caption, box.open ? cg.costLine(item) : cg.regionLine(item))}, ${box.open ? "unfolded" : "folded"} region ${item.path}`;
  return words(item.caption, cg.nodeLine(item), cg.costLine(item.signature)) + (item.path ? ", in " + item.path : "");
};

/** A patch of colour as strong as a share, of another hue where it is negative. */
cg.heat = (share, place) => cg.svg("rect", { class: share < 0 ? "heat loss" : "heat", "fill-opacity": Math.abs(share).toFixed(3), ...place });

/**
 * Draw a layout into an SVG group.
 *
 * @returns {{of: Map, edges: Array}} the focusable element of each item; the edges' path elements with what they join.
 */
cg.draw = function (target, layout, model, colour, arrowId) {
  const frames = cg.svg("g", { class: "frames", "aria-hidden": "true" });
  const lines = cg.svg("g", { class: "edges", "aria-hidden": "true" });
  const items = cg.svg("g", { class: "items" });
  const of = new Map(), edges = [];
  const { header, letter, small } = cg.SIZES;

  for (const { steps, of: joined, arrow } of layout.edges) {
    const path = cg.svg("path", { d: cg.edgePath(steps), "marker-end": arrow ? `url(#${arrowId})` : null });
    lines.append(path);
    edges.push({ path, of: joined });
  }
  const ordered = [...layout.boxes].sort(([a], [b]) => a.first - b.first || cg.ancestors(a).length - cg.ancestors(b).length);
  for (const [item, box] of ordered) {
    const { x, y, w, h, open } = box;
    const element = cg.svg("g", { role: "button", tabindex: "-1", "aria-label": cg.spoken(item, box), "data-key": item.key, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` });
    if (item.isRegion) {
      element.setAttribute("aria-expanded", String(open));
      element.classList.add("region", open ? "open" : "folded");
      const height = open ? header : h;
      if (open) {
        const depth = Math.min(cg.ancestors(item).length - 1, 4);
        const frame = cg.svg("rect", { class: "frame depth-" + depth, x: x.toFixed(1), y: y.toFixed(1), width: w.toFixed(1), height: h.toFixed(1), rx: 10 });
        frames.append(frame);
        const own = colour(item, true);
        if (own !== null) frames.append(cg.heat(own * 0.6, { x: x.toFixed(1), y: y.toFixed(1), width: w.toFixed(1), height: h.toFixed(1), rx: 10 }));
        element.append(cg.svg("rect", { class: "face", x: 3, y: 3, width: Math.min(w - 6, item.caption.length * letter + 38).toFixed(1), height: header - 5, rx: 7 }));
      } else {
        element.append(
          cg.svg("rect", { class: "under", x: 5, y: 5, width: w, height, rx: 9 }),
          cg.svg("rect", { class: "face", width: w, height, rx: 9 }),
        );
        const share = colour(item);
        if (share !== null) element.append(cg.heat(share, { width: w, height, rx: 9 }));
      }
      const middle = open ? 16 : 19;
      element.append(
        cg.svg("g", { class: "fold" }, cg.svg("rect", { class: "reach", y: middle - 17, width: 31, height: open ? 30 : 36 }), cg.svg("rect", { class: "sign", x: 8, y: middle - 8.5, width: 17, height: 17, rx: 5 }),
          cg.svg("path", { d: `M12.5 ${middle}h8` + (open ? "" : `M16.5 ${middle - 4}v8`) })),
        cg.svg("text", { class: "caption", x: 32, y: middle + 4.5 }, cg.clip(item.caption, w - 40, letter)),
      );
      const cost = cg.costLine(item);
      if (!open) element.append(" ", cg.svg("text", { class: "line", x: 12, y: 42 }, cg.clip(cg.regionLine(item), w - 20, small)));
      else if (cost) element.append(" ", cg.svg("text", { class: "line end", x: (w - 10).toFixed(1), y: 20 }, cost));
    } else {
      element.classList.add("node", "kind-" + item.signature.kind);
      element.append(cg.svg("rect", { class: "face", width: w.toFixed(1), height: h, rx: item.signature.kind === "source" ? h / 2 : 7 }));
      const share = colour(item);
      if (share !== null) element.append(cg.heat(share, { width: w.toFixed(1), height: h, rx: 7 }));
      element.append(
        cg.svg("text", { class: "caption", x: (w / 2).toFixed(1), y: 17 }, cg.clip(item.caption, w - 12, letter)), " ",
        cg.svg("text", { class: "line", x: (w / 2).toFixed(1), y: 32 }, cg.clip(cg.nodeLine(item), w - 12, small)),
      );
      const cost = cg.costLine(item.signature);
      if (cost) element.append(" ", cg.svg("text", { class: "line", x: (w / 2).toFixed(1), y: 46 }, cg.clip(cost, w - 12, small)));
    }
    items.append(element);
    of.set(item, element);
  }
  target.replaceChildren(frames, lines, items);
  return { of, edges };
};
