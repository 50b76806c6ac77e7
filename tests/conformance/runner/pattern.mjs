// Patterns in cases. An object matches if its members match. A text that begins with `~` is a regular expression, and
// `?` matches any value that is present. An object with `anyOf` must match one pattern of that list, too. Every other
// value matches itself.

export function matches(pattern, value) {
  if (pattern === "?") return value !== undefined && value !== null;
  if (typeof pattern === "string" && pattern.startsWith("~")) {
    return typeof value === "string" && new RegExp(`^(?:${pattern.slice(1)})$`).test(value);
  }
  if (pattern === null || typeof pattern !== "object") return pattern === value;
  if (Array.isArray(pattern)) {
    return Array.isArray(value) && pattern.length === value.length && pattern.every((item, at) => matches(item, value[at]));
  }
  if (value === null || typeof value !== "object") return false;
  const { anyOf, ...members } = pattern;
  if (anyOf !== undefined && !anyOf.some((item) => matches(item, value))) return false;
  return Object.entries(members).every(([name, item]) => matches(item, value[name]));
}

/** Whether documents match these patterns in this order. Other documents may stand between them. */
export function matchInOrder(patterns, documents) {
  let matched = 0;
  for (const document of documents) if (matched < patterns.length && matches(patterns[matched], document)) matched += 1;
  return matched === patterns.length;
}
