// Step 2: what is missing, the button, the bar and the curves.

import * as api from "./api.js";
import { drawCurves } from "./chart.js";
import { $, attempt, duration, make, plural } from "./dom.js";

const STAGES = {
  finetune: "Learning your gestures",
  quantize: "Learning to be small: whole numbers of 8 bits",
  export: "Writing the files for phones",
  verify: "Running each file and comparing",
  report: "Writing the report",
};

let context = null;

export function setUp(given) {
  context = given;
  $("train").addEventListener("click", () => start({ estimate: $("estimate").checked }));
  $("go-on").addEventListener("click", () => start({ go_on: true }));
  $("cancel").addEventListener("click", cancel);
}

async function start(wish) {
  $("train").disabled = $("go-on").disabled = true;
  $("train").textContent = "Starting …";
  await attempt(async () => context.trained(await api.startTraining(context.project(), wish)));
  $("train").textContent = "Train";
  context.redraw();
}

async function cancel() {
  $("cancel").disabled = true;
  $("train-stage").textContent = "Stopping …";
  await attempt(async () => context.trained(await api.cancelTraining(context.project())));
  $("cancel").disabled = false;
}

export function render(view, status) {
  const needs = view === null ? ["Add two gestures or more."] : view.needs;
  const running = status?.state === "running";
  $("train-ready").hidden = running;
  $("train-busy").hidden = !running;
  $("train-lead").textContent = lead(view, status, needs);
  $("needs").replaceChildren(...needs.map((sentence) => make("li", {}, sentence)));
  const busy = status?.busy && !running ? `${status.busy} is being trained; wait until it is done.` : null;
  $("train").disabled = needs.length > 0 || busy !== null;
  $("train").textContent = status?.state === "complete" ? "Train again" : "Train";
  $("go-on").hidden = !status?.can_go_on;
  $("go-on").disabled = busy !== null;
  const problem = busy ?? (status?.state === "failed" ? status.error : null);
  $("train-problem").hidden = problem === null;
  $("train-problem").textContent = problem ?? "";
  if (running) renderBusy(status);
  renderCurves(status);
}

function lead(view, status, needs) {
  if (needs.length > 0) return "Not yet:";
  const count = view.gestures.reduce((sum, gesture) => sum + gesture.pictures.length, 0);
  const ready = `${plural(view.gestures.length, "gesture")}, ${plural(count, "picture")}.`;
  if (status?.state === "running") return `Learning from ${plural(status.num_pictures, "picture")}.`;
  if (status?.state === "cancelled") return `Cancelled. ${ready}`;
  if (status?.state === "stopped") return `The last training broke off. ${ready}`;
  if (status?.state === "complete" && !status.is_current) return `Pictures have changed since the last training: ${ready}`;
  if (status?.state === "complete") return `Done. Learnt from ${plural(status.num_pictures, "picture")}.`;
  return `Ready: ${ready}`;
}

function renderBusy(status) {
  const stage = status.trainings.length === 0 ? "Reading the pictures" : STAGES[status.stage] ?? status.stage;
  $("train-stage").textContent =
    status.fold === null ? stage : `Finding out how well it will do: training ${status.fold} of ${status.num_folds}`;
  $("train-share").value = status.share;
  const left = status.seconds_left === null ? "" : `, about ${duration(status.seconds_left)} left`;
  $("train-left").textContent = `${Math.floor(100 * status.share)} %${left}`;
}

/** Curves of one kind of training; losses of different kinds cannot be compared. */
function renderCurves(status) {
  const all = status?.trainings ?? [];
  const kind = ({ name }) => name.split("/")[0];
  const wanted = status?.state === "running" && all.length > 0 ? kind(all.at(-1)) : "finetune";
  const trainings = all.filter((training) => kind(training) === wanted);
  $("charts").hidden = trainings.length === 0;
  if (trainings.length === 0) return;
  const lines = (field) =>
    trainings
      .filter((training) => training[field].length > 0)
      .map((training) => ({ title: training.title, numSteps: training.num_steps, points: training[field] }));
  drawCurves($("chart-loss"), lines("losses"), { format: (value) => value.toFixed(1), name: "Loss by step" });
  const right = lines("top1s");
  $("figure-top1").hidden = right.length === 0;
  const percent = (value) => `${Math.round(100 * value)} %`;
  if (right.length > 0) drawCurves($("chart-top1"), right, { limit: 1, format: percent, name: "Named right by step" });
}
