// Step 3: the camera through the net, what to expect, the files.

import * as api from "./api.js";
import * as camera from "./camera.js";
import { $, attempt, chooseFiles, dropZone, make, plural, say } from "./dom.js";

const SIDE_PX = 320;
const PAUSE_MS = 50;
const NAMES = { executorch: "model.pte", litert: "model.tflite", onnx: "model.onnx" };

let context = null;
let looking = 0; // grows with each start and stop, so that late answers are dropped
let shownRun = null;
let preferred = "executorch";

export function setUp(given, runtime) {
  context = given;
  preferred = runtime;
  $("try-on").addEventListener("click", start);
  $("try-stop").addEventListener("click", stop);
  $("try-file").addEventListener("click", () => chooseFiles(([file]) => tryPicture(file), { multiple: false }));
  $("try-video").addEventListener("cameraoff", stop);
  dropZone($("try-stage"), ([file]) => tryPicture(file));
}

export function render(status) {
  const result = status?.result ?? null;
  $("try-ready").hidden = result === null;
  $("try-lead").textContent =
    result === null
      ? "Train first; then the camera shows what the net sees."
      : `It knows ${result.classes.join(", ")}.`;
  if (result === null) {
    stop();
    shownRun = null;
    return;
  }
  if (result.run === shownRun) return;
  shownRun = result.run;
  stop();
  renderOutcome(result);
  const programs = result.files.filter((file) => file.runtime !== null);
  $("runtime").replaceChildren(
    ...programs.map((file) => make("option", { value: file.runtime, selected: file.runtime === preferred }, file.name)),
  );
}

function renderOutcome(result) {
  const { top1, low, high, text } = result.accuracy;
  const percent = (share) => (100 * share).toFixed(share === 1 ? 0 : 1);
  $("accuracy").textContent = top1 === null ? "not measured" : `${percent(top1)} %`;
  $("accuracy").classList.toggle("none", top1 === null);
  if (low !== null) {
    const range = `between ${percent(low)} and ${percent(high)} %`;
    $("accuracy").append(make("small", {}, range));
  }
  $("accuracy-text").textContent = text;
  $("doubts").hidden = result.num_doubted === 0;
  $("doubts").textContent =
    `${plural(result.num_doubted, "picture")} may lie in the wrong gesture; the report names ` +
    (result.num_doubted === 1 ? "it." : "them.");
  $("run-folder").textContent = `All of it lies in ${result.run}`;
  $("files").replaceChildren(...result.files.map(fileItem));
}

function fileItem(file) {
  const url = api.fileUrl(context.project(), file.name);
  const facts = [file.size, file.latency].filter(Boolean).join(" · ");
  const links = [make("a", { href: url, download: file.name, className: "button" }, "Download")];
  links[0].setAttribute("aria-label", `Download ${file.name}`);
  if (file.name === "report.html") {
    links.unshift(make("a", { href: url, target: "_blank", rel: "noopener", className: "button" }, "Open"));
  }
  return make(
    "li",
    { data: { name: file.name } },
    make("div", {}, make("strong", {}, file.name), make("span", { className: "note" }, file.meaning)),
    make("span", { className: "facts" }, facts),
    make("div", { className: "links" }, ...links),
  );
}

async function start() {
  try {
    await camera.show($("try-video"));
  } catch (error) {
    say(error.message);
    return;
  }
  $("try-picture").hidden = true;
  $("try-off").hidden = true;
  $("try-stop").hidden = false;
  $("answer-label").textContent = "…";
  looking += 1;
  look(looking);
}

function stop() {
  looking += 1;
  if (!$("try-video").hidden) camera.hide($("try-video"));
  $("try-off").hidden = false;
  $("try-stop").hidden = true;
  $("try-box").hidden = true;
  clear();
}

function clear() {
  $("answer-label").textContent = "–";
  $("answer-score").textContent = "";
  $("answer-time").textContent = "";
  $("answer-meter").value = 0;
}

async function look(mine) {
  while (looking === mine) {
    try {
      const frame = await camera.take($("try-video"), SIDE_PX);
      const answer = await api.recognize(context.project(), $("runtime").value, frame);
      if (looking === mine) showAnswer(answer, true);
    } catch (error) {
      if (looking === mine) stop();
      say(error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function tryPicture(file) {
  if (!file) return;
  stop();
  await attempt(async () => {
    if (file.size > api.MAX_BYTES) throw new Error("The picture is too large: 20 MB at most.");
    const answer = await api.recognize(context.project(), $("runtime").value, file);
    const picture = $("try-picture");
    URL.revokeObjectURL(picture.src);
    picture.src = URL.createObjectURL(file);
    picture.hidden = false;
    $("try-off").hidden = true;
    $("try-stop").hidden = false;
    showAnswer(answer, false);
  });
}

function showAnswer(answer, mirrored) {
  const hand = answer.hands[0];
  $("answer-label").textContent = hand ? hand.label : "no hand";
  $("answer-label").classList.toggle("unknown", !hand || hand.label === "unknown");
  $("answer-meter").value = hand ? hand.score : 0;
  $("answer-score").textContent = hand ? `${Math.round(100 * hand.score)} %` : "";
  const name = NAMES[$("runtime").value];
  $("answer-time").textContent = `${answer.latency_ms.toFixed(1)} ms with ${name}`;
  showBox(answer, hand, mirrored);
}

/** The box, in the coordinates of what is shown: fitted into the square and mirrored as the camera is. */
function showBox({ width, height }, hand, mirrored) {
  const box = $("try-box");
  box.hidden = !hand;
  if (!hand) return;
  const side = Math.max(width, height);
  const [x0, y0, x1, y1] = hand.box_px;
  const shift = (side - width) / 2;
  const left = (mirrored ? width - x1 : x0) + shift;
  box.style.left = `${(100 * left) / side}%`;
  box.style.top = `${(100 * (y0 + (side - height) / 2)) / side}%`;
  box.style.width = `${(100 * (x1 - x0)) / side}%`;
  box.style.height = `${(100 * (y1 - y0)) / side}%`;
}
