// What a tab keeps over a reload, for as long as its user is signed in. It is an aid: without room the page goes on.

/** Keep a value for a JSON document; nothing is kept of `null`. */
export function keep(name, value) {
  try {
    if (value === null) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    sessionStorage.removeItem(name); // rather nothing than what was true before
  }
}

/** Return what was kept; `null` if nothing was, or what is no JSON. */
export function kept(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name) ?? "null");
  } catch {
    return null;
  }
}
