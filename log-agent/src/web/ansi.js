// A line's text to nodes. Raw text is data: colours are the only escape sequences that act, whatever else would act is shown as a mark,
// and nothing ever becomes markup.

const COLOURS = /\x1b\[([0-9;:]{0,64})m/g;
// controls, and what is invisible or turns text round
const ACTS = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

const fresh = () => ({ on: new Set(), fore: null, back: null, swap: false });
const SET = { 1: "b", 2: "d", 3: "i", 4: "u", 9: "s" };
const UNSET = { 22: ["b", "d"], 23: ["i"], 24: ["u"], 29: ["s"] };

// One of 256 colours, or three numbers: a class, or a colour for the style object.
function colour(codes, at) {
  const byte = (n) => Math.min(255, n | 0);
  if (codes[at] === 2) return [`rgb(${byte(codes[at + 1])} ${byte(codes[at + 2])} ${byte(codes[at + 3])})`, at + 3];
  if (codes[at] !== 5) return [null, at];
  const n = byte(codes[at + 1]);
  if (n < 16) return [n, at + 1];
  if (n > 231) return [`rgb(${Array(3).fill(8 + (n - 232) * 10).join(" ")})`, at + 1];
  const part = (v) => (v ? 55 + v * 40 : 0);
  const of = n - 16;
  return [`rgb(${part(Math.floor(of / 36))} ${part(Math.floor(of / 6) % 6)} ${part(of % 6)})`, at + 1];
}

function apply(state, text) {
  const codes = text.split(/[;:]/).map(Number);
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at];
    if (code === 0) Object.assign(state, fresh());
    else if (SET[code]) state.on.add(SET[code]);
    else if (UNSET[code]) UNSET[code].forEach((name) => state.on.delete(name));
    else if (code === 7) state.swap = true;
    else if (code === 27) state.swap = false;
    else if (code >= 30 && code <= 37) state.fore = code - 30;
    else if (code >= 90 && code <= 97) state.fore = code - 82;
    else if (code >= 40 && code <= 47) state.back = code - 40;
    else if (code >= 100 && code <= 107) state.back = code - 92;
    else if (code === 38) [state.fore, at] = colour(codes, at + 1);
    else if (code === 48) [state.back, at] = colour(codes, at + 1);
    else if (code === 39) state.fore = null;
    else if (code === 49) state.back = null;
  }
}

function mark(char) {
  const made = document.createElement("span");
  made.className = "ctl";
  const code = char.codePointAt(0);
  made.textContent = code < 0x20 || code === 0x7f ? `^${String.fromCharCode(code ^ 0x40)}` : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  return made;
}

// Text whose acting characters are marks; `found` is highlighted.
function plain(into, text, found) {
  let from = 0;
  const put = (part) => {
    for (let rest = part; rest; ) {
      const at = found ? found(rest) : null;
      if (!at) return into.append(rest);
      if (at[0]) into.append(rest.slice(0, at[0]));
      const made = document.createElement("mark");
      made.textContent = rest.slice(at[0], at[1]);
      into.append(made);
      rest = rest.slice(at[1]);
    }
  };
  for (const match of text.matchAll(ACTS)) {
    if (match.index > from) put(text.slice(from, match.index));
    into.append(mark(match[0]));
    from = match.index + match[0].length;
  }
  if (from < text.length) put(text.slice(from));
}

export function write(into, text, found) {
  const state = fresh();
  let from = 0;
  const put = (part) => {
    if (!part) return;
    const { on, swap } = state;
    const [fore, back] = swap ? [state.back, state.fore ?? 0] : [state.fore, state.back];
    if (!on.size && fore === null && back === null) return plain(into, part, found);
    const made = document.createElement("span");
    made.className = [...on, typeof back === "number" ? `back g${back}` : "", typeof fore === "number" ? `f${fore}` : ""].filter(Boolean).join(" ");
    if (typeof fore === "string") made.style.color = fore;
    if (typeof back === "string") made.style.backgroundColor = back;
    plain(made, part, found);
    into.append(made);
  };
  for (const match of text.matchAll(COLOURS)) {
    put(text.slice(from, match.index));
    apply(state, match[1]);
    from = match.index + match[0].length;
  }
  put(text.slice(from));
}
