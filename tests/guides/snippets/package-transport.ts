import { CampaignSync, init } from "campaign-sync";

import { show } from "./stage";

/** A transport of the application. */
interface Port {
  onopen: () => void;
  onmessage: (frame: string) => void;
  onclose: (code: number) => void;
  send(frame: string): void;
  close(): void;
}

/** A port over a socket, which has the events of one. */
function openPort(): Port {
  const socket = new WebSocket("/api/v2/ws");
  const port: Port = {
    onopen: () => {}, onmessage: () => {}, onclose: () => {},
    send: (frame) => socket.send(frame),
    close: () => socket.close(),
  };
  socket.onopen = () => port.onopen();
  socket.onmessage = ({ data }) => port.onmessage(data);
  socket.onclose = ({ code }) => port.onclose(code);
  return port;
}

await init();
//# pkg/README.md 10
show({ sync, campaign: sync.campaign("my-campaign") });
