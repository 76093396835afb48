// Step 1: names, recordings, dropped pictures, counts.

import * as api from "./api.js";
import * as camera from "./camera.js";
import { $, ask, attempt, chooseFiles, dropZone, make, plural, say } from "./dom.js";

const SIDE_PX = 480;
const EVERY_MS = 200;
const SAME_PLACE_MS = 120_000;
const NUM_SHOWN = 14;
const SUGGESTIONS = ["thumbs up", "open palm", "fist", "peace", "ok", "nothing"];

let context = null; // {project(), ensureProject(), changed(view)}
let recording = null; // {gesture, session, timer}
let last = { gesture: null, session: 0, ended: 0 };
const opened = new Set(); // gestures whose pictures are all shown

export function setUp(given) {
  context = given;
  $("camera-on").addEventListener("click", turnOn);
  $("camera-off").addEventListener("click", () => {
    camera.hide($("record-video"));
    turnedOff("The camera is off.");
  });
  $("record-video").addEventListener("cameraoff", () => turnedOff("The camera was switched off."));
  $("add-gesture").addEventListener("submit", (event) => {
    event.preventDefault();
    add($("gesture-name").value);
  });
  window.addEventListener("blur", stop);
  window.addEventListener("pointerup", stop);
  window.addEventListener("pointercancel", stop);
}

/** Show the gestures of a project; `view` is null before the first. */
export function render(view) {
  const gestures = view?.gestures ?? [];
  const list = $("gesture-list");
  $("no-gesture").hidden = gestures.length > 0;
  const known = new Map([...list.children].map((item) => [item.dataset.name, item]));
  const items = gestures.map((gesture) => {
    const item = known.get(gesture.name) ?? makeItem(gesture.name);
    fill(item, view, gesture);
    return item;
  });
  if (items.length !== list.children.length || items.some((item, index) => item !== list.children[index])) {
    list.replaceChildren(...items);
  }
  const names = new Set(gestures.map((gesture) => gesture.name.toLowerCase()));
  const chips = SUGGESTIONS.filter((name) => !names.has(name));
  $("suggestions").replaceChildren(
    ...chips.map((name) => make("button", { type: "button", className: "chip", onclick: () => add(name) }, name)),
  );
}

function makeItem(name) {
  const record = make("button", { type: "button", className: "record", data: { role: "record" } }, "Hold to record");
  record.setAttribute("aria-label", `Hold to record ${name}`);
  record.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    record.focus();
    start(name);
  });
  record.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    if (!event.repeat) start(name);
  });
  record.addEventListener("keyup", stop);
  record.addEventListener("blur", stop);
  record.addEventListener("contextmenu", (event) => event.preventDefault());
  const choose = make(
    "button",
    { type: "button", className: "quiet", onclick: () => chooseFiles((files) => upload(name, files)) },
    "Add files",
  );
  choose.setAttribute("aria-label", `Add picture files to ${name}`);
  const remove = make("button", { type: "button", className: "quiet small", onclick: () => removeAll(name) }, "Remove");
  remove.setAttribute("aria-label", `Remove ${name}`);
  const item = make(
    "li",
    { className: "gesture", data: { name } },
    make(
      "div",
      { className: "title" },
      make("strong", {}, name),
      make("span", { className: "count", data: { role: "count" } }),
      remove,
    ),
    make("div", { className: "row" }, record, choose),
    make("div", { className: "thumbs", data: { role: "thumbs" } }),
  );
  dropZone(item, (files) => upload(name, files));
  return item;
}

const part = (item, role) => item.querySelector(`[data-role="${role}"]`);

function fill(item, view, gesture) {
  const count = gesture.pictures.length;
  const label = part(item, "count");
  label.textContent = count < view.least ? `${count} of at least ${view.least}` : plural(count, "picture");
  label.className = count < view.least ? "count few" : count < view.good ? "count some" : "count good";
  const shown = opened.has(gesture.name) ? gesture.pictures : gesture.pictures.slice(-NUM_SHOWN);
  const thumbs = part(item, "thumbs");
  const known = new Map([...thumbs.querySelectorAll(".thumb")].map((thumb) => [thumb.dataset.name, thumb]));
  const children = [...shown].reverse().map((name) => known.get(name) ?? makeThumb(gesture.name, name));
  const hidden = count - shown.length;
  if (hidden > 0 || opened.has(gesture.name)) {
    const toggle = () => {
      opened.has(gesture.name) ? opened.delete(gesture.name) : opened.add(gesture.name);
      context.refresh();
    };
    const text = hidden > 0 ? `+ ${hidden}` : "Show fewer";
    const more = make("button", { type: "button", className: "more", onclick: toggle }, text);
    if (hidden > 0) more.setAttribute("aria-label", `Show ${hidden} more pictures of ${gesture.name}`);
    children.push(more);
  }
  thumbs.replaceChildren(...children);
}

function makeThumb(gesture, name) {
  const url = api.pictureUrl(context.project(), gesture, name);
  const remove = make("button", { type: "button", title: "Delete this picture" }, "×");
  remove.setAttribute("aria-label", `Delete ${name} of ${gesture}`);
  remove.addEventListener("click", () =>
    attempt(async () => context.changed(await api.removePicture(context.project(), gesture, name))),
  );
  return make(
    "div",
    { className: "thumb", data: { name } },
    make("img", { src: url, alt: "", loading: "lazy", width: 56, height: 56 }),
    remove,
  );
}

async function add(name) {
  await attempt(async () => {
    const project = await context.ensureProject();
    const view = await api.addGesture(project, name);
    $("gesture-name").value = "";
    context.changed(view);
  });
}

async function removeAll(gesture) {
  const count = context.view().gestures.find((it) => it.name === gesture).pictures.length;
  const question = `Remove ${gesture} and its ${plural(count, "picture")} from the disk?`;
  if (count > 0 && (await ask(question, { yes: "Remove" })) === null) return;
  await attempt(async () => context.changed(await api.removeGesture(context.project(), gesture)));
}

async function turnOn() {
  try {
    await camera.show($("record-video"));
    $("record-off").hidden = true;
    $("camera-off").hidden = false;
  } catch (error) {
    turnedOff(error.message);
  }
}

function turnedOff(sentence) {
  stop();
  $("record-off").hidden = false;
  $("camera-off").hidden = true;
  $("record-words").textContent = sentence;
}

async function start(gesture) {
  if (recording !== null) return;
  const mine = { gesture, session: nextSession(gesture), count: 0, waiting: 0, timer: 0 };
  recording = mine;
  if ($("record-video").hidden) await turnOn();
  if (recording !== mine || $("record-video").hidden) {
    if (recording === mine) recording = null;
    return;
  }
  document.body.dataset.recording = gesture;
  mark(mine);
  shoot(mine);
  mine.timer = setInterval(() => shoot(mine), EVERY_MS);
}

/** Recordings of one gesture in a row are one session: the same hand in the same light. */
function nextSession(gesture) {
  if (last.gesture === gesture && Date.now() - last.ended < SAME_PLACE_MS) return last.session;
  return (context.view().gestures.find((it) => it.name === gesture)?.num_sessions ?? 0) + 1;
}

function stop() {
  if (recording === null) return;
  const { gesture, session, timer } = recording;
  clearInterval(timer);
  if (timer) last = { gesture, session, ended: Date.now() };
  recording = null;
  delete document.body.dataset.recording;
  $("recording").hidden = true;
  document.querySelectorAll(".gesture.live").forEach((item) => item.classList.remove("live"));
}

function mark(mine) {
  $("recording").hidden = false;
  $("recording").textContent = `${mine.gesture} · ${mine.count}`;
  const items = [...$("gesture-list").children];
  items.find((item) => item.dataset.name === mine.gesture)?.classList.add("live");
}

async function shoot(mine) {
  if (mine.waiting > 2) return; // the disk is slower than the hand
  mine.waiting += 1;
  try {
    const frame = await camera.take($("record-video"), SIDE_PX);
    const stored = await api.addPicture(context.project(), mine.gesture, frame, { session: mine.session });
    if (stored.name === null) return; // the very same frame again
    mine.count += 1;
    if (recording === mine) mark(mine);
    await context.refresh();
  } catch (error) {
    if (recording === mine) stop();
    say(error.message);
  } finally {
    mine.waiting -= 1;
  }
}

async function upload(gesture, files) {
  const refused = [];
  let done = 0;
  for (const file of files) {
    try {
      await api.addPicture(context.project(), gesture, file, { name: file.name });
      done += 1;
      if (done % 5 === 0) await context.refresh();
    } catch (error) {
      refused.push(`${file.name}: ${error.message}`);
    }
  }
  await context.refresh();
  if (refused.length === 0) say(`Added ${plural(done, "picture")} to ${gesture}.`);
  else if (refused.length === 1) say(refused[0]);
  else say(`Added ${done}, left out ${refused.length}; the first: ${refused[0]}`);
}
