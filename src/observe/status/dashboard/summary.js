// The summary, and what is wrong.

const backendsOf = (role) => role.groups.flatMap((group) => group.backends);
let cpuBefore = null;

function showSummary(status) {
  const backends = status.roles.flatMap(backendsOf);
  const { cpu_s, resident_bytes, open_files, open_files_max } = status.process;
  const cpu = cpuBefore && cpu_s !== null ? 100 * (cpu_s - cpuBefore[0]) / (status.uptime_s - cpuBefore[1]) : null;
  cpuBefore = [cpu_s, status.uptime_s];
  const facts = {
    "Ready": status.ready ? "yes" : "no",
    "Back ends usable": backends.length ? `${backends.filter((one) => one.usable).length} of ${backends.length}` : "none configured",
    "Connections open": compact(sum(status.roles.map((role) => role.connections.open))),
    "Processor, of one core": cpu === null || cpu < 0 ? "–" : `${cpu.toFixed(0)} %`,
    "Memory": resident_bytes === null ? "–" : compact(resident_bytes, "B"),
    "Open files": open_files === null ? "–" : compact(open_files) + (open_files_max ? ` of ${compact(open_files_max)}` : ""),
    "Running for": duration(status.uptime_s),
  };
  const element = (name) => make("div", {}, make("dt", {}, name), make("dd", { "data-fact": name }));
  if (changed("summary")) byId("summary").append(...Object.keys(facts).map(element));
  for (const value of byId("summary").querySelectorAll("dd")) say(value, facts[value.dataset.fact]);
  say(byId("version"), `${status.version}, process ${status.pid}`);
}

function showProblems(status) {
  const problems = [...status.reasons];
  for (const role of status.roles) {
    if (role.state !== "running") problems.push(`${keyOf(role)} is in ${role.state === "draining" ? "its drain" : role.state}`);
    const out = backendsOf(role).filter((one) => one.state !== "up");
    problems.push(...out.map((one) => `${keyOf(role)}: back end ${one.address} is ${one.state === "drain" ? "draining" : one.state}`));
  }
  if (status.log_lines_dropped) problems.push(`${count(status.log_lines_dropped, "log line")} dropped: the log is written more slowly than it grows`);
  if (problems.length > 8) problems.splice(7, problems.length, `and ${problems.length - 7} more`);
  if (changed("problems", problems)) byId("problems").replaceChildren(...problems.map((text) => make("li", {}, text)));
  document.title = problems.length ? `(${problems.length}) giliran` : "giliran";
}
