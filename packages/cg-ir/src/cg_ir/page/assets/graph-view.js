// The graph view: drawing, controls and panel in one element.
"use strict";

/**
 * Put the view of a graph into `host`.
 *
 * @param data what cg_ir.page.graph.graph_data writes; with `paint`, {name, regions: {path: number}, nodes: {index: number}}, it can be coloured by these.
 * @param colourBy kind, macs, params or paint.
 */
cg.graphView = function (host, data, colourBy = "kind") {
  const model = cg.graphModel(data);
  const folded = cg.firstFolds(model, 90, data.open);
  const state = { item: null, filtered: new Set(), query: "", colour: colourBy, at: -1, matches: [] };
  let layout, drawing, current;

  const search = cg.h("input", { type: "search", placeholder: "Search: conv 3x3, relu, stage_2 …", "aria-label": "Search operators, regions, attributes and shapes", autocomplete: "off", spellcheck: "false", input: onQuery, keydown: onSearchKey });
  const count = cg.h("span", { class: "count muted", id: cg.id("count") }, "");
  const previous = iconButton("‹", "Previous match", () => step(-1));
  const next = iconButton("›", "Next match", () => step(1));
  const clear = cg.h("button", { type: "button", click: clearFilter }, "Clear");
  const colour = cg.h("select", { "aria-label": "Colour by", change: () => { state.colour = colour.value; render(); } },
    cg.h("option", { value: "kind" }, "Colour: kind"), cg.h("option", { value: "macs" }, "Colour: MACs"), cg.h("option", { value: "params" }, "Colour: parameters"),
    data.paint && cg.h("option", { value: "paint" }, "Colour: " + data.paint.name));
  colour.value = colourBy;
  const foldAll = cg.h("button", { type: "button", click: () => setAll(true) }, "Fold all");
  const unfoldAll = cg.h("button", { type: "button", click: () => setAll(false) }, "Unfold all");
  const details = cg.h("button", { type: "button", class: "details", "aria-pressed": "true", click: togglePanel }, "Details");
  const live = cg.h("div", { class: "visually-hidden", role: "status", "aria-live": "polite" });
  const viewport = cg.svg("g", { class: "viewport" });
  const arrow = cg.svg("marker", { id: cg.id("arrow"), viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 10, markerHeight: 10, markerUnits: "userSpaceOnUse", orient: "auto" }, cg.svg("path", { d: "M0 .8 7.4 4 0 7.2z" }));
  const picture = cg.svg("svg", { class: "drawing", role: "group", "aria-label": "Drawing of " + (model.name || "the network") }, cg.svg("defs", {}, arrow), viewport);
  const help = cg.h("p", { class: "visually-hidden", id: cg.id("help") },
    "Arrow down goes to what reads a node, arrow up to what it reads, left and right to its neighbours. Enter selects, space folds and unfolds a region, plus and minus zoom, 0 shows everything, / searches, escape leaves.");
  const zoomBar = cg.h("div", { class: "zoom-bar", role: "group", "aria-label": "Zoom" },
    iconButton("+", "Zoom in", () => zoom.by(1.35)), iconButton("−", "Zoom out", () => zoom.by(1 / 1.35)), iconButton("⤢", "Show everything", () => zoom.fit(true)));
  const canvas = cg.h("div", { class: "canvas", role: "application", "aria-label": "Graph", "aria-describedby": help.id, keydown: onKey, click: onClick, dblclick: onDoubleClick }, picture);
  const busy = cg.h("p", { class: "busy", hidden: true, "aria-hidden": "true" }, "Laying out …");
  const panel = cg.h("div", { class: "panel", role: "region", "aria-label": "Details of " + (model.name || "the network"), tabindex: "0" });
  const view = cg.h("div", { class: "graph-view" },
    cg.h("div", { class: "tools", role: "group", "aria-label": "Graph tools" },
      cg.h("div", { class: "search", role: "search", "aria-label": "Nodes of " + (model.name || "the network") }, search, count, previous, next, clear), cg.h("div", { class: "buttons" }, foldAll, unfoldAll, colour, details)),
    cg.h("div", { class: "stage" }, cg.h("div", { class: "canvas-frame" }, canvas, zoomBar, busy), panel), help, live);
  host.replaceChildren(view);

  const zoom = cg.zoom(canvas, viewport, () => layout, (k) => view.classList.toggle("far", k < 0.55));
  foldAll.hidden = unfoldAll.hidden = model.regions.length < 2;
  const act = { select: (item) => select(item, true), filterBy, filtered: state.filtered, fold: (region) => toggle(region), isFolded: (region) => folded.has(region) };

  function iconButton(sign, label, click) {
    return cg.h("button", { type: "button", class: "icon", "aria-label": label, title: label, click }, sign);
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  function shareOf(item) {
    if (state.colour === "kind") return null;
    if (state.colour === "paint") return cg.paintOf(model, item);
    const value = item.isRegion ? item[state.colour] : item.signature[state.colour];
    let most = 1;
    for (const [other, box] of layout.boxes) if (!box.open) most = Math.max(most, other.isRegion ? other[state.colour] : other.signature[state.colour]);
    return 0.75 * Math.sqrt(value / most);
  }

  function render() {
    layout = cg.layout(model, folded, { width: Math.max(200, canvas.clientWidth), height: Math.max(200, canvas.clientHeight) });
    const shares = new Map();
    drawing = cg.draw(viewport, layout, model, (item, isFrame) => { if (isFrame && state.colour !== "paint") return null; if (!shares.has(item)) shares.set(item, shareOf(item)); return shares.get(item); }, arrow.id);
    view.classList.toggle("heated", state.colour !== "kind");
    if (!current || !drawing.of.has(current)) current = visible(current || state.item) || layout.boxes.keys().next().value;
    drawing.of.get(current)?.setAttribute("tabindex", "0");
    mark();
  }

  /** The item that stands for another one: itself, or the folded region that hides it. */
  function visible(item) {
    if (!item) return null;
    if (drawing.of.has(item)) return item;
    return cg.ancestors(item).find((region) => drawing.of.has(region)) || null;
  }

  function mark() {
    const searching = Boolean(state.query || state.filtered.size);
    const hits = new Set(state.matches);
    const shown = visible(state.item);
    viewport.classList.toggle("searching", searching);
    for (const [item, element] of drawing.of) {
      const inside = item.isRegion ? item.all.filter((node) => hits.has(node)).length : Number(hits.has(item));
      element.classList.toggle("hit", searching && inside > 0);
      element.classList.toggle("selected", item === shown);
      element.querySelector(".badge")?.remove();
      if (searching && item.isRegion && inside && !layout.boxes.get(item).open) {
        const { w } = layout.boxes.get(item);
        element.append(cg.svg("g", { class: "badge", "aria-hidden": "true", transform: `translate(${w - 8} 2)` }, cg.svg("rect", { x: -15, y: -10, width: 30, height: 19, rx: 9.5 }), cg.svg("text", { y: 4 }, String(inside))));
      }
    }
    for (const edge of drawing.edges) {
      edge.path.classList.toggle("into", Boolean(shown) && edge.of.some(({ to }) => to === shown));
      edge.path.classList.toggle("out", Boolean(shown) && edge.of.some(({ from }) => from === shown));
    }
    count.textContent = searching ? (state.at >= 0 ? `${state.at + 1} of ${state.matches.length}` : cg.plural(state.matches.length, "match").replace("matchs", "matches")) : "";
    previous.disabled = next.disabled = !state.matches.length;
    clear.hidden = !searching;
    count.hidden = previous.hidden = next.hidden = !searching;
  }

  function showPanel() {
    panel.replaceChildren(...cg.panelFor(model, state.item, act).flat(Infinity).filter(Boolean));
    panel.scrollTop = 0;
  }

  // --- selecting and folding -----------------------------------------------------------------------------------------

  function moveTo(item, focus) {
    drawing.of.get(current)?.setAttribute("tabindex", "-1");
    current = item;
    const element = drawing.of.get(item);
    element.setAttribute("tabindex", "0");
    if (focus) element.focus({ preventScroll: true });
  }

  function select(item, bring) {
    state.item = item;
    if (item) {
      if (!drawing.of.has(item)) {
        cg.ancestors(item).forEach((region) => folded.delete(region));
        render();
      }
      moveTo(item, false);
      if (bring) zoom.center(layout.boxes.get(item), true);
    }
    mark();
    showPanel();
  }

  function toggle(region, focus) {
    const before = layout.boxes.get(region);
    if (folded.has(region)) folded.delete(region);
    else folded.add(region);
    current = region;
    render();
    // The region's upper left corner stays where it was.
    const after = layout.boxes.get(region);
    if (before && after) {
      zoom.state.x += (before.x - after.x) * zoom.state.k;
      zoom.state.y += (before.y - after.y) * zoom.state.k;
      zoom.apply();
      if (!after.open) zoom.center(after, true);
    }
    moveTo(region, focus);
    showPanel();
    say(`${region.path} ${folded.has(region) ? "folded" : "unfolded, " + cg.plural(region.items.length, "item")}`);
  }

  function setAll(fold) {
    if (!fold && model.nodes.length > 3000 && !confirm(`Unfolding draws ${cg.whole(model.nodes.length)} nodes, which takes a while. Go on?`)) return;
    const go = () => {
      folded.clear();
      if (fold) model.regions.filter((region) => region.parent).forEach((region) => folded.add(region));
      render();
      zoom.fit();
      showPanel();
      busy.hidden = true;
      say(fold ? "All regions folded" : "All regions unfolded");
    };
    if (fold || model.nodes.length < 250) { go(); return; }
    busy.hidden = false;
    say("Laying out " + cg.plural(model.nodes.length, "node"));
    requestAnimationFrame(() => setTimeout(go));
  }

  function say(text) { live.textContent = text; }

  function togglePanel() {
    const open = view.classList.toggle("no-panel");
    details.setAttribute("aria-pressed", String(!open));
  }

  // --- searching -----------------------------------------------------------------------------------------------------

  function find() {
    const terms = state.query.toLowerCase().replaceAll("×", "x").split(/\s+/).filter(Boolean);
    state.matches = terms.length || state.filtered.size
      ? model.nodes.filter((node) => (!state.filtered.size || state.filtered.has(node.signature.op)) && terms.every((term) => node.words.includes(term)))
      : [];
    state.at = -1;
    mark();
    if (terms.length || state.filtered.size) say(count.textContent);
  }

  function onQuery() { state.query = search.value.trim(); find(); }

  function filterBy(op) {
    if (!state.filtered.delete(op)) state.filtered.add(op);
    find();
    panel.querySelectorAll("button.chip").forEach((chip) => chip.setAttribute("aria-pressed", String(state.filtered.has(chip.dataset.op))));
  }

  function clearFilter() {
    state.filtered.clear();
    search.value = state.query = "";
    find();
    showPanel();
    search.focus();
  }

  function step(by) {
    const { matches } = state;
    if (!matches.length) return;
    state.at = state.at < 0 ? (by > 0 ? 0 : matches.length - 1) : (state.at + by + matches.length) % matches.length;
    select(matches[state.at], false);
    zoom.center(layout.boxes.get(matches[state.at]), false);
    say(`${count.textContent}: ${matches[state.at].caption}`);
  }

  function onSearchKey(event) {
    if (event.key === "Enter") { event.preventDefault(); step(event.shiftKey ? -1 : 1); }
    if (event.key === "Escape" && search.value) { event.preventDefault(); clearFilter(); }
  }

  // --- mouse and keyboard in the drawing -----------------------------------------------------------------------------

  const items = new Map([...model.nodes, ...model.regions].map((item) => [item.key, item]));
  const itemAt = (event) => items.get(event.target.closest("[data-key]")?.dataset.key);

  function onClick(event) {
    const item = itemAt(event);
    if (!item) { if (event.target.closest("svg")) select(null); return; }
    if (item.isRegion && event.target.closest(".fold")) toggle(item, true);
    else { select(item); moveTo(item, true); }
  }

  function onDoubleClick(event) {
    const item = itemAt(event);
    if (item?.isRegion && !event.target.closest(".fold")) toggle(item, true);
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const item = itemAt(event);
    const moves = { ArrowDown: 1, ArrowUp: -1, ArrowLeft: "left", ArrowRight: "right" };
    if (event.key === "+" || event.key === "=") zoom.by(1.35);
    else if (event.key === "-") zoom.by(1 / 1.35);
    else if (event.key === "0") zoom.fit(true);
    else if (event.key === "Escape") select(null);
    else if (!item) return;
    else if (event.key === "Enter") select(item);
    else if (event.key === " ") { if (item.isRegion) toggle(item, true); else select(item); }
    else if (event.key in moves) walk(item, moves[event.key]);
    else return;
    event.preventDefault();
  }

  /** The nearest box in a direction, the ones that an edge leads to first. */
  function walk(item, direction) {
    const box = layout.boxes.get(item);
    const linked = new Set();
    for (const { of } of drawing.edges) {
      for (const { from, to } of of) {
        if (direction === 1 && from === item) linked.add(to);
        if (direction === -1 && to === item) linked.add(from);
      }
    }
    const middle = { x: box.x + box.w / 2, y: box.y + (box.open ? 10 : box.h / 2) };
    let best = null, least = Infinity;
    for (const [other, { x, y, w, h, open }] of layout.boxes) {
      if (other === item) continue;
      const dx = x + w / 2 - middle.x, dy = y + (open ? 10 : h / 2) - middle.y;
      const sideways = typeof direction === "string";
      const ahead = sideways ? (direction === "left" ? -dx : dx) : direction * dy;
      if (ahead <= 1 || (sideways && Math.abs(dy) > 60)) continue;
      const distance = ahead + 2 * Math.abs(sideways ? dy : dx) - (linked.has(other) ? 1e6 : 0);
      if (distance < least) { least = distance; best = other; }
    }
    if (!best) return;
    moveTo(best, true);
    zoom.center(layout.boxes.get(best), true);
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, select, textarea") && host.isConnected) { event.preventDefault(); search.focus(); search.select(); }
  });

  render();
  showPanel();
  zoom.fit();
  new ResizeObserver((() => { let first = true; return () => { if (first) first = false; else if (layout) zoom.apply(); }; })()).observe(canvas);
  return { select: (item) => select(item, true), model, folded };
};

cg.id = ((next) => (name) => `cg-${name}-${next++}`)(1);
