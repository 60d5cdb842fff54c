// Start an embedded Clio for a test, or reach one that runs, and steer it: nothing here is special to this app.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export async function startSandbox(...options) {
  const process = spawn("clio-nb", ["sandbox", "--port", "0", "--json", ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await new Promise((resolve, reject) => {
    process.once("error", reject);
    process.once("exit", () => reject(new Error("clio-nb sandbox ended at once")));
    createInterface({ input: process.stdout }).once("line", (...first) => resolve(first));
  });
  const stop = () => new Promise((resolve) => (process.once("exit", resolve), process.kill("SIGINT")));
  return { ...steering(JSON.parse(line), globalThis.process.env.CLIO_NB_CONTROL_KEY), stop };
}

// One that runs elsewhere, such as in the container beside this one. It tells the rest to who has its key.
export async function sandboxAt(url, key) {
  const site = await steering({ control_url: `${url}/control` }, key).describe();
  return { ...steering(site, key), stop: async () => {} };
}

function steering(site, key) {
  const headers = { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };

  async function control(method, path, body) {
    const answer = await fetch(site.control_url + path, { method, headers, body: body && JSON.stringify(body) });
    const said = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${path}: ${said.error.message}`);
    return said;
  }

  return {
    ...site,
    describe: () => control("GET", ""),
    reset: () => control("POST", "/reset"),
    advance: (seconds) => control("POST", "/clock/advance", { seconds }),
    fault: (fault) => control("POST", "/faults", fault),
    hire: (name) => control("POST", "/users", { name }),
    revoke: (userId) => control("POST", "/revocations", { user_id: userId }),
    // The next firm of the same sandbox, with people of its own.
    async neighbour() {
      const other = site.firms.find((firm) => firm.account_id !== site.account_id);
      return steering(await steering(other, key).describe(), key);
    },
    requests: () => control("GET", "/requests"),
    token: async (userId) => (await control("POST", "/tokens", { user_id: userId })).access_token,
    click: async (userId, actionId, subject) =>
      (await control("POST", "/clicks", { user_id: userId, custom_action_id: actionId, subject_url: subject })).launch_url,
    // What a person does on the consent page: follow the link, choose a user, press Allow. Returns the way back.
    async consent(authorizeUrl, userId, decision = "allow") {
      const form = await (await fetch(authorizeUrl)).text();
      const consent = /name="consent" value="([^"]+)"/.exec(form)[1];
      const body = new URLSearchParams({ consent, user_id: userId, decision });
      return (await fetch(`${site.base_url}/oauth/authorize`, { method: "POST", body, redirect: "manual" })).headers.get("location");
    },
    async get(userId, path) {
      const headers = { authorization: `Bearer ${await this.token(userId)}` };
      return (await (await fetch(site.api_url + path, { headers })).json()).data;
    },
  };
}
