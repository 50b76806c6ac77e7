/** The hand-made socket of the page before the migration. It opens once, and its first event is its baseline. */
export interface Message {
  type: string;
  data: Record<string, unknown>;
}

export function openSocket(campaignId: string, onMessage: (message: Message) => void): () => void {
  const socket = new WebSocket(`ws://${location.host}/api/v2/ws`);
  const send = (message: object) => socket.send(JSON.stringify(message));
  socket.onopen = () => {
    send({ type: "connection_init", protocols: ["campaign-sync.v1"] });
    send({ type: "subscribe_campaign", campaignId });
  };
  socket.onmessage = ({ data }) => {
    for (const line of String(data).split("\n")) {
      const message = JSON.parse(line) as Message;
      if (message.type === "subscription_confirmed") {
        const { epoch, lastSequenceNumber } = message.data;
        send({ type: "request_event_recovery", payload: { campaignId, epoch, lastSequenceNumber } });
      }
      onMessage(message);
    }
  };
  return () => socket.close();
}
