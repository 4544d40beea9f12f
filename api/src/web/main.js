// The page, from sign-in to the living board.

import { get, list, post } from "./api.js";
import { follow } from "./bus.js";
import { Figures } from "./figures.js";
import { draw, shownApps } from "./view.js";
import { World } from "./world.js";

const at = (id) => document.getElementById(id);
const world = new World();
let drawing = false;
let asking = false;
const filter = () => at("filter").value.trim().toLowerCase();
const figures = new Figures(() => shownApps(world, filter()), redraw);

// Many events at once are one drawing.
function redraw() {
  if (drawing) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    draw(world, figures, filter());
  }, 150);
}

function link(state, text) {
  at("link").dataset.state = state;
  at("link").textContent = text || "live";
}

async function signIn(code) {
  await post("/v1/sessions", { code });
  await begin();
}

function door(why) {
  at("board").hidden = at("filter").hidden = true;
  at("door").hidden = false;
  at("door-why").textContent = why;
  link("off", "not signed in");
}

async function begin() {
  const me = await get("/v1/me");
  at("door").hidden = true;
  at("board").hidden = at("filter").hidden = false;
  document.title = `QAE · ${me.name}`;
  for (const event of (await list("/v1/events?limit=100", 100)).reverse()) world.tell(event);
  follow(me.role === "admin" && me.apps.includes("**") ? "all" : "apps,instances:**", {
    snapshot: (state) => (world.replace(state), redraw(), figures.round()),
    event: (event) => (world.apply(event), redraw()),
    link,
    lost: (problem) => door(`Signed out: ${problem.message}`),
  });
  if (!asking) figures.run();
  asking = true;
}

at("filter").addEventListener("input", redraw);
document.addEventListener("redraw", redraw);
setInterval(redraw, 5_000); // ages
at("door-form").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(at("door-code").value.trim()).catch((e) => door(e.message));
});

const code = new URLSearchParams(location.hash.slice(1)).get("signin");
if (code) {
  // a used code is worth nothing, but it need not stay in the history either
  history.replaceState(null, "", location.pathname);
  signIn(code).catch((e) => door(e.message));
} else {
  begin().catch((e) => door(e.status === 401 ? "" : e.message));
}
