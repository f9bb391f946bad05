// A file to the service, told how far it is: fetch does not tell that.

import { address, authority, Refused } from "./page.js";
import { ready, renewed } from "./keys.js";

/**
 * Send `file` as the body of a POST.
 * @param {string} path
 * @param {File} file
 * @param {(share: number) => void} onSent told the share that has left, in 0..1.
 * @returns {Promise<any>} the JSON that the service answers.
 * @throws {Refused}
 */
export async function send(path, file, onSent) {
  await ready();
  let answer = await post(path, file, onSent);
  // Who is not known any more is told before the file has gone over.
  if (answer.status === 401 && await renewed()) answer = await post(path, file, onSent);
  let told = {};
  try {
    told = JSON.parse(answer.responseText);
  } catch {
    // No JSON: the status has to do.
  }
  if (answer.status >= 200 && answer.status < 300) return told;
  throw new Refused(answer.status, told);
}

function post(path, file, onSent) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", address(path));
    for (const [name, value] of Object.entries(authority({ Accept: "application/json", "Content-Type": "application/zip" }))) {
      request.setRequestHeader(name, value);
    }
    request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) onSent(event.loaded / event.total); });
    request.addEventListener("load", () => done(request));
    request.addEventListener("error", () => failed(new TypeError("no answer")));
    request.addEventListener("abort", () => failed(new TypeError("no answer")));
    request.send(file);
  });
}
