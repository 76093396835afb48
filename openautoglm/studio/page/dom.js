// Small helpers over the page's own elements.

export const $ = (id) => document.getElementById(id);

/** An element with properties, data attributes and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  const { data = {}, ...plain } = properties;
  Object.assign(element, plain);
  Object.assign(element.dataset, data);
  element.append(...children.filter((child) => child !== null));
  return element;
}

let fading = 0;

/** One sentence at the bottom of the page. */
export function say(sentence) {
  const toast = $("toast");
  toast.textContent = sentence;
  toast.classList.add("shown");
  clearTimeout(fading);
  fading = setTimeout(() => toast.classList.remove("shown"), 6000);
}

/** Ask for a yes, or for a name where `input` is given; null for no. */
export function ask(text, { yes, input = null }) {
  const dialog = $("ask");
  const field = $("ask-input");
  $("ask-text").textContent = text;
  $("ask-yes").textContent = yes;
  field.hidden = input === null;
  field.required = input !== null;
  field.value = input ?? "";
  $("ask-no").onclick = () => dialog.close("no");
  dialog.returnValue = "no";
  dialog.showModal();
  if (input !== null) field.select();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "yes" ? field.value : null),
      { once: true },
    );
  });
}

/** Do something and tell the person what went wrong. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    say(error.message);
    return undefined;
  }
}

/** Let files be dropped onto an element. */
export function dropZone(element, take) {
  const isFile = (event) => [...event.dataTransfer.types].includes("Files");
  element.addEventListener("dragover", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    event.stopPropagation();
    element.classList.add("over");
  });
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    event.stopPropagation();
    element.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
}

/** Let files be chosen in the system's window. */
export function chooseFiles(take, { multiple = true } = {}) {
  const input = $("file-input");
  input.multiple = multiple;
  input.value = "";
  input.onchange = () => take([...input.files]);
  input.click();
}

export const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

/** Seconds as people say them. */
export function duration(seconds) {
  if (seconds < 90) return `${Math.max(10, Math.round(seconds / 10) * 10)} seconds`;
  return plural(Math.round(seconds / 60), "minute");
}
