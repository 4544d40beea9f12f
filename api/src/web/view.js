// The board: apps with their instances, nodes, events. Drawn anew from the world, at most a few times a second.

import { bytes, el, percent, pill, since, spark } from "./draw.js";
import { last } from "./figures.js";
import { logs } from "./logs.js";
import { verdict } from "./world.js";

const MOST_ROWS = 300;
const open = new Set(); // apps whose instances are shown
const at = (id) => document.getElementById(id);
const matches = (text, filter) => text.toLowerCase().includes(filter);

export function shownApps(world, filter) {
  return [...world.apps.keys()].filter((id) => matches(id, filter)).sort().slice(0, MOST_ROWS);
}

export function draw(world, figures, filter) {
  const now = Date.now();
  const apps = shownApps(world, filter);
  at("apps-count").textContent = count(apps.length, world.apps.size);
  at("apps").replaceChildren(
    ...(apps.length
      ? [head(), ...apps.map((id) => appRow(world, figures, world.apps.get(id), now))]
      : [empty(world.apps.size ? "No app matches." : "No app yet. Start a container: docker run -d -l qae.app=hello …")]),
  );
  const nodes = [...world.nodes.values()].filter((n) => matches(n.name, filter)).sort((a, b) => (a.name < b.name ? -1 : 1));
  at("nodes-count").textContent = count(nodes.length, world.nodes.size);
  at("nodes").replaceChildren(nodes.length ? nodeTable(world, nodes.slice(0, MOST_ROWS)) : empty("No node has reported."));
  const events = world.events.filter((e) => matches(`${e.type} ${e.subject} ${e.payload?.app || ""}`, filter));
  at("events").replaceChildren(...(events.length ? events.map(eventRow) : [empty("Nothing happened yet.")]));
  const running = [...world.instances.values()].filter((i) => i.state === "running").length;
  at("summary").textContent =
    `${world.apps.size} apps · ${running} of ${world.instances.size} instances running · ${world.nodes.size} nodes`;
}

const count = (shown, all) => (shown === all ? `${all}` : `${shown} of ${all}`);
const empty = (text) => el("p", { class: "empty" }, text);
const head = () =>
  el("div", { class: "row head" }, ...["App", "State", "Instances", "CPU", "Memory"].map((t) => el("span", {}, t)));

function appRow(world, figures, app, now) {
  const instances = world.instancesOf(app.id);
  const ends = world.endsOf(app.id, now);
  const own = figures.apps.get(app.id) || {};
  const running = instances.filter((i) => i.state === "running").length;
  const made = el(
    "details",
    { "data-app": app.id },
    el(
      "summary",
      { class: "row" },
      el("span", { class: "name", title: app.id }, app.id, app.owner ? el("span", { class: "note" }, app.owner) : null,
        ends > 2 ? el("span", { class: "note" }, `${ends} ends in 10 min`) : null),
      pill(verdict(app, instances, ends)),
      el("span", {}, `${running}`),
      figure(percent(last(own.cpu)), own.cpu, `CPU of ${app.id}, last ten minutes`),
      figure(bytes(last(own.memory)), own.memory, `memory of ${app.id}, last ten minutes`),
    ),
  );
  if (open.has(app.id)) made.append(instanceTable(world, figures, app.id, instances, now));
  made.open = open.has(app.id);
  made.addEventListener("toggle", () => {
    if (made.open === open.has(app.id)) return;
    if (made.open) open.add(app.id);
    else open.delete(app.id);
    document.dispatchEvent(new Event("redraw"));
  });
  return made;
}

const figure = (text, points = [], label) => el("span", { class: "figure" }, el("b", {}, text), spark(points, label));

function instanceTable(world, figures, app, instances, now) {
  const rows = instances.sort((a, b) => (a.key < b.key ? -1 : 1)).slice(0, MOST_ROWS).map((i) => {
    const own = figures.instances.get(i.id) || {};
    return el("tr", {},
      el("td", { class: "mono" }, i.id),
      el("td", {}, pill(state(i))),
      el("td", {}, i.node || "–"),
      el("td", {}, percent(last(own.cpu))),
      el("td", {}, bytes(last(own.memory))),
      el("td", {}, since(i.started_at, now)),
      el("td", {}, `${i.restarts}`),
      el("td", { class: "mono" }, i.backends.map((b) => `${b.address}:${b.port}`).join(" ") || "–"),
      el("td", {}, logs(world, i)));
  });
  const titles = ["Instance", "State", "Node", "CPU", "Memory", "Up", "Restarts", "Reached at", "Logs"];
  const body = rows.length ? rows : [el("tr", {}, el("td", { colspan: "9" }, "No instance that has not ended."))];
  return el("div", { class: "inside" },
    el("table", {}, el("thead", {}, el("tr", {}, ...titles.map((t) => el("th", {}, t)))), el("tbody", {}, ...body)),
    rows.length ? el("p", { class: "empty" }, "Logs of all instances, merged as they come: ",
      el("a", { href: `/v1/apps/${encodeURIComponent(app)}/logs/stream?lines=20`, target: "_blank", rel: "noopener" }, "as text")) : null);
}

function state(i) {
  if (i.health === "unhealthy") return ["bad", "unhealthy"];
  if (i.state === "running") return ["good", i.health === "healthy" ? "healthy" : "running"];
  return [i.state === "unreachable" ? "bad" : "warn", i.state];
}

function nodeTable(world, nodes) {
  const rows = nodes.map((node) =>
    el("tr", {},
      el("td", {}, node.name),
      el("td", {}, node.dc),
      el("td", {}, `${world.instancesOn(node.name).length}`),
      el("td", {}, ...node.agents.map((a) =>
        el("span", { title: [`version ${a.version}`, a.address, a.note].filter(Boolean).join(", ") },
          pill([a.silent ? "bad" : a.state === "running" ? "good" : "warn", a.silent ? `${a.name} silent` : a.name]), " ")))));
  const titles = ["Node", "DC", "Instances", "Agents"];
  return el("table", {}, el("thead", {}, el("tr", {}, ...titles.map((t) => el("th", {}, t)))), el("tbody", {}, ...rows));
}

const COLOURS = {
  instance_gone: "warn", app_deleted: "warn", node_deleted: "warn", node_silent: "bad", oom_killed: "bad", log_gap: "bad", app_changed: "good", instance_changed: "good",
};

function eventRow(event) {
  const told = event.payload || {};
  const colour = told.health === "unhealthy" ? "bad" : COLOURS[event.type] || "off";
  return el("li", {},
    el("time", { datetime: event.time, title: event.time }, new Date(event.time).toLocaleTimeString([], { hour12: false })),
    el("span", {}, pill([colour, event.type.replaceAll("_", " ")])),
    el("span", {}, el("b", {}, told.app || told.id || told.name || event.subject), " ", about(event, told)));
}

function about(event, told) {
  if (event.type === "instance_gone") return [told.id, told.exit?.oom ? "killed for memory" : told.exit?.reason, code(told.exit)].filter(Boolean).join(", ");
  if (event.type === "instance_changed") return [told.id, told.state, told.node].filter(Boolean).join(", ");
  if (event.type === "health_changed") return `${told.id}, ${told.health}`;
  if (event.type === "log_gap") return [told.id, `${told.lost?.bytes ?? "?"} bytes of its logs lost`, Object.keys(told.lost?.reasons ?? {}).join(" ")].filter(Boolean).join(", ");
  return event.cause;
}

const code = (exit) => (exit?.code === null || exit?.code === undefined ? "" : `exit ${exit.code}`);
