// The back ends with their buttons, and the closing lines.

const FIELDS = {
  state: (one) => one.state,
  active: (one) => compact(one.active),
  served: (one) => compact(one.served),
  failed: (one) => compact(one.failed),
  checks: (one) => `${compact(one.checks_passed)} / ${compact(one.checks_failed)}`,
  ejections: (one) => compact(one.ejections),
};
const LABELS = { active: "Active", served: "Served", failed: "Failed", checks: "Checks", ejections: "Ejections" };

function showBackends({ roles, token_needed }) {
  byId("token-line").hidden = !token_needed;
  const list = roles.flatMap((role) => role.groups.map((group) => ({ role, group })));
  const basis = ({ role, group }) => [keyOf(role), group.name, group.backends.map((one) => [one.address, one.host, one.service])];
  if (changed("backends", list.map(basis))) {
    for (const body of [...byId("backends").tBodies]) body.remove();
    byId("backends").append(...list.map(groupElement));
  }
  list.forEach(({ group }, index) => {
    const [title, ...rows] = byId("backends").tBodies[index].rows;
    const limit = group.active_max ? `, at most ${group.active_max} at a time each, ${compact(group.waiting)} waiting` : "";
    say(title.querySelector("small"), `${group.policy}${limit}`);
    group.backends.forEach((one, row) => showBackend(rows[row], one));
  });
}

function groupElement({ role, group }) {
  const title = make("th", { colspan: 8, scope: "rowgroup" }, `${keyOf(role)} → ${group.name} `, make("small"));
  return make("tbody", {}, make("tr", {}, title), ...group.backends.map((one) => backendRow(role, group, one)));
}

/** What a back end gets, where that is not the usual: its weight, its use as a backup, and how far its slow start is. */
function shareOf({ weight, backup, slow_start }) {
  const parts = [weight !== 1 && `weight ${weight}`, backup && "backup", slow_start < 1 && `slow start ${Math.round(100 * slow_start)} %`];
  return parts.filter(Boolean).join(", ");
}

function backendRow(role, group, one) {
  const look = (field) => LABELS[field] && { "data-label": LABELS[field], class: "number" };
  const cells = Object.keys(FIELDS).map((field) => make("td", { "data-field": field, ...look(field) }));
  const note = make("span", { class: "note small" });
  const row = make("tr", { "data-role": role.role, "data-listen": role.listen[0], "data-group": group.name, "data-address": one.address });
  const name = `${one.address} in ${group.name} of ${role.role}`;
  const buttons = ["ready", "drain", "down"].map((control) =>
    make("button", { "data-control": control, "aria-label": `${control} ${name}` }, control));
  for (const button of buttons) button.addEventListener("click", () => order(row.dataset, button, note));
  row.append(make("th", { scope: "row", class: "next" }, placeOf(one), " ", make("small", { class: "share" })), ...cells,
    make("td", { class: "wide" }, ...buttons.flatMap((button) => [button, " "]), note));
  return row;
}

/** Where a back end is, by which name, and by which service. */
function placeOf({ address, host, service }) {
  const place = host ? `${host} (${address})` : address;
  return service ? `${place} of srv:${service}` : place;
}

function showBackend(row, one) {
  Object.assign(row.dataset, { state: one.state, next: one.next });
  say(row.querySelector(".share"), shareOf(one));
  for (const cell of row.querySelectorAll("[data-field]")) say(cell, FIELDS[cell.dataset.field](one));
  for (const button of row.querySelectorAll("button")) button.setAttribute("aria-pressed", button.dataset.control === one.control);
}

/** Orders a back end ready, drained or down. The next status shows what came of it; an error is shown beside the button. */
async function order({ role, listen, group, address }, button, note) {
  const { control } = button.dataset;
  const path = `/backends/${encodeURIComponent(group)}/${address}/${control}?${new URLSearchParams({ role, listen })}`;
  const token = byId("token").value;
  button.disabled = true;
  const fault = await send(path, token ? { Authorization: `Bearer ${token}` } : {});
  button.disabled = false;
  if (document.activeElement === document.body) button.focus();  // a disabled button loses the focus
  say(note, fault ? `Not done: ${fault}` : "");
  say(byId("announce"), fault ? `${control} ${address}: not done: ${fault}` : `${address} in ${group} of ${role} is now ${control}`);
}

const FAULTS = {
  401: "the token is missing or wrong.",
  403: "the server allows no changes from this page's address.",
  404: "the server has no such back end now.",
};

/** Posts, and gives back what went wrong as a sentence; an empty one when all went well. */
async function send(path, headers) {
  try {
    const response = await fetch(path, { method: "POST", headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    return response.ok ? "" : FAULTS[response.status] ?? `the server responded with status ${response.status}.`;
  } catch {
    return "no answer from the server.";
  }
}


function showClosings({ closings }) {
  const list = byId("closings");
  while (list.children.length > closings.length) list.lastChild.remove();
  while (list.children.length < closings.length) list.append(make("li"));
  closings.toReversed().forEach((line, index) => {
    say(list.children[index], line);
    list.children[index].dataset.clean = !line.includes(" clean=false");
  });
}
