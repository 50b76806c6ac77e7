// The ways in which a proxy breaks the sessions of a server, each with the cases that must report it.

const withSubject = (document, subject) =>
  document.type === "connection_ack" ? { ...document, data: { ...document.data, subject } } : undefined;

export const SESSION_BREAKS = [
  {
    title: "subject changes with each connection",
    fails: ["C-SUBJECT/stable"],
    down: (document) => withSubject(document, document.data.connectionId),
  },
  {
    title: "subject is too long",
    fails: ["C-SUBJECT/stable"],
    down: (document) => withSubject(document, "s".repeat(129)),
  },
];
