// The agent's answers: lists and lines by fetch, the stream by WebSocket. A connection that is lost is made again, and goes on exactly
// where it was.

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || `the agent answered ${status}`);
    this.status = status;
    this.code = body.code || "";
  }
}

export class Agent {
  constructor(ticket, instance) {
    this.ticket = ticket;
    this.base = `/v1/logs/${encodeURIComponent(instance)}`;
  }

  async ask(path) {
    const answer = await fetch(this.base + path, { headers: { Authorization: `Bearer ${this.ticket}` }, credentials: "omit" });
    if (answer.ok) return answer;
    throw new Problem(answer.status, await answer.json().catch(() => ({})));
  }

  files = async () => (await this.ask("/files?limit=2000")).json();
  lines = async (query) => (await this.ask(`/lines?${new URLSearchParams(query)}`)).json();
  file = async (name) => (await this.ask(`/files/${name.split("/").map(encodeURIComponent).join("/")}`)).blob();
}

export class Stream {
  // `told` gets every frame, `state` what becomes of the connection.
  constructor(agent, wish, told, state) {
    Object.assign(this, { agent, wish, told, state, places: new Map(), wait: 500, over: false });
    this.open();
  }

  open() {
    const { agent, wish } = this;
    const query = new URLSearchParams({ lines: wish.lines });
    for (const file of wish.files) query.append("file", file);
    if (wish.grep) query.set("grep", wish.grep);
    if (wish.invert) query.set("invert", "1");
    if (!wish.case) query.set("case", "0");
    for (const [source, at] of this.places) query.append("from", `${source}.${at.generation}.${at.next}`);
    const url = new URL(`${agent.base}/stream?${query}`, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.state("waiting", "connecting");
    this.socket = new WebSocket(url, ["qae.logs.1", `qae.ticket.${agent.ticket}`]);
    this.again = this.places.size > 0;
    this.socket.onmessage = (message) => this.hear(JSON.parse(message.data));
    this.socket.onclose = () => this.lost();
  }

  hear(frame) {
    if (this.over) return;
    this.wait = 500;
    const { source, generation } = frame;
    if (frame.type === "hello") {
      // known already: it goes on, and the lines that are there stay
      if (this.again && this.places.get(source)?.next === frame.offset) return this.state("live", "live");
      this.places.set(source, { generation, next: frame.offset });
    } else if (frame.type === "lines") this.places.set(source, { generation, next: frame.next });
    else if (frame.type === "gap") this.places.set(source, { generation, next: frame.to });
    else if (frame.type === "truncated") this.places.set(source, { generation, next: 0 });
    else if (frame.type === "deleted") this.places.delete(source);
    else if (frame.type === "filter") Object.assign(this.wish, { grep: frame.grep, invert: frame.invert, case: frame.case }), this.places.clear(), (this.again = false);
    else if (frame.type === "end" && !["stopping", "too_slow"].includes(frame.why)) this.over = true;
    if (frame.type !== "end") this.state("live", "live");
    this.told(frame);
  }

  lost() {
    if (this.over) return;
    this.state("lost", "connection lost, trying again");
    this.timer = setTimeout(async () => {
      // a browser does not say why a WebSocket was refused: a plain request does
      try {
        await this.agent.files();
      } catch (problem) {
        if ([401, 403, 404].includes(problem.status)) {
          this.over = true;
          return this.told({ type: "end", why: problem.code, detail: problem.message });
        }
      }
      if (!this.over) this.open();
    }, this.wait * (0.5 + Math.random()));
    this.wait = Math.min(15_000, this.wait * 2);
  }

  // Whether it could be said.
  say(frame) {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  close() {
    this.over = true;
    clearTimeout(this.timer);
    this.socket.onclose = this.socket.onmessage = null;
    this.socket.close();
  }
}
