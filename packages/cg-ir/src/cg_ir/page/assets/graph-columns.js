// Ranks of one region's layout as bands, long layouts broken into columns, and the ways of edges between bands: an edge bends only
// between two bands, where no box is, so it runs through none.
"use strict";

/**
 * The bands of a layout, top to bottom.
 *
 * @param boxes {x, y, width, height} by their middles; those of one rank have one y.
 * @param lines {points} whose points lie at the middles of ranks that they pass, or between ranks.
 * @returns {Array} {middle, top, bottom, left, right}.
 */
cg.bands = function (boxes, lines) {
  const bands = new Map();
  for (const { x, y, width, height } of boxes) {
    const key = Math.round(y);
    const band = bands.get(key) || { middle: y, top: y, bottom: y, left: Infinity, right: -Infinity };
    band.top = Math.min(band.top, y - height / 2);
    band.bottom = Math.max(band.bottom, y + height / 2);
    band.left = Math.min(band.left, x - width / 2);
    band.right = Math.max(band.right, x + width / 2);
    bands.set(key, band);
  }
  for (const { points } of lines) for (const { x, y } of points) {
    const band = bands.get(Math.round(y));
    if (band) { band.left = Math.min(band.left, x - 5); band.right = Math.max(band.right, x + 5); }
  }
  return [...bands.values()].sort((a, b) => a.middle - b.middle);
};

/** Ranges [first, end) of bands, one a column, filled up to a height; a band without boxes stays with the one before. */
cg.fillColumns = function (bands, limit) {
  const columns = [];
  let start = 0;
  bands.forEach((band, i) => {
    if (i > start && band.bottom - band.top > 2 && band.bottom - bands[start].top > limit) { columns.push([start, i]); start = i; }
  });
  columns.push([start, bands.length]);
  return columns;
};

/** Width and height of columns side by side. */
cg.extent = function (bands, columns, gutter) {
  let width = 0, height = 0;
  for (const [start, end] of columns) {
    const own = bands.slice(start, end);
    width += Math.max(...own.map((band) => band.right)) - Math.min(...own.map((band) => band.left));
    height = Math.max(height, own[own.length - 1].bottom - own[0].top);
  }
  return { width: width + gutter * (columns.length - 1), height: height + (columns.length > 1 ? 44 : 0) };
};

/**
 * Where columns are broken so that all of it is shown as large as can be.
 *
 * @param shape {width, height} that it is to be shown in; with `least` it is left in one column up to that height.
 */
cg.columns = function (bands, shape, gutter, least) {
  const whole = [[0, bands.length]];
  if (!bands.length || bands[bands.length - 1].bottom - bands[0].top <= least) return whole;
  const scale = (columns) => {
    const { width, height } = cg.extent(bands, columns, gutter);
    return Math.min(shape.width / width, shape.height / height);
  };
  const total = bands[bands.length - 1].bottom - bands[0].top;
  let best = whole, most = scale(whole);
  for (let count = 2; count <= Math.min(24, bands.length); count++) {
    let low = total / count, high = total;
    for (let step = 0; step < 12; step++) {
      const middle = (low + high) / 2;
      if (cg.fillColumns(bands, middle).length <= count) high = middle; else low = middle;
    }
    const columns = cg.fillColumns(bands, high), found = scale(columns);
    if (found > most * 1.02) { best = columns; most = found; }
  }
  return best;
};

/**
 * How far each band moves, and the ways of the lines.
 *
 * @returns {{shift: Array, ways: Array}} {dx, dy} of each band; of each line the steps {how, x, y}: M and L as in SVG paths, S with
 *   vertical tangents, C a rounded corner.
 */
cg.wrap = function (bands, columns, lines, gutter) {
  const LANE = 8;
  const shift = [], columnOf = [];
  const head = columns.length > 1 ? 30 : 0;
  let left = 0;
  const edges = columns.map(([start, end], number) => {
    const own = bands.slice(start, end);
    const low = Math.min(...own.map((band) => band.left)), high = Math.max(...own.map((band) => band.right));
    for (let i = start; i < end; i++) { shift[i] = { dx: left - low, dy: (number ? head : 0) - own[0].top }; columnOf[i] = number; }
    const right = left + high - low;
    left = right + gutter;
    return { foot: own[own.length - 1].bottom + shift[start].dy, right };
  });
  const at = new Map(bands.map((band, i) => [Math.round(band.middle), i]));
  const lanes = columns.map(() => new Map());
  const ways = lines.map(({ points, source }) => {
    const stops = points.map(({ x, y }) => ({ x, band: at.get(Math.round(y)) })).filter(({ band }) => band !== undefined);
    const steps = [];
    stops.forEach(({ x, band }, i) => {
      const { dx, dy } = shift[band], { top, bottom } = bands[band];
      if (i) {
        const column = columnOf[stops[i - 1].band];
        if (column !== columnOf[band]) {
          const mine = lanes[column];
          if (!mine.has(source)) mine.set(source, mine.size);
          const lane = LANE * (mine.get(source) % 3), { foot, right } = edges[column];
          const across = right + gutter / 2 - LANE + lane;
          const before = steps[steps.length - 1].x;
          steps.push({ how: "C", x: before, y: foot + 12 + lane }, { how: "C", x: across, y: foot + 12 + lane }, { how: "C", x: across, y: top + dy - 26 + lane }, { how: "C", x: x + dx, y: top + dy - 26 + lane }, { how: "L", x: x + dx, y: top + dy });
        } else steps.push({ how: "S", x: x + dx, y: top + dy });
      } else steps.push({ how: "M", x: x + dx, y: top + dy });
      steps.push({ how: "L", x: x + dx, y: bottom + dy });
    });
    return steps;
  });
  return { shift, ways };
};

/** Steps as the data of an SVG path. */
cg.edgePath = function (steps) {
  const at = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;
  let { x, y } = steps[0], path = "M" + at(x, y);
  steps.slice(1).forEach((step, i) => {
    const next = steps[i + 2];
    if (Math.hypot(step.x - x, step.y - y) < 0.05) return; // an arrow's head turns as the last piece does
    if (step.how === "S" && Math.abs(step.x - x) > 0.05) {
      const half = (y + step.y) / 2;
      path += `C${at(x, half)} ${at(step.x, half)} ${at(step.x, step.y)}`;
    } else if (step.how === "C" && next) {
      const before = Math.abs(step.x - x) + Math.abs(step.y - y), after = Math.abs(next.x - step.x) + Math.abs(next.y - step.y);
      const r = Math.min(7, before / 2, after / 2);
      const toward = (to, far) => ({ x: step.x + (far && ((to.x - step.x) / far) * r), y: step.y + (far && ((to.y - step.y) / far) * r) });
      const from = toward({ x, y }, before), on = toward(next, after);
      path += `L${at(from.x, from.y)}Q${at(step.x, step.y)} ${at(on.x, on.y)}`;
      x = on.x; y = on.y;
      return;
    } else path += "L" + at(step.x, step.y);
    x = step.x; y = step.y;
  });
  return path;
};
