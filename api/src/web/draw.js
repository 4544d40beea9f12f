// Elements from values. Text only ever becomes a text node: what a container calls itself is never markup.

const SVG = "http://www.w3.org/2000/svg";

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const pill = ([is, text]) => el("span", { class: "pill", "data-is": is }, text);

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "K", "M", "G", "T"];
  let at = 0;
  for (; value >= 1024 && at < units.length - 1; at++) value /= 1024;
  return `${at && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}

export const percent = (value) =>
  value === null || value === undefined ? "–" : `${value < 10 ? value.toFixed(1) : Math.round(value)} %`;

export function since(time, now) {
  if (!time) return "–";
  const s = Math.max(0, Math.round((now - Date.parse(time)) / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 172_800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

// A line of the last minutes; `points` are [ms, value or null], a null is a gap in the line.
export function spark(points, label) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 100 24");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const known = points.filter(([, value]) => value !== null);
  if (known.length < 2) return svg;
  const top = Math.max(...known.map(([, value]) => value)) || 1;
  const [from, to] = [points[0][0], points[points.length - 1][0]];
  const x = (time) => ((time - from) / (to - from || 1)) * 100;
  const y = (value) => 22 - (value / top) * 19;
  let line = "";
  let pen = "M";
  for (const [time, value] of points) {
    if (value === null) pen = "M";
    else {
      line += `${pen}${x(time).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
    }
  }
  const [first, last] = [known[0][0], known[known.length - 1][0]];
  const whole = points.every(([, value]) => value !== null);
  for (const [name, path] of [["under", whole ? `${line}L${x(last)} 24L${x(first)} 24Z` : ""], ["", line]]) {
    const made = document.createElementNS(SVG, "path");
    if (name) made.setAttribute("class", name);
    made.setAttribute("d", path);
    svg.append(made);
  }
  return svg;
}
