// Moving and scaling of the drawing by mouse, touch and keyboard.
"use strict";

/**
 * @param frame the element that shows a part of the drawing.
 * @param target the SVG group that is moved.
 * @returns {{fit, by, center, state}}
 */
cg.zoom = function (frame, target, size, changed) {
  const state = { x: 0, y: 0, k: 1 };
  const LEAST = 0.03, MOST = 4;

  function apply() {
    target.setAttribute("transform", `translate(${state.x} ${state.y}) scale(${state.k})`);
    changed(state.k);
  }
  function about(px, py, factor) {
    const k = Math.min(MOST, Math.max(LEAST, state.k * factor));
    state.x = px - ((px - state.x) * k) / state.k;
    state.y = py - ((py - state.y) * k) / state.k;
    state.k = k;
    apply();
  }
  const by = (factor) => about(frame.clientWidth / 2, frame.clientHeight / 2, factor);

  /** All of it if that stays readable, else its beginning at a readable size. */
  function fit(whole) {
    const { width, height } = size();
    const margin = 16, w = frame.clientWidth - 2 * margin, h = frame.clientHeight - 2 * margin;
    const all = Math.min(w / width, h / height);
    state.k = Math.min(1.15, whole ? all : Math.max(all, Math.min(0.72, w / width), 0.3));
    state.x = (frame.clientWidth - width * state.k) / 2;
    state.y = Math.max(margin, (frame.clientHeight - height * state.k) / 2);
    apply();
  }

  /** Bring a box of the drawing into the middle, or only into sight. */
  function center(box, onlyIfHidden) {
    const k = onlyIfHidden ? state.k : Math.max(state.k, 0.7);
    const left = box.x * state.k + state.x, top = box.y * state.k + state.y;
    const inSight = left >= 0 && top >= 0 && left + box.w * state.k <= frame.clientWidth && top + box.h * state.k <= frame.clientHeight;
    if (onlyIfHidden && inSight) return;
    state.k = k;
    state.x = frame.clientWidth / 2 - (box.x + box.w / 2) * k;
    state.y = Math.min(frame.clientHeight / 2 - (box.y + Math.min(box.h, frame.clientHeight / k - 60) / 2) * k, frame.clientHeight);
    apply();
  }

  frame.addEventListener("wheel", (event) => {
    event.preventDefault();
    const bounds = frame.getBoundingClientRect();
    if (event.shiftKey && !event.ctrlKey) { state.x -= event.deltaY || event.deltaX; apply(); return; }
    const step = event.deltaMode === 1 ? 18 * event.deltaY : event.deltaY;
    about(event.clientX - bounds.left, event.clientY - bounds.top, Math.exp(-step * (event.ctrlKey ? 0.01 : 0.0016)));
  }, { passive: false });

  // One pointer drags, two pinch. A press that hardly moves is a click and is left to whoever listens.
  const pointers = new Map();
  let dragged = false;
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { d: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    if (pointers.size === 0) dragged = false;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, x0: event.clientX, y0: event.clientY });
  });
  frame.addEventListener("pointermove", (event) => {
    const pointer = pointers.get(event.pointerId);
    if (!pointer) return;
    const before = pointers.size === 2 ? spread() : null;
    const dx = event.clientX - pointer.x, dy = event.clientY - pointer.y;
    if (!dragged && Math.hypot(event.clientX - pointer.x0, event.clientY - pointer.y0) < 5 && !before) return;
    if (!dragged) { dragged = true; frame.setPointerCapture(event.pointerId); frame.classList.add("dragging"); }
    pointer.x = event.clientX; pointer.y = event.clientY;
    if (before) {
      const now = spread(), bounds = frame.getBoundingClientRect();
      state.x += now.x - before.x; state.y += now.y - before.y;
      about(now.x - bounds.left, now.y - bounds.top, now.d / (before.d || 1));
    } else if (pointers.size === 1) {
      state.x += dx; state.y += dy;
      apply();
    }
  });
  const release = (event) => {
    pointers.delete(event.pointerId);
    if (!pointers.size) frame.classList.remove("dragging");
  };
  frame.addEventListener("pointerup", release);
  frame.addEventListener("pointercancel", release);
  frame.addEventListener("click", (event) => {
    if (dragged) { event.stopPropagation(); event.preventDefault(); dragged = false; }
  }, true);

  return { fit, by, center, apply, state };
};
