// A page that is one graph view.
"use strict";
document.getElementById("head-tools").append(cg.themeButton());
cg.graphView(document.getElementById("graph"), cg.data("graph-data"));
