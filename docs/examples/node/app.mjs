// A partner's whole app: it connects users, puts an action into their menus, and receives the launches.
// Standard library only. Run it: node app.mjs (see the settings at the end).

import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const LABEL = "Send for signature";
const TITLES = { activities: "note", contacts: "name", documents: "name", folders: "name", matters: "display_number" };
const SUBJECT = /^\/api\/v4\/(activities|contacts|documents|folders|matters)\/([1-9][0-9]{0,18})$/;
const ID = /^[1-9][0-9]{0,18}$/;
const NONCE = /^[!-~]{1,2048}$/; // Clio documents no alphabet

export function createApp({ clio, clientId, clientSecret, url }) {
  const target = `${url}/launch`;
  const users = new Map(); // user id -> { access, refresh, actions }; in production: a database, encrypted

  // --- Clio -----------------------------------------------------------------------------------------------------

  async function tokens(grant) {
    const body = new URLSearchParams({ client_id: clientId, client_secret: clientSecret, ...grant });
    const answer = await fetch(`${clio}/oauth/token`, { method: "POST", body, redirect: "error" });
    if (!answer.ok) throw new Problem(403, "Clio did not grant access. Connect the app again.");
    return answer.json();
  }

  // The origin is always our region's, and a redirect is never followed with a token.
  function send(user, path, options = {}) {
    const headers = { authorization: `Bearer ${user.access}`, "content-type": "application/json" };
    return fetch(clio + path, { ...options, headers, redirect: "error", signal: AbortSignal.timeout(20_000) });
  }

  // A 401 says that the request was not carried out, so it may be sent again, even with a nonce. Nothing else may.
  async function call(user, path, options) {
    let answer = await send(user, path, options);
    if (answer.status === 401 && user.refresh) {
      const renewed = await tokens({ grant_type: "refresh_token", refresh_token: user.refresh });
      user.access = renewed.access_token;
      user.refresh = renewed.refresh_token ?? user.refresh; // it comes back only when it changes
      answer = await send(user, path, options);
    }
    return answer;
  }

  // One user, one action in each place: look for ours first, so that a new label renames a button and makes no second.
  // Returns the place of each action by its id.
  async function putActions(user) {
    const list = await call(user, "/api/v4/custom_actions?fields=id,label,target_url,ui_reference");
    if (!list.ok) throw new Problem(502, "Clio does not let this app read custom actions. Check its permissions.");
    const ours = (await list.json()).data.filter((action) => action.target_url === target);
    const actions = new Map();
    for (const place of Object.keys(TITLES)) {
      const there = ours.find((action) => action.ui_reference === `${place}/show`);
      const body = JSON.stringify({ data: { label: LABEL, target_url: target, ui_reference: `${place}/show` } });
      const path = there ? `/api/v4/custom_actions/${there.id}` : "/api/v4/custom_actions";
      const answer = await call(user, `${path}?fields=id`, { method: there ? "PATCH" : "POST", body });
      if (!answer.ok) throw new Problem(502, "Clio did not take the action.");
      actions.set(String((await answer.json()).data.id), place);
    }
    return actions;
  }

  // --- Connecting a user ----------------------------------------------------------------------------------------

  function connect() {
    const state = randomBytes(32).toString("base64url");
    const asked = { response_type: "code", client_id: clientId, redirect_uri: `${url}/callback`, state };
    const cookie = `state=${state}; HttpOnly; SameSite=Lax; Path=/callback; Max-Age=600`;
    const location = `${clio}/oauth/authorize?${new URLSearchParams({ ...asked, redirect_on_decline: "true" })}`;
    return { status: 303, headers: { location, "set-cookie": cookie } };
  }

  async function callback(query, request) {
    const kept = /(?:^|; )state=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1];
    if (!kept || !same(kept, query.get("state") ?? "")) throw new Problem(400, "This sign-in is not yours. Start again.");
    if (query.get("error")) throw new Problem(200, "Not connected, as you wished.");
    const code = query.get("code") ?? "";
    const granted = await tokens({ grant_type: "authorization_code", code, redirect_uri: `${url}/callback` });
    const user = { access: granted.access_token, refresh: granted.refresh_token };
    const me = await call(user, "/api/v4/users/who_am_i?fields=id,name");
    if (!me.ok) throw new Problem(502, "Clio does not say who signed in. Give the app the users permission.");
    const { id, name } = (await me.json()).data;
    user.actions = await putActions(user);
    users.set(String(id), user);
    return page(200, "Connected", `${name} has the action "${LABEL}" now.`);
  }

  // --- Receiving a launch ---------------------------------------------------------------------------------------

  async function launch(query, request) {
    if (request.headers["sec-purpose"]) throw new Problem(503, "A launch is proved when a person opens it.");
    const [place, record] = match(query, "subject_url", SUBJECT).slice(1);
    const [userId] = match(query, "user_id", ID);
    const [actionId] = match(query, "custom_action_id", ID);
    const [nonce] = match(query, "custom_action_nonce", NONCE);
    const user = users.get(userId); // the token of the user who is said to have clicked, and of nobody else
    if (user?.actions.get(actionId) !== place) throw new Problem(403, "Click the action in Clio again.");

    // One request, built from the parsed parts. It is never repeated: the nonce works once.
    const asked = new URLSearchParams({ fields: `id,${TITLES[place]}`, custom_action_nonce: nonce });
    let answer;
    try {
      answer = await call(user, `/api/v4/${place}/${record}?${asked}`);
    } catch (error) {
      throw error instanceof Problem ? error : new Problem(503, "No answer from Clio. Click the action again.");
    }
    if (answer.status >= 500) throw new Problem(503, "Clio has trouble. Click the action again in a moment.");
    const data = answer.ok ? (await answer.json().catch(() => null))?.data : null;
    if (String(data?.id) !== record) throw new Problem(403, "Clio did not confirm the click. Click it again.");
    return page(200, "Ready to sign", `It is ${data[TITLES[place]]}.`);
  }

  // --- HTTP -----------------------------------------------------------------------------------------------------

  const routes = { "/connect": connect, "/callback": callback, "/launch": launch };
  return createServer(async (request, response) => {
    let answer;
    try {
      const [path, query] = split(request.url);
      const route = Object.hasOwn(routes, path) ? routes[path] : null;
      if (!route) throw new Problem(404, "There is no such page.");
      if (request.method !== "GET") throw new Problem(405, "Open it in a browser.");
      answer = await route(query, request);
    } catch (error) {
      answer = error instanceof Problem ? page(error.status, "Not done", error.message) : failed(error);
    }
    // The address of a launch holds a nonce: it stays out of caches and out of the Referer of the next page.
    response.writeHead(answer.status, { "cache-control": "no-store", "referrer-policy": "no-referrer", ...answer.headers });
    response.end(answer.body);
  });
}

class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Each parameter stands there exactly once and in exactly one form; nothing is repaired.
function match(query, name, form) {
  const values = query.getAll(name);
  const found = values.length === 1 ? form.exec(values[0]) : null;
  if (!found) throw new Problem(400, "This is not a launch of a custom action. Click the action in Clio.");
  return found;
}

function split(target) {
  const mark = target.indexOf("?");
  return mark < 0 ? [target, new URLSearchParams()] : [target.slice(0, mark), new URLSearchParams(target.slice(mark))];
}

function same(one, other) {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}

function failed(error) {
  console.error(error.name); // the name alone: a message may hold an address with a nonce
  return page(500, "Not done", "Something went wrong here. Try it again.");
}

function page(status, title, text) {
  const escape = (raw) => raw.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
  const body = `<!doctype html><html lang="en"><title>${escape(title)}</title><h1>${escape(title)}</h1><p>${escape(text)}</p>`;
  return { status, headers: { "content-type": "text/html; charset=utf-8" }, body };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { CLIO_URL, CLIO_CLIENT_ID, CLIO_CLIENT_SECRET, APP_URL = "http://127.0.0.1:3000" } = process.env;
  const app = createApp({ clio: CLIO_URL, clientId: CLIO_CLIENT_ID, clientSecret: CLIO_CLIENT_SECRET, url: APP_URL });
  app.listen(Number(new URL(APP_URL).port), "127.0.0.1", () => console.log(`Connect a user at ${APP_URL}/connect`));
}
