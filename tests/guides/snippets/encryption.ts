import { show } from "./stage";

const [key, other] = (globalThis as unknown as { keys: Uint8Array[] }).keys.map((it) => Uint8Array.from(it)) as [Uint8Array, Uint8Array];
const asked: string[] = [];
const keyOf = async (kid: string) => (asked.push(kid), other);
const response = await fetch("/api/v2/campaigns/my-campaign/domains");

//# docs/ENCRYPTION.md 1
sync.connect();
const campaign = sync.campaign("my-campaign");
show({ asked, body, campaign });
