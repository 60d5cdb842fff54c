// The app against an embedded Clio, over real HTTP. Run: node --test

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { createApp } from "./app.mjs";
import { sandboxAt, startSandbox } from "./sandbox.mjs";

const secrets = { launchKey: randomBytes(32).toString("base64"), key: randomBytes(32).toString("base64") };
let clio, app, url, vault, owner, colleague;

before(async () => {
  const { CLIO_NB_SITE, CLIO_NB_CONTROL_KEY } = process.env; // in CI: the sandbox in the container beside this one
  clio = CLIO_NB_SITE
    ? await sandboxAt(CLIO_NB_SITE, CLIO_NB_CONTROL_KEY)
    : await startSandbox("--firms", "2", "--redirect-uri", `http://127.0.0.1:${await freePort()}/clio/callback`);
  url = new URL(clio.redirect_uri).origin;
  [owner, colleague] = clio.users;
});

beforeEach(async () => {
  await clio.reset();
  vault = mkdtempSync(join(tmpdir(), "vault-"));
  await start();
});

afterEach(async () => (await stop(), rmSync(vault, { recursive: true })));
after(() => clio.stop());

function start() {
  app = createApp({ clio: clio.base_url, clientId: clio.client_id, clientSecret: clio.client_secret, url, vault, ...secrets });
  return new Promise((resolve) => app.listen(new URL(url).port, "127.0.0.1", resolve));
}

function stop() {
  return new Promise((resolve) => (app.close(resolve), app.closeAllConnections()));
}

const PLACES = ["activities", "contacts", "documents", "folders", "matters"];

test("a user who allows the app has its action in every place", async () => {
  const answer = await connect(owner);
  assert.equal(answer.status, 200);
  const there = await actions(owner);
  assert.deepEqual(there.map((action) => action.ui_reference), PLACES.map((place) => `${place}/show`));
  assert.deepEqual(new Set(there.map((action) => action.label)), new Set(["Send for signature"]));
});

test("connecting again makes no second button", async () => {
  await connect(owner);
  await connect(owner);
  assert.equal((await actions(owner)).length, PLACES.length);
});

test("a user who declines is not connected", async () => {
  assert.match(await (await connect(owner, "decline")).text(), /as you wished/);
  assert.equal((await actions(owner)).length, 0);
});

test("the answer to another browser's sign-in is not taken, and none is taken twice", async () => {
  const begun = await fetch(`${url}/clio/connect`, { redirect: "manual" });
  const back = await clio.consent(begun.headers.get("location"), owner.id);
  assert.equal((await fetch(back)).status, 400); // without the cookie
  const answer = await fetch(back, { headers: { cookie: cookieOf(begun) } });
  assert.equal(answer.status, 200);
  assert.equal((await fetch(back, { headers: { cookie: cookieOf(answer) } })).status, 400);
});

test("a new hire connects and clicks", async () => {
  assert.equal((await open(await click(await clio.hire("Nadia Newcome")))).status, 200);
});

test("two firms use the app, each with its own records", async () => {
  const other = await clio.neighbour();
  const [first, second] = [await click(owner), await click(other.users[0], "matters", other)];
  const pages = [await open(first), await open(second)];
  assert.deepEqual(pages.map((page) => page.status), [200, 200]);
  assert.equal((await open(forged(second, { user_id: owner.id }))).status, 403);
});

test("whoever took the access back is told to connect, and does", async () => {
  const launch = await click(owner);
  await clio.revoke(owner.id);
  const refused = await open(launch);
  assert.equal(refused.status, 403);
  assert.match(await refused.text(), /Connect the app again/);
  await connect(owner);
  assert.equal((await open(await click(owner))).status, 200);
});

test("tokens lie sealed in files that only their owner reads, and outlive the app", async () => {
  await connect(owner);
  assert.deepEqual(readdirSync(vault), [String(owner.id)]);
  assert.doesNotMatch(readFileSync(join(vault, String(owner.id))).toString("latin1"), /access|refresh/);
  await stop();
  await start();
  assert.equal((await open(await click(owner))).status, 200);
});

for (const place of PLACES) {
  test(`a genuine click on ${place} opens the record, once`, async () => {
    const launch = await click(owner, place);
    const moved = await fetch(launch, { redirect: "manual" });
    const clean = moved.headers.get("location");
    assert.doesNotMatch(clean, /nonce/);
    for (const _ of ["first", "reload"]) {
      const page = await fetch(clean, { headers: { cookie: cookieOf(moved) } });
      assert.equal(page.status, 200);
      assert.match(await page.text(), /It is ./);
      assert.equal(page.headers.get("referrer-policy"), "no-referrer");
    }
    assert.equal((await fetch(clean)).status, 403); // another browser
    assert.equal((await fetch(clean, { headers: { cookie: cookieOf(moved).replace(owner.id, colleague.id) } })).status, 403);
    assert.equal((await fetch(launch)).status, 403); // replayed
  });
}

test("a browser that looks ahead spends no nonce and begins no sign-in", async () => {
  const launch = await click(owner);
  const ahead = { headers: { "sec-purpose": "prefetch" }, redirect: "manual" };
  for (const address of [launch, `${url}/clio/connect`]) {
    const answer = await fetch(address, ahead);
    assert.deepEqual([answer.status, answer.headers.get("set-cookie")], [503, null]);
  }
  assert.equal((await open(launch)).status, 200);
});

test("a click is good for 60 seconds", async () => {
  const launch = await click(owner);
  await clio.advance(61);
  assert.equal((await open(launch)).status, 403);
});

test("a click of one user is not a click of another", async () => {
  await connect(colleague);
  const [theirs] = await actions(colleague);
  const launch = forged(await click(owner), { user_id: colleague.id, custom_action_id: theirs.id });
  assert.equal((await open(launch)).status, 403);
});

for (const subject of ["https://evil.example/api/v4/matters/1", "//evil.example/x", "/api/v4/matters/1?x=1", "/api/v4/users/1"]) {
  test(`the subject ${subject} sends nothing to anybody`, async () => {
    const launch = forged(await click(owner), { subject_url: subject });
    const before = (await clio.requests()).length;
    assert.equal((await open(launch)).status, 400);
    assert.equal((await clio.requests()).length, before);
  });
}

test("an expired token is renewed, and the click still counts", async () => {
  await connect(owner);
  await clio.advance(31 * 24 * 60 * 60);
  assert.equal((await open(await click(owner))).status, 200);
});

for (const fault of [{ kind: "status", status: 503 }, { kind: "rate_limit" }]) {
  test(`when Clio answers with ${fault.status ?? 429} the nonce is not sent again`, async () => {
    const launch = await click(owner);
    await clio.fault({ ...fault, path: "/api/v4/matters/*" });
    assert.equal((await open(launch)).status, 503);
    const sent = (await clio.requests()).filter((seen) => seen.query.includes("custom_action_nonce"));
    assert.equal(sent.length, 1);
  });
}

// --- what a person and Clio's screens do --------------------------------------------------------------------------

async function connect(user, decision = "allow") {
  const begun = await fetch(`${url}/clio/connect`, { redirect: "manual" });
  const back = await clio.consent(begun.headers.get("location"), user.id, decision);
  return fetch(back, { headers: { cookie: cookieOf(begun) } });
}

function actions(user, firm = clio) {
  return firm.get(user.id, "/custom_actions?fields=id,label,ui_reference");
}

async function click(user, place = "matters", firm = clio) {
  if ((await actions(user, firm)).length === 0) await connect(user);
  const action = (await actions(user, firm)).find((each) => each.ui_reference === `${place}/show`);
  const [record] = await firm.get(user.id, `/${place}?limit=1`);
  return firm.click(user.id, action.id, `/api/v4/${place}/${record.id}`);
}

// Open a launch as a browser does: with its cookie to the clean address.
async function open(launch) {
  const answer = await fetch(launch, { redirect: "manual" });
  return answer.status === 303 ? fetch(answer.headers.get("location"), { headers: { cookie: cookieOf(answer) } }) : answer;
}

function cookieOf(answer) {
  return answer.headers.get("set-cookie").split(";")[0];
}

function forged(launch, changed) {
  const url = new URL(launch);
  for (const [name, value] of Object.entries(changed)) url.searchParams.set(name, value);
  return url;
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
