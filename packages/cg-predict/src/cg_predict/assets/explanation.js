// The page of an explanation: its drawings, painted with contributions at first, whole and without their panels.
"use strict";
document.getElementById("head-tools").append(cg.themeButton());
document.querySelectorAll(".drawing-of").forEach((host) => {
  cg.graphView(host, cg.data(host.dataset.graph), "paint");
  host.querySelector("button.details").click();
  host.querySelector(".zoom-bar button:last-child").click();
});
