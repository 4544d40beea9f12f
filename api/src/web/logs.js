// The log files of the instances that are shown: named by their node's log-agent, opened on its own page by a ticket that is made when
// one is clicked, so that it is fresh.

import { list, post } from "./api.js";
import { bytes, el } from "./draw.js";

const FRESH_MS = 15_000;
const SHOWN = 4; // files of an instance, unless all are asked for
const AT_A_TIME = 4; // questions under way
const known = new Map(); // instance's key -> { at, files, why }
const waiting = new Set(); // keys to be asked about, in order
const all = new Set(); // keys of which every file is shown
let asking = 0;

// What stands in the table: the files, or why there are none.
export function logs(world, instance) {
  const node = world.nodes.get(instance.node);
  if (!node || !node.agents.some((agent) => agent.name === "log-agent" && !agent.silent)) return "–";
  const key = instance.key;
  const own = known.get(key);
  if (!own || Date.now() - own.at > FRESH_MS) want(key);
  if (own?.why) return el("span", { class: "note", title: own.why }, "not now");
  if (!own?.files) return el("span", { class: "note" }, "…");
  if (!own.files.length) return el("span", { class: "note" }, "no file yet");
  const shown = all.has(key) ? own.files : own.files.slice(0, SHOWN);
  const more = own.files.length - shown.length;
  return el("span", { class: "files" },
    ...shown.map((file) => link(key, file.file, `${bytes(file.size)}, ${file.state}`)),
    more ? el("button", { class: "plain", onclick: () => (all.add(key), redraw()) }, `${more} more`) : null);
}

function link(key, file, title) {
  const show = async (event) => {
    const button = event.currentTarget;
    const tab = window.open("", "_blank");
    try {
      const made = await post("/v1/tickets", { instance: key });
      const door = made.instances[0];
      if (!tab || !door?.url) throw new Error(door?.why || "no link");
      tab.location = `${door.url}&file=${encodeURIComponent(file)}`;
    } catch (e) {
      tab?.close();
      button.title = button.textContent = e.message;
    }
  };
  return el("button", { class: "plain", title, onclick: show }, file);
}

const redraw = () => document.dispatchEvent(new Event("redraw"));

function want(key) {
  waiting.add(key);
  next();
}

function next() {
  const [key] = waiting;
  if (key === undefined || asking >= AT_A_TIME) return;
  waiting.delete(key);
  asking += 1;
  // asked once, however often it is drawn meanwhile
  known.set(key, { ...known.get(key), at: Date.now() });
  list(`/v1/instances/${encodeURIComponent(key)}/logs/files?limit=100`, 100)
    .then((files) => {
      // the one that was written last is what people look for
      files.sort((a, b) => (b.modified || "").localeCompare(a.modified || ""));
      known.set(key, { at: Date.now(), files });
    })
    .catch((e) => known.set(key, { at: Date.now(), why: e.message }))
    .finally(() => {
      asking -= 1;
      redraw();
      next();
    });
}
