// The traffic: rates and percentiles of the last minutes.

const traffic = new Map();  // key of a role: its samples, oldest first
let pid = null;

/** The value below which a share of those requests stay that came between two states of a histogram; null if none came. */
function percentile(bounds, before, after, share) {
  const counts = after.map((now, index) => now - before[index]);
  let rank = share * sum(counts);
  if (!(rank > 0)) return null;
  for (let index = 0; index < bounds.length; index++) {
    const low = index ? bounds[index - 1] : 0;
    if (rank <= counts[index]) return low + (bounds[index] - low) * rank / counts[index];
    rank -= counts[index];
  }
  return bounds.at(-1);  // above the last bound: all that is known is "more than that"
}

/** Adds what came since the last status. Counters of a process that was started anew begin at 0: no difference then. */
function remember(status) {
  if (pid !== status.pid) traffic.clear();
  pid = status.pid;
  for (const role of status.roles) {
    const samples = traffic.get(keyOf(role)) ?? [];
    traffic.set(keyOf(role), samples);
    samples.push(sample(role, status.time_ms, samples));
    while (samples[0].time < status.time_ms - HISTORY_MS) samples.shift();
  }
}

function sample(role, time, samples) {
  const requests = sum(Object.entries(role.requests).map(([kind, number]) => kind === "none" ? 0 : number));
  const { bytes_in, bytes_out, loop_iterations, loop_events, latency } = role;
  const work = role.service === "relay" ? role.connections.accepted : requests;
  const now = { time, work, bytes_in, bytes_out, loop_iterations, loop_events,
    first: latency.first_byte.buckets, total: latency.total.buckets, rates: {} };
  const last = samples.at(-1);
  if (last) for (const name of ["work", "bytes_in", "bytes_out", "loop_iterations", "loop_events"]) {
    now.rates[name] = Math.max(0, now[name] - last[name]) / Math.max(.001, (time - last.time) / 1000);
  }
  const before = samples.find((one) => one.time >= time - WINDOW_MS) ?? now;
  for (const name of ["first", "total"]) {
    now[`${name}50`] = percentile(latency.bounds_s, before[name], now[name], .5);
    now[`${name}99`] = percentile(latency.bounds_s, before[name], now[name], .99);
  }
  return now;
}

const latest = (role) => traffic.get(keyOf(role)).at(-1);
const perSecond = (role, name) => latest(role).rates[name] ?? 0;
const eventsEach = (role) => (perSecond(role, "loop_events") / Math.max(1, perSecond(role, "loop_iterations"))).toFixed(1);
const rateText = (role) => compact(perSecond(role, "work"), role.service === "relay" ? "conn/s" : "req/s");
const percentiles = (role, name) => `${duration(latest(role)[`${name}50`])} · p99 ${duration(latest(role)[`${name}99`])}`;

function trouble(role) {
  const { connections, requests, unclean, retries, backend_queue, latency } = role;
  const facts = { "5xx": requests["5xx"], "4xx": requests["4xx"], refused: connections.refused, unclean, retries,
    "wait for a back end": backend_queue };
  const above = latency.total.buckets.at(-1);
  if (above) facts[`above ${duration(latency.bounds_s.at(-1))}`] = above;
  return Object.entries(facts).filter(([, number]) => number).map(([name, number]) => `${compact(number)} ${name}`).join(" · ") || "none";
}

/** The columns of the traffic: text, and the two lines of its plot as shares of its height. */
function columns(scale) {
  const linear = (name, max) => (one) => one.rates[name] === undefined ? null : one.rates[name] / max;
  const log = (name) => (one) => one[name] === null ? null : Math.log10(Math.max(1, one[name] / 1e-4)) / 5;
  const bytes = (role) => `${compact(perSecond(role, "bytes_out"), "B/s")} · in ${compact(perSecond(role, "bytes_in"), "B/s")}`;
  return {
    "Open": [(role) => `${compact(role.connections.open)} of ${compact(role.connections_max)}`],
    "Trouble": [trouble],
    "Rate": [rateText, linear("work", scale.rate), () => null],
    "Bytes out": [bytes, linear("bytes_out", scale.bytes), linear("bytes_in", scale.bytes)],
    "First byte p50": [(role) => percentiles(role, "first"), log("first50"), log("first99")],
    "Total p50": [(role) => percentiles(role, "total"), log("total50"), log("total99")],
  };
}

function showTraffic({ roles, time_ms }) {
  const samples = [...traffic.values()].flat();
  const most = (...names) => samples.reduce((max, one) => Math.max(max, ...names.map((name) => one.rates[name] ?? 0)), 1);
  const scale = { rate: most("work"), bytes: most("bytes_in", "bytes_out") };
  const parts = columns(scale);
  if (changed("traffic", roles.map(keyOf))) byId("traffic").tBodies[0].replaceChildren(...roles.map((role) => trafficRow(role, parts)));
  say(document.querySelector("[data-scale=rate]"), `Rate (up to ${compact(scale.rate, "/s")})`);
  say(document.querySelector("[data-scale=bytes]"), `Bytes out and in (up to ${compact(scale.bytes, "B/s")})`);
  roles.forEach((role, index) => {
    Object.values(parts).forEach(([text, ...lines], column) => {
      const cell = byId("traffic").tBodies[0].rows[index].cells[column + 1];
      say(cell.firstChild, text(role));
      if (lines.length) plot(cell.lastChild, traffic.get(keyOf(role)), lines, time_ms);
    });
  });
}

function trafficRow(role, parts) {
  const cells = Object.entries(parts).map(([label, [, ...lines]]) => make("td", { "data-label": label }, make("span"),
    ...lines.length ? [make("canvas", { class: "plot", width: 320, height: 66, "aria-hidden": "true" })] : []));
  return make("tr", { "data-role": role.role, "data-listen": role.listen[0] },
    make("th", { scope: "row" }, role.role, make("br"), make("small", {}, role.listen[0])), ...cells);
}

function plot(canvas, samples, lines, now) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  context.lineWidth = 3;
  lines.forEach((share, index) => {
    context.strokeStyle = index ? colours.soft : colours.accent;
    context.setLineDash(index ? [3, 4] : []);
    context.beginPath();
    let before = null;  // a gap in time or in the values is a gap in the line
    for (const one of samples) {
      const value = share(one);
      const x = width * (1 - (now - one.time) / HISTORY_MS), y = height - 3 - (height - 6) * Math.min(1, value);
      if (value !== null) before !== null && one.time - before < 4 * STATUS_MS ? context.lineTo(x, y) : context.moveTo(x, y);
      before = value === null ? null : one.time;
    }
    context.stroke();
  });
}
