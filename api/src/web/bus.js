// Follows the bus: the state at a cursor, then every event after it, over a broken line too. Never a silent gap: when the API
// no longer has what came in between, the state is taken anew.

import { ask, get, Problem } from "./api.js";

const SILENCE_MS = 35_000; // two heartbeats missed
const EVENT_MAX = 4 << 20;

// `on`: snapshot(state), event(event), link("live" | "waiting", why), lost(problem): not signed in any more.
export async function follow(topics, on) {
  let cursor = null;
  for (let tries = 0; ; tries++) {
    try {
      if (cursor === null) {
        const snapshot = await get(`/v1/snapshot?topics=${topics}`);
        cursor = snapshot.cursor;
        on.snapshot(snapshot);
      }
      for await (const frame of frames(`/v1/events?topics=${topics}&after=${encodeURIComponent(cursor)}`)) {
        tries = 0;
        on.link("live", "");
        if (frame.type === "closed") break;
        const data = JSON.parse(frame.data);
        if (frame.type === "heartbeat") cursor = data.cursor;
        else {
          cursor = `${data.epoch}:${data.seq}`;
          on.event(data);
        }
      }
    } catch (e) {
      if (e instanceof Problem && (e.status === 401 || e.status === 403)) return on.lost(e);
      if (e instanceof Problem && (e.status === 410 || e.code === "bad_cursor")) cursor = null;
    }
    on.link("waiting", "reconnecting");
    await new Promise((go) => setTimeout(go, Math.random() * Math.min(30_000, 1_000 * 2 ** Math.min(tries, 5))));
  }
}

// The frames of a text/event-stream. Ends when the server ends it or nothing came for too long.
async function* frames(path) {
  const quiet = new AbortController();
  let timer = setTimeout(() => quiet.abort(), SILENCE_MS);
  try {
    const answer = await ask(path, { headers: { Accept: "text/event-stream" }, signal: quiet.signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => quiet.abort(), SILENCE_MS);
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      if (rest.length > EVENT_MAX) throw new Error("an event without end");
      yield* parts.map(parse).filter((frame) => frame.data);
    }
  } finally {
    clearTimeout(timer);
    quiet.abort();
  }
}

function parse(text) {
  const frame = { type: "message", data: "" };
  for (const line of text.split("\n")) {
    const [, field, value] = /^([a-z]+): ?(.*)$/.exec(line) || [];
    if (field === "event") frame.type = value;
    if (field === "data") frame.data += value;
  }
  return frame;
}
