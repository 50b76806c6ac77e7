/** A stand-in for the platform's `WebSocket`, which the tests drive. */
export class FakeSocket {
  /** All sockets so far, the oldest first. */
  static all = [];

  readyState = 0;
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  sent = [];
  closes = [];

  constructor(url) {
    this.url = url;
    FakeSocket.all.push(this);
  }

  send(frame) {
    if (this.readyState !== 1) throw new DOMException("not open", "InvalidStateError");
    this.sent.push(frame);
  }

  close(code) {
    const legal = code === undefined || code === 1000 || (code >= 3000 && code <= 4999);
    if (!legal) throw new DOMException("code", "InvalidAccessError");
    if (this.readyState >= 2) return;
    this.closes.push(code ?? null);
    this.readyState = 2;
  }

  accept() {
    this.readyState = 1;
    this.onopen?.({});
  }

  deliver(data) {
    this.onmessage?.({ data });
  }

  die(code) {
    this.readyState = 3;
    this.onerror?.({});
    this.onclose?.({ code });
  }
}
