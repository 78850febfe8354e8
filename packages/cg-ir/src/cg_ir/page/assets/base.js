// The namespace of the page's scripts, building of elements, numbers in words, and the light and dark switch.
// Whatever comes from the data is set as text, never as markup.
"use strict";
const cg = {};

/** An HTML element: attributes (functions become listeners), then children (strings become text). */
cg.h = function (tag, attributes, ...children) {
  return cg.fill(document.createElement(tag), attributes, children);
};

/** An SVG element. */
cg.svg = function (tag, attributes, ...children) {
  return cg.fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
};

cg.fill = function (element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};

/** 1234567 as "1.23 M". */
cg.short = function (value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  for (const [unit, name] of [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (size >= unit * 0.9995) return (value / unit).toPrecision(3) + " " + name;
  }
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
};

/** 1234567 as "1,234,567". */
cg.whole = (value) => (Number.isFinite(value) ? value.toLocaleString("en-US") : "–");

/** 0.0312 as "+0.031". */
cg.signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(3);

cg.percent = function (part, total) {
  if (!total) return "0%";
  const share = (100 * part) / total;
  return share === 0 ? "0%" : share < 0.1 ? "<0.1%" : share.toFixed(1) + "%";
};

/** [1, 16, 32, 32] as "1 × 16 × 32 × 32". */
cg.shape = (shape) => (shape.length ? shape.join(" × ") : "scalar");

cg.plural = (count, word) => cg.whole(count) + " " + word + (count === 1 ? "" : "s");

/** The JSON that the page carries under an id. */
cg.data = (id) => JSON.parse(document.getElementById(id).textContent);

cg.isDark = function () {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

/** The switch between light and dark; what the reader chose is remembered where the browser allows it. */
cg.themeButton = function () {
  const root = document.documentElement;
  try {
    const stored = localStorage.getItem("cg-theme");
    if (stored === "light" || stored === "dark") root.dataset.theme = stored;
  } catch { /* storage is off: the system's choice holds */ }
  const button = cg.h("button", { type: "button", class: "icon", id: "theme", click: change }, "");
  function show() {
    button.textContent = cg.isDark() ? "☀" : "☾";
    const label = cg.isDark() ? "Use light colours" : "Use dark colours";
    button.setAttribute("aria-label", label);
    button.title = label;
  }
  function change() {
    root.dataset.theme = cg.isDark() ? "light" : "dark";
    try { localStorage.setItem("cg-theme", root.dataset.theme); } catch { /* as above */ }
    show();
    document.dispatchEvent(new CustomEvent("cg-theme"));
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    show();
    document.dispatchEvent(new CustomEvent("cg-theme"));
  });
  show();
  return button;
};
