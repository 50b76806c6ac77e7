// Runs the cases against one server and returns a verdict for each.

import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

import { Failure, Unusable } from "./failure.mjs";
import { Memory } from "./watch.mjs";
import { Absent, ANSWER_MS, MOVE_MS, STEPS, Unjudged } from "./steps.mjs";

const CASE_MS = 120_000;
const NEEDS = ["id", "guarantee", "rule", "rules", "title", "duties", "steps"];
const RULE_ID = /^R\d+\.\d+$/;

class Run {
  connections = new Map();
  memory = new Memory();
  values = { padding: "x".repeat(60_000), longToken: "x".repeat(16_384) };
  unique = 0;

  constructor(settings) {
    Object.assign(this, { answerMs: ANSWER_MS, moveMs: MOVE_MS }, settings);
  }

  connection(name) {
    const connection = this.connections.get(name);
    if (connection === undefined) throw new Unusable(`a step names the connection ${name}, which no step opened`);
    return connection;
  }

  valuesOn(connection) {
    const cursor = connection.watcher.cursor(this.values.campaign);
    return { ...this.values, head: cursor?.next === null ? undefined : cursor?.next - 1, epoch: cursor?.epoch };
  }

  breaches() {
    return [...this.connections.values()].flatMap(({ watcher }) => watcher.breaches);
  }

  close() {
    for (const connection of this.connections.values()) connection.close();
  }
}

/** Reads every case file of a directory. Throws `Unusable` for an invalid file. */
export async function readCases(directory) {
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith(".json")).sort();
  if (names.length === 0) throw new Unusable(`there is no case file in ${directory}`);
  const cases = [];
  for (const name of names) cases.push(...(await readCaseFile(join(directory, name))));
  return cases;
}

async function readCaseFile(path) {
  let file;
  try {
    file = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new Unusable(`cannot read the case file ${path}: ${error.message}`);
  }
  if (!Array.isArray(file)) throw new Unusable(`${path}: a case file is a list of cases`);
  for (const item of file) {
    const missing = NEEDS.find((member) => item[member] === undefined);
    if (missing) throw new Unusable(`${path}: case ${item.id ?? "without an id"} has no ${missing}`);
    if (!Array.isArray(item.rules) || item.rules.length === 0 || !item.rules.every((id) => RULE_ID.test(id))) {
      throw new Unusable(`${path}: case ${item.id}: rules is not a list of ids such as R8.3`);
    }
    for (const step of item.steps) {
      const verbs = Object.keys(step);
      if (verbs.length !== 1 || !Object.hasOwn(STEPS, verbs[0])) {
        throw new Unusable(`${path}: case ${item.id}: no step is ${JSON.stringify(step)}`);
      }
    }
  }
  return file;
}

/** Runs one case. Its verdict is `passed`, `failed`, `unjudged` or `skipped`. */
export async function runCase(item, settings) {
  const lacking = (item.needs ?? []).find((name) => !settings.operations.has(name));
  if (lacking) return { item, verdict: "skipped", reason: `the server file has no operation ${lacking}`, breaches: [] };
  const run = new Run({ ...settings, profile: item.profile });
  let failure;
  let unjudged;
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Failure(`the case to end within ${CASE_MS} ms`, "it did not")), CASE_MS);
  });
  try {
    await Promise.race([steps(item, run), late]);
  } catch (error) {
    if (error instanceof Absent) {
      return { item, verdict: "skipped", reason: `the server does not have the profile ${item.profile}`, breaches: [] };
    }
    if (error instanceof Unjudged) unjudged = error.message;
    else if (error instanceof Failure) failure = error;
    else throw error;
  } finally {
    clearTimeout(timer);
    run.close();
  }
  const breaches = run.breaches();
  const own = breaches.filter(({ duty }) => item.duties.includes(duty));
  // A breach of a duty that this case does not judge may have caused the failure of a step.
  const isCaused = failure !== undefined && own.length === 0 && breaches.length > 0;
  const hasFailed = own.length > 0 || (failure !== undefined && !isCaused);
  const verdict = hasFailed ? "failed" : unjudged || isCaused ? "unjudged" : "passed";
  const journals = [...run.connections].map(([name, { journal }]) => ({ name, journal }));
  const reason = unjudged ?? (isCaused ? failure.message : undefined);
  return { item, verdict, reason, failure: isCaused ? undefined : failure, breaches: own, others: breaches, journals };
}

async function steps(item, run) {
  for (const step of item.steps) {
    const [verb, needs] = Object.entries(step)[0];
    run.step = step;
    await STEPS[verb](run, needs);
  }
}

/** Runs all cases, `atOnce` at a time. Each case has separate campaigns and connections. */
export async function runCases(cases, settings, onResult) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < cases.length) {
      const result = await runCase(cases[next++], settings);
      onResult?.(result);
      results.push(result);
    }
  };
  await Promise.all(Array.from({ length: settings.atOnce ?? 1 }, worker));
  return results;
}
