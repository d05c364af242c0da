// The start: everything is shown for the first time, and then again and again.

function showStatus(status) {
  remember(status);
  for (const show of [showSummary, showProblems, showMap, showStrips, showTraffic, showBackends, showClosings]) show(status);
}

say(byId("lanes-rate"), `A column is one moment, ${1000 / LANES_MS} a second.`);
readColours();
drawLegend();
poll("/status.json", STATUS_MS, showStatus);
poll("/lanes.json", LANES_MS, showLanes);
