// The server's HTTP interface; what goes wrong is an error in words.

const KEY = "recframe.key";
let key = sessionStorage.getItem(KEY) ?? "";

export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export function useKey(given) {
  key = given;
  sessionStorage.setItem(KEY, given);
}

/** A key for one report of feedback: the same one said again later is another report. */
export function newKey() {
  // randomUUID is there under https alone
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The answer of the server as an object. */
export async function call(method, path, body, signal) {
  const headers = { Accept: "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server does not answer. Is it still running?", 0);
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(answer?.error ?? `The server answered with status ${response.status}.`, response.status);
  if (answer === null) throw new ApiError("The server's answer could not be read.", response.status);
  return answer;
}
