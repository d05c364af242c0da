// The map of the roles.

const ROW_PX = 70;  // a node and the space under it
const NODE_PX = 62;
const GAP = .32;    // between two columns of nodes, as a share of a node

/** Whether a role listens at the address; a wildcard listener has every address of this machine, of which we know loopback. */
function listensAt(role, address) {
  const port = address.slice(address.lastIndexOf(":"));
  return role.listen.some((own) => own === address ||
    (/^(0\.0\.0\.0|\[::\]):/.test(own) && /^(127\.|\[::1\])/.test(address) && own.endsWith(port)));
}

/** The nodes (roles, and back ends that are no role of this process) and the edges between them. */
function graph(roles) {
  const nodes = roles.map((role) => ({ key: keyOf(role), role, level: 0, from: new Set() }));
  const edges = [];
  for (const role of roles) for (const group of role.groups) for (const one of group.backends) {
    let to = nodes.find((node) => node.role && listensAt(node.role, one.address));
    const key = `${keyOf(role)} ${group.name}`;
    to ??= nodes.find((node) => node.key === key);
    if (!to) nodes.push(to = { key, outside: 0, level: 1, from: new Set() });
    if (to.outside !== undefined) to.outside++;
    to.from.add(`“${group.name}” of ${role.role}`);
    edges.push({ from: nodes.find((node) => node.role === role), to, group: group.name, address: one.address });
  }
  // A node stands right of all that lead to it. Three passes are enough for three levels, and end in a circle, too.
  for (let pass = 0; pass < 3; pass++) {
    for (const { from, to } of edges) to.level = Math.min(3, Math.max(to.level, from.level + 1));
  }
  return { nodes, edges };
}

/** Gives each node its place: left and width in percent, top in pixels. Nothing has to be measured for that. */
function place({ nodes, edges }) {
  const levels = Math.max(...nodes.map((node) => node.level)) + 1;
  const columns = Array.from({ length: levels }, (_, level) => nodes.filter((node) => node.level === level));
  // Who leads somewhere comes first and its targets stand in the same order, so that few lines cross.
  columns[0].sort((a, b) => edges.some((edge) => edge.from === b) - edges.some((edge) => edge.from === a));
  const rank = (node) => edges.findIndex((edge) => edge.to === node);
  columns.slice(1).forEach((column) => column.sort((a, b) => rank(a) - rank(b)));
  const height = Math.max(...columns.map((column) => column.length)) * ROW_PX;
  const width = 100 / (levels + GAP * (levels - 1));
  columns.forEach((column, level) => column.forEach((node, row) => {
    Object.assign(node, { left: (1 + GAP) * width * level, width, top: (row + .5) * height / column.length - NODE_PX / 2 });
  }));
  return height;
}

function nodeElement(node) {
  const { role } = node;
  const from = [...node.from].join(", ");
  const model = role ? role.model : "outside";
  const style = `left:${node.left}%;width:${node.width}%;top:${node.top}px;height:${NODE_PX}px`;
  return make("div", { class: "node", "data-key": node.key, "data-model": model, title: from && `from ${from}`, style },
    make("div", {}, make("b", {}, role ? role.role : count(node.outside, "back end")), " ", make("small", {}, role ? role.model : ""),
      make("span", { class: "hidden" }, from && `, led to by ${from}`)),
    make("div", { class: "small" }, role ? role.listen.join(", ") : `outside this process · ${from}`),
    make("div", { class: "small", "data-field": "doing" }));
}

function drawMap(roles) {
  const drawn = graph(roles);
  const height = place(drawn);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 100 ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");  // the nodes say in words who leads to them
  for (const { from, to, group, address } of drawn.edges) {
    const path = document.createElementNS(svg.namespaceURI, "path");
    const [x1, x2, y1, y2] = [from.left + from.width, to.left, from.top + NODE_PX / 2, to.top + NODE_PX / 2];
    path.setAttribute("d", `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`);
    path.dataset.edge = [from.key, group, address].join(" ");
    svg.append(path);
  }
  byId("map").style.height = `${height}px`;
  byId("map").replaceChildren(svg, ...drawn.nodes.map(nodeElement));
}

/** One role needs no picture: its map is one line. */
function mapLine(role) {
  const groups = role.groups.map((group) => `group “${group.name}” (${group.policy}) leads to ${group.backends.map((one) => one.address).join(", ")}`);
  return [`${role.role} (${role.model}, ${role.service}) listens on ${role.listen.join(", ")}, ${role.state}`, ...groups].join("; ");
}

function showMap({ roles }) {
  const routes = (role) => role.groups.map((group) => [group.name, group.backends.map((one) => one.address)]);
  const differs = changed("map", roles.map((role) => [role.role, role.listen, routes(role)]));
  if (roles.length === 1) {
    byId("map").style.height = "";
    return say(byId("map"), mapLine(roles[0]));
  }
  if (differs) drawMap(roles);
  for (const role of roles) {
    const node = byId("map").querySelector(`[data-key="${CSS.escape(keyOf(role))}"] [data-field=doing]`);
    const all = backendsOf(role);
    const usable = all.length ? ` · ${all.filter((one) => one.usable).length} of ${all.length} up` : "";
    say(node, `${role.state === "running" ? "" : `${role.state} · `}${rateText(role)}${usable}`);
    for (const group of role.groups) for (const one of group.backends) {
      const edge = byId("map").querySelector(`[data-edge="${CSS.escape([keyOf(role), group.name, one.address].join(" "))}"]`);
      Object.assign(edge.dataset, { busy: one.active > 0, usable: one.usable });
    }
  }
}
