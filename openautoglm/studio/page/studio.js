// The page as a whole: which project is open, and what the three steps are told.

import * as api from "./api.js";
import { $, ask, attempt, make } from "./dom.js";
import * as gestures from "./gestures.js";
import * as training from "./training.js";
import * as trying from "./trying.js";

const POLL_MS = 1000;
const FIRST_NAME = "my gestures";

let names = [];
let open = null; // name of the project, null before the first
let view = null; // its gestures
let status = null; // its training

const context = {
  project: () => open,
  view: () => view,
  /** The open project; the first comes into being with its first gesture. */
  async ensureProject() {
    if (open === null) await create(FIRST_NAME);
    return open;
  },
  changed(fresh) {
    view = fresh;
    redraw();
    poll();
  },
  async refresh() {
    if (open === null) return;
    const project = open;
    const fresh = await api.readProject(project);
    if (project === open) context.changed(fresh);
  },
  trained(fresh) {
    status = fresh;
    redraw();
  },
  redraw,
};

function redraw() {
  gestures.render(view);
  training.render(view, status);
  trying.render(status);
}

async function create(name) {
  const fresh = await api.addProject(name);
  names = [...names, fresh.name].sort((a, b) => a.localeCompare(b));
  await show(fresh.name);
}

async function show(name) {
  open = name;
  view = status = null;
  renderPicker();
  if (name === null) return redraw();
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  [view, status] = await Promise.all([api.readProject(name), api.readTraining(name)]);
  $("where").textContent = `Pictures of this project lie in ${view.folder}. Nothing leaves this machine.`;
  return redraw();
}

function renderPicker() {
  const options = names.map((name) => make("option", { value: name, selected: name === open }, name));
  $("project").replaceChildren(...(options.length ? options : [make("option", {}, FIRST_NAME)]));
  $("project").disabled = names.length < 2;
}

let polling = false;

async function poll() {
  if (polling || open === null) return;
  polling = true;
  try {
    const project = open;
    const fresh = await api.readTraining(project);
    if (project === open) context.trained(fresh);
  } catch {
    // the server is away; the next look may find it again
  } finally {
    polling = false;
  }
}

async function begin() {
  const about = await api.listProjects();
  names = about.projects;
  const wanted = decodeURIComponent(location.hash.slice(1));
  gestures.setUp(context);
  training.setUp(context);
  trying.setUp(context, about.runtime);
  $("where").textContent = `Pictures will lie in ${about.home}. Nothing leaves this machine.`;
  $("project").addEventListener("change", () => attempt(() => show($("project").value)));
  $("new-project").addEventListener("click", async () => {
    const name = await ask("What is the new project called?", { yes: "Make it", input: "" });
    if (name !== null) await attempt(() => create(name));
  });
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => event.preventDefault()); // beside a gesture: nothing happens
  await show(names.includes(wanted) ? wanted : (names[0] ?? null));
  document.body.dataset.ready = "yes";
  setInterval(() => {
    if (status?.state === "running" || status?.busy) poll();
  }, POLL_MS);
}

attempt(begin);
