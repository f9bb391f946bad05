// What this page was told, and the way to its service: the key goes in a header, no cookie is sent or wanted.

import { beginWith, current, renewed } from "./keys.js";
import { showSignedOut } from "./signed-out.js";

/** @type {{base: string, key: string, viewer: string, assets: Record<string, string>}} */
export const page = JSON.parse(document.getElementById("page")?.textContent ?? "{}");

beginWith(page, showSignedOut);

/** A refusal of the service, as its problem document tells it. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `the service answered ${status}`);
    this.status = status;
    this.code = problem.code ?? "";
    this.mend = problem.mend ?? "";
    this.findings = Array.isArray(problem.findings) ? problem.findings : [];
    this.problem = problem;
  }
}

/** Headers with the key of this page; whoever copies them later copies the key of then. */
export function authority(headers = {}) {
  return { get Authorization() { return `Bearer ${current()}`; }, ...headers };
}

/** The address of `path` below the service; a whole path stays as it is. */
export function address(path) {
  return path.startsWith("/") ? path : `${page.base}/${path}`;
}

/**
 * One request to the service; a key that ended meanwhile, such as while the machine slept, is renewed for it.
 * @throws {Refused} with what the service says is wrong.
 */
export async function ask(path, options = {}) {
  let answer = await sent(path, options);
  if (answer.status === 401 && await renewed()) answer = await sent(path, options);
  if (answer.ok) return answer;
  let problem = {};
  try {
    problem = await answer.json();
  } catch {
    // Not a problem document: the status has to do.
  }
  throw new Refused(answer.status, problem);
}

function sent(path, { method = "GET", body, headers = {}, signal }) {
  return fetch(address(path), {
    method,
    signal,
    credentials: "omit",
    cache: "no-store",
    headers: authority({
      Accept: "application/json",
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...headers,
    }),
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

/** The JSON that the service answers. */
export async function askJson(path, options) {
  const answer = await ask(path, options);
  return answer.status === 204 ? null : answer.json();
}

/** What to tell a person of an error. */
export function told(error) {
  if (error instanceof Refused && error.status === 401) return "Your sign-in is over";
  if (error instanceof Refused) return error.mend ? `${error.message}. ${error.mend}` : error.message;
  if (error instanceof TypeError) return "The service does not answer. Look at your connection, then try again.";
  return String(error?.message ?? error);
}
