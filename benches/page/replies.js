/** The answers of a v1 server that has the events before the measured ones. */

/** Returns the answer to a message of the client; `undefined` for a message that needs no answer. */
export function replyTo({ type, payload }, { campaignId, epoch, preload }) {
  const answer = (kind, data) => ({ type: kind, timestamp: new Date().toISOString(), data });
  const head = preload.length;
  switch (type) {
    case "connection_init":
      return answer("connection_ack", {
        connectionId: "bench",
        protocol: "campaign-sync.v1",
        heartbeatMs: 5_000,
        maxFrameBytes: 1_048_576,
      });
    case "subscribe_campaign":
      return answer("subscription_confirmed", { campaignId, epoch, lastSequenceNumber: head, oldestSequenceNumber: 1 });
    case "request_event_recovery":
      return answer("event_recovery", {
        campaignId,
        requestId: payload.requestId,
        epoch,
        outcome: "replay",
        fromSequenceNumber: 1,
        toSequenceNumber: head,
      });
    default:
      return undefined;
  }
}
