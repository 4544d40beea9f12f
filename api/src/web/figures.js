// CPU and memory of the apps on the screen, asked every ten seconds while somebody looks, a few at a time.

import { get } from "./api.js";

const EVERY_MS = 10_000;
const AT_A_TIME = 4;
const MOST_APPS = 40;
const METRICS = "cpu.percent,memory.working_set_bytes";

export class Figures {
  apps = new Map(); // app -> { cpu, memory }: the sum over its instances, [ms, value or null] each
  instances = new Map(); // instance id -> { cpu, memory }

  constructor(shown, changed) {
    this.shown = shown;
    this.changed = changed;
  }

  async run() {
    for (;;) {
      if (!document.hidden) await this.round();
      await new Promise((go) => setTimeout(go, EVERY_MS));
    }
  }

  async round() {
    const apps = this.shown().slice(0, MOST_APPS);
    const worker = async () => {
      for (let app; (app = apps.pop()) !== undefined; ) {
        try {
          const query = `app=${encodeURIComponent(app)}&metric=${METRICS}&since=-10m`;
          this.take(app, (await get(`/v1/metrics?${query}`)).series);
          this.changed();
        } catch {
          this.apps.delete(app); // no figures is shown as a dash; the reason is the API's to tell
        }
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  }

  take(app, series) {
    const of = (metric) => series.filter((one) => one.metric === metric);
    this.apps.set(app, { cpu: sum(of("cpu.percent")), memory: sum(of("memory.working_set_bytes")) });
    for (const one of series) {
      const entry = this.instances.get(one.instance) || {};
      entry[one.metric === "cpu.percent" ? "cpu" : "memory"] = one.points;
      this.instances.set(one.instance, entry);
    }
  }
}

export const last = (points = []) => {
  for (let at = points.length - 1; at >= 0; at--) if (points[at][1] !== null) return points[at][1];
  return null;
};

function sum(series) {
  const total = new Map();
  for (const { points } of series) {
    for (const [time, value] of points) {
      const slot = Math.floor(time / EVERY_MS) * EVERY_MS; // instances of several nodes tick a moment apart
      if (value !== null) total.set(slot, (total.get(slot) || 0) + value);
      else if (!total.has(slot)) total.set(slot, null);
    }
  }
  return [...total].sort(([a], [b]) => a - b);
}
