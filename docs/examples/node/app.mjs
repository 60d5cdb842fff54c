// A partner's whole app: users connect at /clio/connect and have an action in their menus; their clicks arrive at /launch.
// Standard library only. All settings come from the environment (see the end). Run it: node app.mjs

import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const LABEL = "Send for signature";
const TITLES = { activities: "note", contacts: "name", documents: "name", folders: "name", matters: "display_number" };
const SUBJECT = /^\/api\/v4\/(activities|contacts|documents|folders|matters)\/([1-9][0-9]{0,18})$/;
const ID = /^[1-9][0-9]{0,18}$/;
const NONCE = /^[!-~]{1,2048}$/; // Clio documents no alphabet

export function createApp({ clio, clientId, clientSecret, url, launchKey, vault, key }) {
  const target = `${url}/launch`;
  const secure = url.startsWith("https:") ? "; Secure" : "";
  const renewals = new Map(); // user id -> a renewal under way, for all who need it

  // --- Tokens: one sealed file for each user, so that they outlive this process ------------------------------------
  // For one machine. Several need a database, and a lock so that one process renews a token.

  const sealing = Buffer.from(key, "base64");
  if (sealing.length !== 32 || launchKey.length < 32) throw new Error("Make each key with: openssl rand -base64 32");
  mkdirSync(vault, { recursive: true, mode: 0o700 });

  function keep(id, user) {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", sealing, nonce).setAAD(Buffer.from(id));
    const sealed = Buffer.concat([cipher.update(JSON.stringify(user)), cipher.final()]);
    const draft = join(vault, `${id}.${nonce.toString("hex")}.new`); // written whole, then named: a crash leaves the old one
    writeFileSync(draft, Buffer.concat([nonce, cipher.getAuthTag(), sealed]), { mode: 0o600, flush: true });
    renameSync(draft, join(vault, id));
  }

  function userOf(id) {
    try {
      const kept = readFileSync(join(vault, id));
      const opened = createDecipheriv("aes-256-gcm", sealing, kept.subarray(0, 12)).setAAD(Buffer.from(id));
      opened.setAuthTag(kept.subarray(12, 28));
      return JSON.parse(Buffer.concat([opened.update(kept.subarray(28)), opened.final()]));
    } catch (error) {
      if (error.code === "ENOENT") return null;
      throw error;
    }
  }

  // --- Clio -----------------------------------------------------------------------------------------------------

  async function tokens(grant) {
    const body = new URLSearchParams({ client_id: clientId, client_secret: clientSecret, ...grant });
    const asked = { method: "POST", body, redirect: "error", signal: AbortSignal.timeout(20_000) };
    const answer = await fetch(`${clio}/oauth/token`, asked);
    if (answer.status >= 500) throw new Problem(503, "Clio has trouble. Try it again in a moment.");
    if (!answer.ok) throw new Problem(403, "Clio did not grant access. Connect the app again.");
    return answer.json();
  }

  async function renew(stale) {
    if (userOf(stale.id).access !== stale.access) return userOf(stale.id); // somebody else did, meanwhile
    const granted = await tokens({ grant_type: "refresh_token", refresh_token: stale.refresh });
    const user = userOf(stale.id);
    if (user.access !== stale.access) return user; // connected again, meanwhile
    // a refresh token comes back only when it changes
    keep(user.id, { ...user, access: granted.access_token, refresh: granted.refresh_token ?? user.refresh });
    return userOf(user.id);
  }

  // The origin is always our region's, and a redirect is never followed with a token.
  function send(user, path, options = {}) {
    const headers = { authorization: `Bearer ${user.access}`, "content-type": "application/json" };
    return fetch(clio + path, { ...options, headers, redirect: "error", signal: AbortSignal.timeout(20_000) });
  }

  // A 401 says that the request was not carried out, so it may be sent again, even with a nonce. Nothing else may.
  async function call(user, path, options) {
    const answer = await send(user, path, options);
    if (answer.status !== 401 || !user.id) return answer; // one without an id has a token of this moment
    if (!renewals.has(user.id)) renewals.set(user.id, renew(user).finally(() => renewals.delete(user.id)));
    return send(await renewals.get(user.id), path, options);
  }

  // One user, one action in each place: look for ours first, so that a new label renames a button and makes no second.
  // Gives the place of each action by its id.
  async function putActions(user) {
    const list = await call(user, "/api/v4/custom_actions?fields=id,label,target_url,ui_reference");
    if (!list.ok) throw new Problem(502, "Clio does not let this app read custom actions. Check its permissions.");
    const ours = (await list.json()).data.filter((action) => action.target_url === target);
    const actions = {};
    for (const place of Object.keys(TITLES)) {
      const there = ours.find((action) => action.ui_reference === `${place}/show`);
      const body = JSON.stringify({ data: { label: LABEL, target_url: target, ui_reference: `${place}/show` } });
      const path = there ? `/api/v4/custom_actions/${there.id}` : "/api/v4/custom_actions";
      const answer = await call(user, `${path}?fields=id`, { method: there ? "PATCH" : "POST", body });
      if (!answer.ok) throw new Problem(502, "Clio did not take the action.");
      actions[(await answer.json()).data.id] = place;
    }
    return actions;
  }

  // --- Connecting a user ----------------------------------------------------------------------------------------
  // The state is in the browser's cookie, so any process completes a sign-in, also one that was started meanwhile.

  function connect() {
    const state = randomBytes(32).toString("base64url");
    const asked = { response_type: "code", client_id: clientId, redirect_uri: `${url}/clio/callback`, state };
    const location = `${clio}/oauth/authorize?${new URLSearchParams({ ...asked, redirect_on_decline: "true" })}`;
    return { status: 303, headers: { location, "set-cookie": signInCookie(state, 600) } };
  }

  function signInCookie(state, seconds) {
    return `clio_sign_in=${state}; HttpOnly; SameSite=Lax; Path=/clio; Max-Age=${seconds}${secure}`;
  }

  async function callback(query, request) {
    if (!same(cookie(request, "clio_sign_in"), query.get("state")))
      throw new Problem(400, "This sign-in is not yours, or over. Open the link again.");
    const answer = await complete(query).catch(refused);
    return { ...answer, headers: { ...answer.headers, "set-cookie": signInCookie("", 0) } }; // a state counts once
  }

  async function complete(query) {
    if (query.get("error")) throw new Problem(200, "Not connected, as you wished.");
    const code = query.get("code") ?? "";
    const granted = await tokens({ grant_type: "authorization_code", code, redirect_uri: `${url}/clio/callback` });
    const user = { access: granted.access_token, refresh: granted.refresh_token };
    const me = await call(user, "/api/v4/users/who_am_i?fields=id,name");
    if (!me.ok) throw new Problem(502, "Clio does not say who signed in. Give the app the users permission.");
    const { id, name } = (await me.json()).data;
    const actions = await putActions(user);
    keep(String(id), { ...user, id: String(id), actions }); // last: who is kept has the buttons
    return page(200, "Connected", `${name} has the action "${LABEL}" now.`);
  }

  // --- Receiving a launch ---------------------------------------------------------------------------------------

  async function launch(query, request) {
    if (query.has("shown")) return again(query, request);
    const [place, record] = match(query, "subject_url", SUBJECT).slice(1);
    const [userId] = match(query, "user_id", ID);
    const [actionId] = match(query, "custom_action_id", ID);
    const [nonce] = match(query, "custom_action_nonce", NONCE);
    const user = userOf(userId); // the token of the user who is said to have clicked, and of nobody else
    if (user?.actions[actionId] !== place) throw new Problem(403, "Click the action in Clio again.");
    await read(user, place, record, nonce);
    // On to an address without the nonce. Whoever has the cookie, which is this browser, may open it for ten minutes.
    const shown = [randomBytes(8).toString("hex"), Date.now() + 600_000, userId, place, record].join(".");
    const kept = `clio_launch=${shown}.${mac(shown)}; HttpOnly; SameSite=Lax; Path=/launch; Max-Age=600${secure}`;
    return { status: 303, headers: { location: `${target}?shown=${shown.split(".")[0]}`, "set-cookie": kept } };
  }

  async function again(query, request) {
    const [shown, sent] = (cookie(request, "clio_launch") ?? "").split(/\.(?=[^.]*$)/);
    const [id, until, userId, place, record] = shown.split(".");
    const user = same(mac(shown), sent) && query.get("shown") === id && until > Date.now() ? userOf(userId) : null;
    if (!user) throw new Problem(403, "Click the action in Clio again.");
    const data = await read(user, place, record);
    return page(200, "Ready to sign", `It is ${data[TITLES[place]]}.`);
  }

  // One request, built from the parsed parts. With a nonce it is the proof, and never repeated: a nonce works once.
  async function read(user, place, record, nonce) {
    const asked = new URLSearchParams({ fields: `id,${TITLES[place]}`, ...(nonce && { custom_action_nonce: nonce }) });
    let answer;
    try {
      answer = await call(user, `/api/v4/${place}/${record}?${asked}`);
    } catch (error) {
      throw error instanceof Problem ? error : new Problem(503, "No answer from Clio. Click the action again.");
    }
    if (answer.status === 429) throw new Problem(503, "Too many clicks in a minute. Click the action again in a moment.");
    if (answer.status >= 500) throw new Problem(503, "Clio has trouble. Click the action again in a moment.");
    const data = answer.ok ? (await answer.json().catch(() => null))?.data : null;
    if (String(data?.id) !== record) throw new Problem(403, "Clio did not confirm the click. Click it again.");
    return data;
  }

  function mac(text) {
    return createHmac("sha256", launchKey).update(text).digest("base64url");
  }

  // --- HTTP -----------------------------------------------------------------------------------------------------

  const routes = { "/clio/connect": connect, "/clio/callback": callback, "/launch": launch };
  return createServer(async (request, response) => {
    const answer = await answerTo(request).catch(refused);
    // The addresses hold nonces and codes: they stay out of caches and out of the Referer of the next page.
    response.writeHead(answer.status, { "cache-control": "no-store", "referrer-policy": "no-referrer", ...answer.headers });
    response.end(answer.body);
  });

  async function answerTo(request) {
    const [path, query] = split(request.url);
    const route = Object.hasOwn(routes, path) ? routes[path] : null;
    if (!route) throw new Problem(404, "There is no such page.");
    if (request.method !== "GET") throw new Problem(405, "Open it in a browser.");
    if (request.headers["sec-purpose"]) throw new Problem(503, "A person opens this page, not a browser in advance.");
    return route(query, request);
  }
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

function cookie(request, name) {
  return new RegExp(`(?:^|; )${name}=([^;]+)`).exec(request.headers.cookie ?? "")?.[1];
}

function same(one, other) {
  return !!one && one.length === other?.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}

function refused(error) {
  if (error instanceof Problem) return page(error.status, "Not done", error.message);
  console.error(error.name); // the name alone: a message may hold an address with a nonce
  return page(500, "Not done", "Something went wrong here. Try it again.");
}

function page(status, title, text) {
  const escape = (raw) => raw.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
  const body = `<!doctype html><html lang="en"><title>${escape(title)}</title><h1>${escape(title)}</h1><p>${escape(text)}</p>`;
  return { status, headers: { "content-type": "text/html; charset=utf-8" }, body };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const said = (name) => process.env[name] ?? (console.error(`Set ${name}.`), process.exit(1));
  const site = said("CLIO_NB_SITE"); // a region, or the address of a sandbox
  const regions = { us: "https://app.clio.com", eu: "https://eu.app.clio.com", ca: "https://ca.app.clio.com", au: "https://au.app.clio.com" };
  const app = createApp({
    clio: regions[site] ?? site,
    clientId: said("CLIO_CLIENT_ID"),
    clientSecret: said("CLIO_CLIENT_SECRET"),
    url: said("APP_URL"), // the public address: https://app.example
    launchKey: said("LAUNCH_KEY"), // signs cookies: openssl rand -base64 32
    vault: said("CLIO_NB_VAULT"), // the folder of the tokens
    key: said("CLIO_NB_KEY"), // seals them: openssl rand -base64 32
  });
  const port = Number(process.env.PORT ?? 3000);
  app.listen(port, "127.0.0.1", () => console.log(`Connect a user at ${said("APP_URL")}/clio/connect`));
}
