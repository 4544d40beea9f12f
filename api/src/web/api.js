// Asks the documented API with the session's cookie. What it refuses is thrown as a Problem.

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `the API answered ${status}`);
    this.status = status;
    this.code = body.code || "";
  }
}

export async function ask(path, options = {}) {
  const answer = await fetch(path, { credentials: "same-origin", ...options });
  if (answer.ok) return answer;
  throw new Problem(answer.status, await answer.json().catch(() => ({})));
}

export const get = async (path) => (await ask(path)).json();

export const post = async (path, body) =>
  (await ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();

// All pages of a list, up to `most` items.
export async function list(path, most) {
  const items = [];
  for (let cursor = ""; ; ) {
    const mark = path.includes("?") ? "&" : "?";
    const page = await get(path + (cursor && `${mark}cursor=${encodeURIComponent(cursor)}`));
    items.push(...page.items);
    if (!page.next || items.length >= most) return items;
    cursor = page.next;
  }
}
