// The copy of the centre's state that the page shows: a snapshot, and every event after it. Applying one twice changes nothing.

const ENDS_WITHIN_MS = 10 * 60_000;

export class World {
  apps = new Map();
  instances = new Map();
  nodes = new Map();
  ends = new Map(); // app -> times at which an instance of it ended
  events = [];

  replace(snapshot) {
    this.apps = new Map(snapshot.apps.map((app) => [app.id, app]));
    this.instances = new Map(snapshot.instances.map((instance) => [instance.key, instance]));
    this.nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
  }

  apply(event) {
    const { type, payload } = event;
    if (type === "app_changed") this.apps.set(payload.id, payload);
    else if (type === "app_deleted") this.apps.delete(payload.id);
    else if (type === "instance_changed" || type === "health_changed") this.instances.set(payload.key, payload);
    else if (type === "instance_gone") this.instances.delete(payload.key);
    else if (type === "node_changed" || type === "node_silent") this.nodes.set(payload.name, payload);
    else if (type === "node_deleted") this.nodes.delete(payload.name);
    this.tell(event);
  }

  // Keeps an event for the list, and what it says about crashing apps.
  tell(event) {
    this.events.unshift(event);
    this.events.length = Math.min(this.events.length, 200);
    if (event.type !== "instance_gone") return;
    const app = event.payload.app;
    this.ends.set(app, [...(this.ends.get(app) || []).slice(-99), Date.parse(event.time)]);
  }

  endsOf(app, now) {
    return (this.ends.get(app) || []).filter((time) => now - time < ENDS_WITHIN_MS).length;
  }

  instancesOf(app) {
    return [...this.instances.values()].filter((instance) => instance.app === app);
  }

  instancesOn(node) {
    return [...this.instances.values()].filter((instance) => instance.node === node);
  }
}

// One word and one colour for how an app is; the worst of what is true.
export function verdict(app, instances, ends) {
  const wanted = app.dcs.reduce((sum, dc) => sum + (dc.wanted || 0), 0);
  const running = instances.filter((i) => i.state === "running").length;
  const unhealthy = instances.filter((i) => i.health === "unhealthy").length;
  const restarts = instances.filter((i) => i.state !== "running" && i.restarts > 2).length;
  if (unhealthy) return ["bad", `${unhealthy} unhealthy`];
  if (running < wanted) return ["bad", `${running} of ${wanted} running`];
  if (ends > 2 || restarts) return ["bad", "crashing"];
  if (instances.some((i) => i.state === "unreachable")) return ["warn", "unreachable"];
  if (running < instances.length) return ["warn", `${running} of ${instances.length} running`];
  if (!instances.length) return ["off", "no instance"];
  return ["good", instances.every((i) => i.health === "healthy") ? "healthy" : "running"];
}
