// The addresses of the studio, one function each.

const place = (...parts) => "/api/" + parts.map(encodeURIComponent).join("/");

async function request(method, path, { json, body } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: { "content-type": json === undefined ? "application/octet-stream" : "application/json" },
      body: json === undefined ? body : JSON.stringify(json),
    });
  } catch {
    throw new Error("The studio does not answer: is it still running in its terminal?");
  }
  const plain = await answer.json().catch(() => null);
  if (!answer.ok) {
    throw new Error(plain?.error ?? "The studio made a mistake; its terminal says more.");
  }
  return plain;
}

export const MAX_BYTES = 20_000_000;

export const listProjects = () => request("GET", place("projects"));
export const addProject = (name) => request("POST", place("projects"), { json: { name } });
export const readProject = (project) => request("GET", place("projects", project));
export const addGesture = (project, name) =>
  request("POST", place("projects", project, "gestures"), { json: { name } });
export const removeGesture = (project, gesture) =>
  request("DELETE", place("projects", project, "gestures", gesture));

export const pictureUrl = (project, gesture, name) =>
  place("projects", project, "gestures", gesture, "pictures", name);
export const removePicture = (project, gesture, name) => request("DELETE", pictureUrl(project, gesture, name));

/** Store a picture: a frame of a recording, or a file with its name. */
export function addPicture(project, gesture, body, { session = null, name = "" }) {
  if (body.size > MAX_BYTES) throw new Error(`${name} is too large: a picture has 20 MB at most.`);
  const query = session === null ? `name=${encodeURIComponent(name)}` : `session=${session}`;
  return request("POST", `${place("projects", project, "gestures", gesture, "pictures")}?${query}`, { body });
}

export const readTraining = (project) => request("GET", place("projects", project, "training"));
export const startTraining = (project, wish) => request("POST", place("projects", project, "training"), { json: wish });
export const cancelTraining = (project) => request("DELETE", place("projects", project, "training"));

export const fileUrl = (project, name) => place("projects", project, "files", name);
export const recognize = (project, runtime, body) =>
  request("POST", `${place("projects", project, "recognize")}?runtime=${runtime}`, { body });
