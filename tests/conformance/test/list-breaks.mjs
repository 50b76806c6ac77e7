// The ways in which a proxy breaks the list of campaigns of a server.

export const withData = (document, change) => ({ ...document, data: { ...document.data, ...change } });
const isList = ({ type }) => type === "catalogue";

export const LIST_BREAKS = [
  {
    title: "list lacks a campaign and says so in no total",
    fails: ["C-LIST/snapshot", "C-LIST/changes", "C-LIST/removed", "C-LIST/recovered", "C-LIST/heads"],
    down: (document) => (isList(document) && document.data.campaigns.length > 0 ? withData(document, { campaigns: document.data.campaigns.slice(1) }) : undefined),
  },
  {
    title: "changes of the list are lost",
    fails: ["C-LIST/changes", "C-LIST/removed", "C-LIST/heads"],
    // Another case may change a campaign while this one reads the list.
    mayFail: ["C-LIST/snapshot", "C-LIST/recovered"],
    down: (document) => (isList(document) && document.data.requestId === undefined ? [] : undefined),
  },
  {
    title: "each change of the list is sent twice",
    fails: ["C-LIST/changes", "C-LIST/heads"],
    // Another case may change a campaign while this one reads the list.
    mayFail: ["C-LIST/snapshot", "C-LIST/removed", "C-LIST/recovered"],
    down: (document, line, source) => {
      if (!isList(document) || document.data.requestId !== undefined || document.data.parts > 1) return undefined;
      return [source, withData(document, { previousSequenceNumber: document.data.sequenceNumber })];
    },
  },
  {
    title: "answer of the list begins after the number of the request",
    fails: ["C-LIST/recovered"],
    down: (document) =>
      isList(document) && document.data.requestId !== undefined && typeof document.data.previousSequenceNumber === "number"
        ? withData(document, { previousSequenceNumber: document.data.previousSequenceNumber + 1 })
        : undefined,
  },
  {
    title: "pong states a number of the list that was not written",
    fails: ["C-LIST/snapshot", "C-LIST/heads"],
    down: (document) =>
      document.type === "pong" && document.data.catalogue && document.data.timestamp !== null
        ? withData(document, { catalogue: { ...document.data.catalogue, lastSequenceNumber: document.data.catalogue.lastSequenceNumber + 1 } })
        : undefined,
  },
];
