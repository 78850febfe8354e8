// A labelled list to choose from.
"use strict";
cg.choice = function (label, options, chosen, change) {
  const select = cg.h("select", { change: () => change(select.value) }, options.map(([value, text]) => cg.h("option", { value, selected: value === chosen }, text)));
  return cg.h("label", { class: "choice" }, label + " ", select);
};
