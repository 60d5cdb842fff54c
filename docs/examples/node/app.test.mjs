// The app against an embedded Clio, over real HTTP. Run: node --test

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { createApp } from "./app.mjs";
import { sandboxAt, startSandbox } from "./sandbox.mjs";

let clio, app, url, owner, colleague;

before(async () => {
  const { CLIO_NB_SITE, CLIO_NB_CONTROL_KEY } = process.env; // in CI: the sandbox in the container beside this one
  clio = CLIO_NB_SITE
    ? await sandboxAt(CLIO_NB_SITE, CLIO_NB_CONTROL_KEY)
    : await startSandbox("--redirect-uri", `http://127.0.0.1:${await freePort()}/callback`);
  url = new URL(clio.redirect_uri).origin;
  [owner, colleague] = clio.users;
});

beforeEach(async () => {
  await clio.reset();
  app = createApp({ clio: clio.base_url, clientId: clio.client_id, clientSecret: clio.client_secret, url });
  await new Promise((resolve) => app.listen(new URL(url).port, "127.0.0.1", resolve));
});

afterEach(() => new Promise((resolve) => (app.close(resolve), app.closeAllConnections())));
after(() => clio.stop());

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

test("the answer to another browser's sign-in is not taken", async () => {
  const begun = await fetch(`${url}/connect`, { redirect: "manual" });
  const back = await clio.consent(begun.headers.get("location"), owner.id);
  assert.equal((await fetch(back)).status, 400); // without the cookie
});

for (const place of PLACES) {
  test(`a genuine click on ${place} opens the record, once`, async () => {
    const launch = await click(owner, place);
    const first = await fetch(launch);
    assert.equal(first.status, 200);
    assert.match(await first.text(), /It is ./);
    assert.equal(first.headers.get("referrer-policy"), "no-referrer");
    assert.equal((await fetch(launch)).status, 403);
  });
}

test("a click is good for 60 seconds", async () => {
  const launch = await click(owner);
  await clio.advance(61);
  assert.equal((await fetch(launch)).status, 403);
});

test("a click of one user is not a click of another", async () => {
  await connect(colleague);
  const [theirs] = await actions(colleague);
  const forged = new URL(await click(owner));
  forged.searchParams.set("user_id", colleague.id);
  forged.searchParams.set("custom_action_id", theirs.id);
  assert.equal((await fetch(forged)).status, 403);
});

for (const subject of ["https://evil.example/api/v4/matters/1", "//evil.example/x", "/api/v4/matters/1?x=1", "/api/v4/users/1"]) {
  test(`the subject ${subject} sends nothing to anybody`, async () => {
    const forged = new URL(await click(owner));
    const before = (await clio.requests()).length;
    forged.searchParams.set("subject_url", subject);
    assert.equal((await fetch(forged)).status, 400);
    assert.equal((await clio.requests()).length, before);
  });
}

test("an expired token is renewed, and the click still counts", async () => {
  await connect(owner);
  await clio.advance(31 * 24 * 60 * 60);
  const launch = await click(owner);
  assert.equal((await fetch(launch)).status, 200);
});

test("when Clio has trouble the nonce is not sent again", async () => {
  const launch = await click(owner);
  await clio.fault({ kind: "status", status: 503, path: "/api/v4/matters/*" });
  assert.equal((await fetch(launch)).status, 503);
  const sent = (await clio.requests()).filter((seen) => seen.query.includes("custom_action_nonce"));
  assert.equal(sent.length, 1);
});

// --- what a person and Clio's screens do --------------------------------------------------------------------------

async function connect(user, decision = "allow") {
  const begun = await fetch(`${url}/connect`, { redirect: "manual" });
  const back = await clio.consent(begun.headers.get("location"), user.id, decision);
  return fetch(back, { headers: { cookie: begun.headers.get("set-cookie").split(";")[0] } });
}

function actions(user) {
  return clio.get(user.id, "/custom_actions?fields=id,label,ui_reference");
}

async function click(user, place = "matters") {
  if ((await actions(user)).length === 0) await connect(user);
  const action = (await actions(user)).find((each) => each.ui_reference === `${place}/show`);
  const [record] = await clio.get(user.id, `/${place}?limit=1`);
  return clio.click(user.id, action.id, `/api/v4/${place}/${record.id}`);
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
