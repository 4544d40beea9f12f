// The page, from a link to its lines.

import { write } from "./ansi.js";
import { bytes, el } from "./draw.js";
import { List } from "./list.js";
import { Store } from "./store.js";
import { Agent, Stream } from "./stream.js";

const at = (id) => document.getElementById(id);
const number = (n) => n.toLocaleString("en");
const store = new Store();
const chosen = { files: [], grep: "", invert: false, case: false };
const open = new Map(); // source -> its last row, where a line goes on
let agent, stream, list, files = [];
let paused = false; // by a click
let held = false; // since the reader looks at older rows and no more are kept
let counted = { lines: 0, bytes: 0, at: performance.now() };

// Names are shown with what stands for other bytes, but for blanks.
const named = (file) => file.replaceAll("%20", " ");

// ---- rows

const ERROR = /\b(?:ERROR|FATAL|SEVERE|CRITICAL|PANIC|EMERG|Exception in thread)\b/;
const WARNING = /\bWARN(?:ING)?\b/;

function hue(name) {
  let sum = 0;
  for (let n = 0; n < name.length; n++) sum = (sum * 31 + name.charCodeAt(n)) >>> 0;
  return sum % 6;
}

// Where plain text of the filter is in a line. A pattern is the agent's to match: its syntax is another, and linear.
function finder() {
  const { grep, invert } = chosen;
  if (!grep || invert || /[\\^$.*+?()[\]{}|]/.test(grep)) return null;
  const wanted = chosen.case ? grep : grep.toLowerCase();
  return (text) => {
    const found = (chosen.case ? text : text.toLowerCase()).indexOf(wanted);
    return found < 0 ? null : [found, found + wanted.length];
  };
}

function drawLine(row, most) {
  const text = row.text.length > most && !row.whole ? row.text.slice(0, most) : row.text;
  const start = text.slice(0, 400);
  const kind = ERROR.test(start) ? " error" : WARNING.test(start) ? " warning" : "";
  const made = el("div", { class: `row${kind}`, title: `${named(row.file)}, read ${new Date(row.time).toLocaleTimeString()}` });
  if (several()) made.append(el("span", { class: `of h${hue(row.file)}` }, named(row.file)));
  write(made, text, finder());
  if (text !== row.text) {
    const all = () => ((row.whole = true), row.version++, list.changed());
    made.append(el("button", { class: "more", onclick: all }, `… ${number(row.text.length - most)} more characters`));
  }
  return made;
}

function drawSaid(row) {
  const made = el("div", { class: `row said${row.gap ? " gap" : ""}` }, row.text);
  if (row.load) made.append(el("button", { onclick: () => row.load(row) }, row.loading ? "loading…" : row.action));
  return made;
}

const draw = (row, most) => (row.said ? drawSaid(row) : drawLine(row, most));
const several = () => chosen.files.length !== 1 || chosen.files[0].includes("*");

function rowsOf(frame) {
  return frame.lines.map((text) => ({ text, file: frame.file, source: frame.source, time: frame.time, version: 0 }));
}

const said = (text, more = {}) => ({ said: true, text, version: 0, ...more });

// ---- what the stream tells

const WHY = { slow: "this page did not keep up", hole: "NUL bytes", truncated: "truncated before they were read", gone: "the file is gone", failed: "they cannot be read" };

function gap(frame) {
  const lines = frame.lines === null ? "" : `${number(frame.lines)} lines, `;
  const row = said(`Left out ${lines}${bytes(frame.bytes)} of ${named(frame.file)}: ${WHY[frame.why] || frame.why}`, { gap: true });
  if (frame.why === "slow") Object.assign(row, { action: "load them", load: loadGap, source: frame.source, generation: frame.generation, from: frame.from, to: frame.to, file: frame.file });
  return row;
}

function told(frame) {
  if (frame.type === "lines") {
    counted.lines += frame.lines.length;
    counted.bytes += frame.next - frame.offset;
    const rows = rowsOf(frame);
    if (frame.continues && rows.length && open.has(frame.source)) store.extend(open.get(frame.source), rows.shift().text);
    for (const row of rows) store.push(row);
    if (rows.length) open.set(frame.source, rows.at(-1));
  } else if (frame.type === "hello") {
    at("expires").dataset.at = frame.expires;
    if (frame.offset > 0) store.push(said(`${bytes(frame.offset)} earlier in ${named(frame.file)} `, { action: "load some", load: loadBefore, source: frame.source, generation: frame.generation, before: frame.offset, file: frame.file }));
    refresh();
  } else if (frame.type === "waiting") {
    at("expires").dataset.at = frame.expires;
    store.push(said("Nothing yet. Lines appear here as soon as they are written."));
  } else if (frame.type === "gap") store.push(gap(frame));
  else if (frame.type === "rotated") (store.push(said(`${named(frame.was)} was renamed to ${named(frame.file)}`)), refresh());
  else if (frame.type === "truncated") store.push(said(`${named(frame.file)} was truncated and begins again`));
  else if (frame.type === "deleted") (store.push(said(`${named(frame.file)} was deleted`)), refresh());
  else if (frame.type === "left_out") store.push(said(`${number(frame.files)} more files fit; the last written are shown`));
  else if (frame.type === "filter") blank();
  else if (frame.type === "refused") complain(frame.detail);
  else if (frame.type === "end") ended(frame);
  if (list.follow) store.trim();
  else if (store.isFull) hold(true);
  list.changed();
}

function ended(frame) {
  const over = { instance_ended: "The instance has ended. This was all it wrote.", expired: "The link has expired." }[frame.why];
  store.push(said(over || frame.detail));
  link("off", frame.why === "instance_ended" ? "ended" : "closed");
  if (frame.why !== "instance_ended" && !store.length) door("These logs cannot be shown", frame.detail);
}

// ---- lines of other places

const filter = () => ({ ...(chosen.grep && { grep: chosen.grep }), ...(chosen.invert && { invert: "1" }), ...(!chosen.case && { case: "0" }) });

async function load(row, query, done) {
  if (row.loading) return;
  row.loading = true;
  row.version++;
  list.changed();
  try {
    const page = await agent.lines({ source: row.source, generation: row.generation, ...filter(), ...query });
    const rows = page.items.flatMap(rowsOf);
    done(page, rows);
  } catch (problem) {
    row.text = `${named(row.file)}: ${problem.message} `;
    row.load = problem.status === 410 ? null : row.load;
  }
  row.loading = false;
  row.version++;
  list.changed();
}

function loadGap(row) {
  list.follow = false;
  load(row, { from: row.from, to: row.to }, (page, rows) => {
    store.before(row, rows);
    row.from = page.next;
    if (row.from >= row.to) store.remove(row);
    else row.text = `Left out ${bytes(row.to - row.from)} of ${named(row.file)} `;
    row.action = "load more";
  });
}

function loadBefore(row) {
  list.follow = false;
  load(row, { before: row.before, lines: 500 }, (page, rows) => {
    // below the row: it tells of what is still before them
    const next = said("");
    store.before(row, [next, ...rows]);
    store.remove(row);
    Object.assign(next, row, { loading: false, before: page.offset, text: `${bytes(page.offset)} earlier in ${named(row.file)} ` });
    if (page.offset === 0 || page.offset === row.before) store.remove(next);
    list.shift(rows.length);
  });
}

// ---- standing still

function hold(on) {
  if (held === on) return;
  held = on;
  if (!paused) stream.say(on ? { type: "pause" } : { type: "resume", at_end: true });
  status();
}

function pause(on) {
  if (!held) stream.say({ type: on ? "pause" : "resume" });
  standing(on);
  if (!on) list.toEnd();
  status();
}

function moved(end) {
  at("end").hidden = end;
  if (end) hold(false);
  status();
}

function status() {
  const kept = `${number(store.length)} rows`;
  at("state").textContent = paused ? `${kept}, paused` : held ? `${kept}, as many as are kept: standing still until you jump to the end` : list?.follow === false ? `${kept}, more come below` : kept;
}

// ---- which file, which lines

const backlog = () => (several() ? 100 : 500);

// Nothing is shown yet.
function blank() {
  store.clear();
  open.clear();
  complain("");
  list.follow = true;
  at("end").hidden = true;
  list.redraw();
}

function watch() {
  stream?.close();
  standing(false);
  blank();
  stream = new Stream(agent, { ...chosen, lines: backlog() }, told, link);
  const hash = new URLSearchParams(location.hash.slice(1));
  hash.delete("file");
  for (const file of chosen.files) hash.append("file", file);
  history.replaceState(null, "", `#${hash}`);
  showFiles();
}

function standing(on) {
  paused = on;
  if (!on) held = false;
  at("pause").setAttribute("aria-pressed", on);
  at("pause").textContent = on ? "Go on" : "Pause";
}

function refilter() {
  chosen.grep = at("grep").value;
  if (paused || held) stream.say({ type: "resume" });
  standing(false);
  complain("");
  const { grep, invert } = chosen;
  if (!stream.say({ type: "filter", grep, invert, case: chosen.case, lines: backlog() })) watch();
}

function complain(text) {
  at("why").hidden = !text;
  at("why").textContent = text;
  at("grep").classList.toggle("wrong", Boolean(text));
}

function link(state, text) {
  at("link").dataset.state = state;
  at("link").textContent = text;
}

// ---- files

let refreshing;
function refresh() {
  clearTimeout(refreshing);
  refreshing = setTimeout(async () => {
    try {
      files = (await agent.files()).items;
      at("files-why").textContent = files.length ? "" : "No files yet.";
    } catch (problem) {
      at("files-why").textContent = problem.message;
    }
    showFiles();
    refreshing = setTimeout(refresh, document.hidden ? 60_000 : 5_000);
  }, 200);
}

function fileButton(name, file) {
  const current = chosen.files.length === 0 ? name === null : chosen.files.includes(name);
  const pick = (event) => {
    const more = event.ctrlKey || event.metaKey;
    if (name === null) chosen.files = [];
    else if (more && current) chosen.files = chosen.files.filter((other) => other !== name);
    else chosen.files = more ? [...chosen.files, name].slice(-16) : [name];
    watch();
  };
  const made = el("button", { type: "button", "aria-current": current, onclick: pick, title: name === null ? "Lines of every file as they come" : `${named(name)} (Ctrl: several)` });
  made.append(el("b", {}, name === null ? "All files" : named(name)));
  if (file) {
    made.append(el("small", {}, bytes(file.size)));
    const note = file.state === "live" ? `written ${ago(file.modified)}` : file.state;
    made.append(el("small", { class: "note" }, note));
  }
  return el("li", {}, made);
}

function ago(time) {
  const s = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000));
  if (s < 5) return "now";
  if (s < 90) return `${s} s ago`;
  if (s < 5400) return `${Math.round(s / 60)} min ago`;
  return s < 172_800 ? `${Math.round(s / 3600)} h ago` : `${Math.round(s / 86_400)} days ago`;
}

function showFiles() {
  const wanted = at("files-filter").value.trim().toLowerCase();
  const shown = files.filter((file) => file.state !== "deleted" && named(file.file).toLowerCase().includes(wanted));
  at("files-count").textContent = files.length || "";
  at("files-filter").hidden = files.length < 12;
  const focused = document.activeElement?.closest("#files li");
  const index = focused ? [...at("files").children].indexOf(focused) : -1;
  at("files").replaceChildren(fileButton(null, null), ...shown.slice(0, 500).map((file) => fileButton(file.file, file)));
  at("files").children[index]?.firstChild.focus();
  at("download").disabled = chosen.files.length !== 1;
}

async function download() {
  const [name] = chosen.files;
  const button = at("download");
  button.disabled = true;
  button.textContent = "Downloading…";
  try {
    const made = el("a", { href: URL.createObjectURL(await agent.file(name)), download: named(name).split("/").at(-1) });
    made.click();
    setTimeout(() => URL.revokeObjectURL(made.href), 60_000);
    complain("");
  } catch (problem) {
    complain(`${named(name)}: ${problem.status === 404 ? "this link does not allow to take it away" : problem.message}`);
  }
  button.textContent = "Download";
  button.disabled = false;
}

// ---- the whole

function door(title, why) {
  at("door").hidden = false;
  at("board").hidden = true;
  at("door-title").textContent = title;
  at("door-why").textContent = why;
}

function flip(id, name) {
  at(id).addEventListener("click", () => {
    chosen[name] = !chosen[name];
    at(id).setAttribute("aria-pressed", chosen[name]);
    if (chosen.grep || name === "invert") refilter();
  });
}

function wire() {
  let typing;
  at("grep").addEventListener("input", () => (clearTimeout(typing), (typing = setTimeout(refilter, 350))));
  at("tools").addEventListener("submit", (event) => (event.preventDefault(), clearTimeout(typing), refilter()));
  flip("case", "case");
  flip("invert", "invert");
  const wrap = () => {
    const on = at("view").classList.toggle("wrap");
    at("wrap").setAttribute("aria-pressed", on);
    list.changed();
  };
  at("wrap").addEventListener("click", wrap);
  at("pause").addEventListener("click", () => pause(!paused));
  at("download").addEventListener("click", download);
  at("end").addEventListener("click", () => list.toEnd());
  at("files-filter").addEventListener("input", showFiles);
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = { "/": () => at("grep").focus(), p: () => pause(!paused), w: wrap, End: () => list.toEnd(), G: () => list.toEnd() };
    if (keys[event.key]) (event.preventDefault(), keys[event.key]());
  });
  setInterval(() => {
    const now = performance.now();
    const seconds = (now - counted.at) / 1000;
    at("rate").textContent = `${number(Math.round(counted.lines / seconds))} lines/s, ${bytes(counted.bytes / seconds)}/s`;
    counted = { lines: 0, bytes: 0, at: now };
    const left = (Date.parse(at("expires").dataset.at) - Date.now()) / 60_000;
    at("expires").textContent = left > 0 ? `link good for ${left < 90 ? `${Math.ceil(left)} min` : `${Math.round(left / 60)} h`}` : "";
    status();
  }, 1000);
}

async function begin() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const [ticket, instance] = [hash.get("ticket"), hash.get("instance")];
  if (!ticket || !instance) return door("A link is needed", "This page shows the logs of one instance to whoever has a link with a ticket.");
  agent = new Agent(ticket, instance);
  at("instance").textContent = instance.split("/").at(-1);
  document.title = `${instance.split("/").at(-1)} · Logs`;
  try {
    files = (await agent.files()).items;
  } catch (problem) {
    return door(problem.code === "ticket_expired" ? "The link has expired" : "These logs cannot be shown", problem.message);
  }
  at("board").hidden = false;
  chosen.files = hash.getAll("file");
  if (!chosen.files.length && files.length === 1) chosen.files = [files[0].file];
  list = new List(at("view"), store, draw, moved);
  wire();
  watch();
  refresh();
}

addEventListener("hashchange", () => location.reload());
begin();
