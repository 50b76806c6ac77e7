// Patterns in cases: an object matches if its members do, a text that begins with `~` is a regular expression, `?` is
// anything that is there, and everything else is meant as it stands.

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
  return Object.entries(pattern).every(([name, item]) => matches(item, value[name]));
}
