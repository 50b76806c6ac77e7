"use client";

import { useEffect } from "react";

import { follow } from "../../follow.js";
import { create } from "./client.js";
import { session } from "./session.js";

/** Sends a request through the rewrites of Next. */
async function request(path, init) {
  const { token } = await session();
  const response = await fetch(`/api/v2${path}`, { ...init, headers: { authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Error(`${response.status} ${path}`);
  return response.json();
}
const post = (path, body) => request(path, { method: "POST", body: JSON.stringify(body) });

/** Creates a campaign and waits until all its domains are generated. */
async function generate(count) {
  const { campaignId } = (await post("/campaigns", { name: "one", count, rate: 1_000 })).campaign;
  await post(`/campaigns/${campaignId}/start`, {});
  while ((await request(`/campaigns/${campaignId}`)).phaseStatus !== "completed") {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return campaignId;
}

const run = async () => {
  const count = Number(new URLSearchParams(location.search).get("count"));
  return follow({ campaignId: await generate(count), create });
};

export default function Page() {
  useEffect(() => {
    run().then(
      (outcome) => (globalThis.outcome = outcome),
      (error) => (globalThis.outcome = { error: String(error) }),
    );
  }, []);
  return <p>campaign-sync</p>;
}
