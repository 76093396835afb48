// Curves as SVG: one line a training, the latest in colour.

const SPACE = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [420, 170, 40, 22, 8, 10];

function draw(tag, attributes, text = "") {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

/** Round numbers between zero and a limit. */
function ticks(limit) {
  const rough = limit / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  return Array.from({ length: Math.floor(limit / step + 1e-9) + 1 }, (_, index) => index * step);
}

/**
 * Draw curves into an element.
 *
 * @param lines `{title, numSteps, points: [[step, value], …]}`, in order.
 * @param options `limit` of the values, null for the largest; `format` of a value.
 */
export function drawCurves(element, lines, { limit = null, format, name }) {
  const largest = Math.max(0, ...lines.flatMap((line) => line.points.map(([, value]) => value)));
  const top = limit ?? (largest > 0 ? largest * 1.08 : 1);
  const numSteps = Math.max(1, ...lines.map((line) => line.numSteps));
  const x = (step) => LEFT + (step / numSteps) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP);
  const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "plot" });
  svg.append(draw("title", {}, name));
  for (const value of ticks(top)) {
    svg.append(draw("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), class: value ? "grid" : "axis" }));
    svg.append(draw("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, format(value)));
  }
  svg.append(draw("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, `${numSteps} steps`));
  lines.forEach((line, index) => {
    const latest = index === lines.length - 1;
    const points = line.points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`);
    const kind = latest ? "curve latest" : "curve";
    if (points.length > 1) svg.append(draw("polyline", { points: points.join(" "), class: kind }));
    if (points.length && (latest || points.length === 1)) {
      const [cx, cy] = points.at(-1).split(",");
      svg.append(draw("circle", { cx, cy, r: 3.2, class: kind }));
    }
  });
  element.replaceChildren(svg);
}
