// The lanes: a row a thread, a column a moment.

let phases = Object.keys(PHASES);
let colours = {};
const strips = new Map();

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(`--${name}`).trim();
  colours = { phases: phases.map(value), paper: value("panel"), soft: value("soft-ink"), accent: value("accent") };
}

/** The place of each lane. 64 workers fit into 256 pixels; a loop is tall, because it holds many connections. */
function rowsOf(lanes) {
  const thin = lanes.filter((lane) => THIN.includes(lane.kind)).length;
  const loops = lanes.filter((lane) => lane.kind === "loop").length;
  const clamp = (low, value, high) => Math.max(low, Math.min(Math.floor(value), high));
  let top = 0;
  return lanes.map((lane) => {
    const tall = !THIN.includes(lane.kind);
    const height = !tall ? clamp(1, 256 / thin, 16) : lane.kind === "loop" ? clamp(30, 284 / loops, 142) : 28;
    top += height;
    return { ...lane, tall, height, top: top - height };
  });
}

/** The picture of one role: a row a lane, a column a moment. A moment is [phase, connection, microseconds, held] a lane. */
class Strip {
  constructor(role) {
    Object.assign(this, { role, rows: rowsOf(role.lanes), moments: [], time: 0, pick: null, tableRows: [] });
    const last = this.rows.at(-1);
    this.height = last ? last.top + last.height + 6 : 6;  // 6: the axis with its marks
    this.canvas = make("canvas", { width: COLUMN * COLUMNS, height: this.height, tabindex: 0, role: "img",
      "data-role": role.role, "data-listen": role.listen[0],
      "aria-label": `Lanes of ${keyOf(role)}. The arrow keys choose a lane and a moment; the same is below as a table.` });
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.held = make("p", { class: "held" });
    this.figures = make("p", { class: "small" });
    this.readout = make("p", { class: "readout small" });
    this.cursor = make("i", { hidden: "" });
    this.tags = this.rows.map((row) => row.tall ? make("span", { style: `top:${row.top}px` }) : null);
    this.counts = phases.map((name) => make("b", {}, "0"));
    this.table = make("details", {}, make("summary", { class: "small" }, "The lanes as a table"));
    this.element = this.layOut();
    this.listen();
    // A strip in a closed part of the page only remembers; it is painted from memory when the part is opened. The
    // margin makes a strip count as seen that is open, but not scrolled to.
    new IntersectionObserver(([seen]) => {
      this.seen = seen.isIntersecting;
      if (this.seen) this.repaint();
    }, { rootMargin: "20000px" }).observe(this.canvas);
    this.tell();
  }

  layOut() {
    const chips = phases.map((name, index) => make("li", {}, swatch(name), `${name} `, this.counts[index]));
    return make("section", { class: "card" },
      make("h3", {}, this.role.role, " ", make("small", {}, `${this.role.model} · ${this.role.listen.join(", ")}`)),
      this.held, make("div", { class: "strip" }, this.canvas, ...this.tags.filter(Boolean), this.cursor),
      this.readout, make("ul", { class: "counts" }, ...chips), this.figures, this.table);
  }

  listen() {
    this.canvas.addEventListener("pointermove", (event) => {
      const box = this.canvas.getBoundingClientRect();
      const y = event.clientY - box.top;
      this.choose(this.rows.findIndex((row) => y < row.top + row.height), Math.floor((box.right - event.clientX) / COLUMN));
    });
    this.canvas.addEventListener("pointerleave", () => this.choose(-1, 0));
    this.canvas.addEventListener("blur", () => this.choose(-1, 0));
    this.canvas.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, 1], ArrowRight: [0, -1], Escape: [-Infinity, 0] }[event.key];
      if (!step) return;
      event.preventDefault();
      const { row, back } = this.pick ?? { row: -1, back: 0 };
      this.choose(Math.min(row + step[0], this.rows.length - 1), Math.max(0, Math.min(back + step[1], COLUMNS - 1)));
      say(byId("announce"), this.readout.textContent);
    });
    this.table.addEventListener("toggle", () => this.fillTable());
  }

  /** Chooses the lane and the moment that the line under the picture tells of. A row below 0 chooses none. */
  choose(row, back) {
    this.pick = row < 0 ? null : { row, back };
    this.cursor.hidden = !this.pick;
    if (this.pick) {
      const { top, height } = this.rows[row];
      this.cursor.style.cssText = `right:${back * COLUMN}px;width:${COLUMN}px;top:${top}px;height:${height}px`;
    }
    this.tell();
  }

  tell() {
    if (!this.pick) return say(this.readout, "Point at a lane, or focus the picture and use the arrow keys: here stands what it does.");
    const moment = this.moments.at(-1 - this.pick.back);
    const { name } = this.rows[this.pick.row];
    if (!moment) return say(this.readout, `${name}: nothing was seen at this moment.`);
    const [phase, connection, micros, held] = moment.lanes.subarray(4 * this.pick.row);
    const ago = this.pick.back ? `, ${duration((this.time - moment.time) / 1000)} ago` : "";
    const where = PHASES[phases[phase]]?.[this.role.model === "async" ? 2 : 1] ?? "";
    const whose = connection ? `, connection ${connection}` : "";
    say(this.readout, `${name}${ago}: ${phases[phase]} for ${duration(micros / 1e6)}${whose}. It holds ${count(held, "connection")}. In the code: ${where}`);
  }

  /** Adds a moment: the picture moves by a column, and only the new column is painted. */
  add(lanes, time) {
    if (this.time && time - this.time > 4 * LANES_MS + 1000) this.push(null);  // paused, hidden or lost: show a gap
    this.push({ lanes: Float64Array.from(lanes.flat()), time, mark: this.time > 0 && Math.floor(time / 5000) !== Math.floor(this.time / 5000) });
    this.time = time;
    this.showHeld();
    if (this.pick) this.tell();
  }

  push(moment) {
    this.moments.push(moment);
    if (this.moments.length > COLUMNS) this.moments.shift();
    if (!this.seen) return;
    this.context.drawImage(this.canvas, -COLUMN, 0);
    this.paint(moment, COLUMN * (COLUMNS - 1));
  }

  paint(moment, x) {
    this.context.fillStyle = colours.paper;
    this.context.fillRect(x, 0, COLUMN, this.height);
    if (!moment) return;
    this.rows.forEach((row, index) => {
      this.context.fillStyle = colours.phases[moment.lanes[4 * index]];
      const height = row.tall ? this.band(row, moment.lanes[4 * index + 3]) : row.height - (row.height > 2);
      this.context.fillRect(x, row.tall ? row.top + row.height - height : row.top, COLUMN, height);
    });
    this.context.fillStyle = colours.soft;
    if (moment.mark) this.context.fillRect(x, this.height - 5, 1, 5);
  }

  /** The height of a tall lane's band: powers of ten of the connections it holds; 3 pixels when it holds none. */
  band(row, held) {
    const share = Math.log10(1 + held) / Math.log10(1 + Math.max(10, this.role.connections_max));
    return 3 + Math.round(Math.min(1, share) * (row.height - 5));
  }

  repaint() {
    this.context.fillStyle = colours.paper;
    this.context.fillRect(0, 0, this.canvas.width, this.height);
    this.moments.forEach((moment, index) => this.paint(moment, COLUMN * (COLUMNS - this.moments.length + index)));
  }

  showHeld() {
    const { lanes } = this.moments.at(-1);
    const held = this.rows.map((_, index) => lanes[4 * index + 3]);
    const total = (kinds) => sum(held.filter((_, index) => kinds.includes(this.rows[index].kind)));
    const { workers, loops } = this.role;
    const where = loops ? `in ${count(loops, "loop")}, ${loops === 1 ? "one thread" : "one thread each"}`
      : `in ${total(THIN)} of ${count(workers, "worker")}; ${total(["parking"])} parked`;
    if (!this.held.firstChild) this.held.append("holds ", make("strong"), " ", make("span"));
    say(this.held.querySelector("strong"), count(sum(held), "connection"));
    say(this.held.querySelector("span"), where);
    this.tags.forEach((tag, index) => tag && say(tag, `${this.rows[index].name} holds ${compact(held[index])}`));
    this.counts.forEach((cell, phase) => say(cell, this.rows.filter((_, index) => lanes[4 * index] === phase).length));
  }

  /** The text alternative of the canvas. It is filled while it is open: once a second is enough to read it. */
  fillTable() {
    if (!this.table.open || !this.moments.at(-1)) return;
    if (!this.tableRows.length) this.buildTable();
    const { lanes } = this.moments.at(-1);
    this.tableRows.forEach((cells, index) => {
      const [phase, connection, micros, held] = lanes.subarray(4 * index);
      [phases[phase], connection || "–", duration(micros / 1e6), held].forEach((text, column) => say(cells[column], text));
    });
  }

  buildTable() {
    this.tableRows = this.rows.map(() => [make("td"), make("td"), make("td"), make("td")]);
    const head = ["Lane", "Phase", "Connection", "For", "Holds"].map((name) => make("th", { scope: "col" }, name));
    const body = this.rows.map((row, index) => make("tr", {}, make("th", { scope: "row" }, row.name), ...this.tableRows[index]));
    this.table.append(make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body)));
  }
}

const swatch = (name) => make("span", { class: "swatch", "aria-hidden": "true", style: `--phase:var(--${name})` });

function drawLegend() {
  const code = (label, text) => make("td", { class: "wide", "data-label": label }, make("code", {}, text));
  for (const [name, [meaning, threaded, async]] of Object.entries(PHASES)) {
    byId("legend").tBodies[0].append(make("tr", {}, make("th", { scope: "row" }, swatch(name), name),
      make("td", { class: "wide" }, meaning), code("Threaded", threaded), code("Async", async)));
  }
}

/** The roles whose lanes stand in front: both models before the same back ends; else all that have back ends; else all. */
function featured(roles) {
  const targets = (role) => backendsOf(role).map((one) => one.address).sort().join();
  const leading = roles.filter((role) => role.groups.length);
  const paired = leading.filter((role) => leading.some((other) => other.model !== role.model && targets(other) === targets(role)));
  return [paired, leading, roles].find((some) => some.length);
}

function showStrips({ roles }) {
  if (changed("strips", roles.map((role) => [keyOf(role), role.lanes]))) buildStrips(roles);
  for (const role of roles) {
    const strip = strips.get(keyOf(role));
    const turns = `${compact(perSecond(role, "loop_iterations"), "iterations/s")} · ${eventsEach(role)} events an iteration`;
    say(strip.figures, role.loops ? turns : `worker queue: ${compact(role.worker_queue)} of ${compact(role.worker_queue_max)}`);
    strip.fillTable();
  }
}

function buildStrips(roles) {
  strips.clear();
  for (const role of roles) strips.set(keyOf(role), new Strip(role));
  const front = featured(roles);
  const rest = roles.filter((role) => !front.includes(role));
  const elements = (some) => some.map((role) => strips.get(keyOf(role)).element);
  byId("lanes").replaceChildren(...elements(front));
  byId("more-lanes").querySelector("div").replaceChildren(...elements(rest));
  byId("more-lanes").hidden = !rest.length;
}

function showLanes(news) {
  if (changed("phases", news.phases)) { phases = news.phases; readColours(); }
  for (const role of news.roles) {
    const strip = strips.get(keyOf(role));
    // Other lanes than we know: the process was reloaded or started anew, and the next status names them.
    if (strip && role.lanes.length === strip.rows.length) strip.add(role.lanes, news.time_ms);
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readColours();
  strips.forEach((strip) => strip.repaint());
});
