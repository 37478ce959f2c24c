"use strict";

/* All times are in milliseconds. `mono` is performance.now(), which cannot be set. An interval
   {lo, hi, at} bounds the time since 1970: at least mono + lo and at most mono + hi, when mono was
   `at`. The healthcheck uses the same formulas. */

const MISSED = 0.001; // probability that the first round misses a host with an equal share
const ROUND = 16; // most requests of a round; with more hosts, one for each, up to twice as many
// A host is missing after GONE responses of others, times the number of hosts: with hosts in random
// order, chance does that once in e^12. After SUSPECT, the next round comes sooner.
const SUSPECT = 8;
const GONE = 12;
const PERIOD = 10_000; // between rounds, while the page is visible
const TIMEOUT = 3_000; // of a request
const LONGEST_PAUSE = 30_000; // between rounds that fail
const LOST = 60_000; // after which a silent host is forgotten, if two others respond
const DRIFT = 100e-6; // of the crystal of a computer or a host, at most
const DAY = 86_400_000;
const UNCHECKED = 1_000; // error of a host that has not measured its clock: the service's promise
const JITTER = 50; // by which correct responses may differ; the service has the same figure
const RESOLUTION = resolution(() => performance.now());
const JUMP = 50 + 2 * RESOLUTION; // of this computer's clock against mono: it was set, or slept

// --- formulas

/* Return twice the smallest step of a clock, and 1 at least. Browsers coarsen clocks against spies.
   A clock without a step in this loop, which takes some ms, has the coarsest that they use: 100. */
function resolution(read) {
  let [step, last] = [100, read()];
  for (let reads = 0; reads < 50_000 && step > 0.5; reads++) {
    const now = read();
    if (now > last) step = Math.min(step, now - last);
    last = now;
  }
  return Math.max(1, 2 * step);
}

/* Return what a response of /now proves. The host read its clock between `sent` and `received`. */
function interval({ epoch, clock: { offset, bound, age } }, sent, received) {
  const margin = RESOLUTION + (offset === null ? UNCHECKED : 1000 * (bound + age * DRIFT));
  const truth = 1000 * (epoch + (offset ?? 0));
  return { lo: truth - received - margin, hi: truth - sent + margin, at: received };
}

/* Return the interval at a later mono, wider by the drift. */
function widen({ lo, hi, at }, mono) {
  const drift = DRIFT * Math.max(0, mono - at);
  return { lo: lo - drift, hi: hi + drift, at: mono };
}

/* Return the intersection with a sample. If there is none, return the sample; `gap` is between. */
function narrow(known, sample) {
  const old = known ? widen(known, sample.at) : sample;
  const lo = Math.max(old.lo, sample.lo);
  const hi = Math.min(old.hi, sample.hi);
  return lo <= hi ? { lo, hi, at: sample.at, gap: 0 } : { ...sample, gap: lo - hi };
}

/* Return the intersection of the hosts' intervals; if there is none, their span. */
function combine(intervals, mono) {
  const all = intervals.map((interval) => widen(interval, mono));
  const [los, his] = [all.map(({ lo }) => lo), all.map(({ hi }) => hi)];
  const [lo, hi] = [Math.max(...los), Math.min(...his)];
  if (lo <= hi) return { lo, hi, gap: 0 };
  return { lo: Math.min(...los), hi: Math.max(...his), gap: lo - hi };
}

const middle = ({ lo, hi }) => (lo + hi) / 2;
const halfWidth = ({ lo, hi }) => (hi - lo) / 2;

/* Return "1.2 ms", "12 ms", "0.34 s", "2.1 min", "2.0 h" or "3.2 days", with non-breaking spaces. */
function duration(ms, whole = Math.round) {
  if (ms < 10) return `${(whole(ms * 10) / 10).toFixed(1)}\u00a0ms`;
  if (ms < 100) return `${whole(ms)}\u00a0ms`;
  if (ms < 60_000) return `${(whole(ms / 10) / 100).toFixed(2)}\u00a0s`;
  const units = [[DAY, "days"], [3_600_000, "h"], [60_000, "min"]];
  const [size, name] = units.find(([least]) => ms >= least);
  return `${(whole(10 * ms / size) / 10).toFixed(1)}\u00a0${name}`;
}

const plusMinus = (bound) => `±${duration(bound, Math.ceil)}`; // rounded up

/* Return the verdict on a clock that is `offset` ahead, with that bound. */
function verdict(offset, bound) {
  const size = Math.abs(offset);
  if (size <= bound) {
    const most = size + bound; // the farthest end of the interval
    const text = `Your clock is right, to within ${plusMinus(most)}`;
    return { level: most < 1000 ? "good" : "warn", kind: "right", text };
  }
  const kind = offset > 0 ? "fast" : "slow";
  const level = size < 100 ? "good" : size < 1000 ? "warn" : "bad";
  return { level, kind, text: `Your clock is ${duration(size)} ${kind} (${plusMinus(bound)})` };
}

// --- requests

const $ = (id) => document.getElementById(id);
const STATES = JSON.parse($("states").textContent); // state of a host's clock: [level, reason]
// instance -> {zone, version, clock, interval, seen, took, passed, missing, doubted,
// contradiction}; passed: responses of others since its own
const hosts = new Map();
let trouble = ""; // of the newest request that failed
let responses = 0; // in the last round
let failures = 0; // in the last round
let pause = 0; // before the next round, after trouble
let timer = 0;
let busy = false;

/* Anything but finite numbers would spoil all results from then on. */
function isValid(response) {
  const isTime = (value) => Number.isFinite(value) && Math.abs(value) < 1e12;
  const { epoch, instance, zone, clock } = response ?? {};
  const numbers = [clock?.offset, clock?.bound, clock?.age];
  const measured = numbers.every(isTime) || numbers.every((number) => number === null);
  const texts = [instance, zone, clock?.state];
  return isTime(epoch) && measured && texts.every((text) => typeof text === "string");
}

function record({ instance, zone, version, clock, epoch }, sent, received) {
  for (const host of hosts.values()) host.missing ||= ++host.passed >= GONE * hosts.size;
  const known = hosts.get(instance);
  const sample = interval({ epoch, clock }, sent, received);
  const now = narrow(known?.doubted ? null : known?.interval, sample);
  let contradiction = known?.contradiction;
  if (now.gap > JITTER) contradiction = { gap: now.gap, at: received };
  else if (contradiction && received - contradiction.at >= LOST) contradiction = null;
  hosts.set(instance, {
    zone, version, clock, contradiction, interval: now, seen: received, took: received - sent,
    passed: 0, missing: false, doubted: false,
  });
}

/* Send a request. Return the instance that responded, or null. */
async function ask() {
  const sent = performance.now();
  const wall = Date.now();
  try {
    const signal = AbortSignal.timeout(TIMEOUT);
    const response = await fetch("/now", { cache: "no-store", signal });
    const received = performance.now();
    const slept = Date.now() - wall - (received - sent);
    if (!response.ok) throw new Error(`status ${response.status}`);
    const content = await response.json();
    if (!isValid(content)) throw new SyntaxError();
    if (Math.abs(slept) < JUMP) record(content, sent, received); // else `sent` has no meaning
    return content.instance;
  } catch (error) {
    const reasons = {
      TimeoutError: "too slow",
      TypeError: "no connection",
      SyntaxError: "not readable",
    };
    trouble = reasons[error.name] ?? error.message;
    return null;
  }
}

const presentHosts = () => [...hosts.values()].filter((host) => !host.missing);

/* Return whether another host with an equal share would have responded. The healthcheck uses the
   same rule: each of the responses misses it with the probability m / (m + 1). */
const isCovered = (responses, seen) => (seen / (seen + 1)) ** responses <= MISSED;

/* Send `least` requests, or as many as show that no host is missing. Continue until each present
   host has responded or ROUND is used up. Give up when two more requests fail than succeed. */
async function runRound(least) {
  const awaited = new Set([...hosts.keys()].filter((instance) => !hosts.get(instance).missing));
  const most = least ? Math.min(2 * ROUND, Math.max(ROUND, hosts.size)) : 2 * ROUND;
  const seen = new Set();
  let [good, bad] = [0, 0];
  const wantsMore = () => awaited.size || (least ? good < least : !isCovered(good, seen.size));
  while (bad < good + 2 && good + bad < most && wantsMore()) {
    const instance = await ask();
    if (instance === null) bad += 1;
    else {
      good += 1;
      seen.add(instance);
    }
    awaited.delete(instance);
    show();
    tick(); // the digits follow the new interval at once
  }
  [responses, failures] = [good, bad];
}

/* Run a round, and schedule the next one, even after an error. least: 0 until no host is missing. */
async function askAround(least = 0) {
  if (busy || document.hidden) return;
  busy = true;
  clearTimeout(timer);
  try {
    await runRound(least);
    forget();
    show();
  } finally {
    busy = false;
    const suspect = presentHosts().some((host) => host.passed >= SUSPECT * hosts.size);
    const longest = responses ? PERIOD : LONGEST_PAUSE;
    pause = suspect || failures || !responses ? Math.min(longest, Math.max(1000, 2 * pause)) : 0;
    timer = setTimeout(askAround, pause * (0.75 + Math.random() / 2) || PERIOD, 2);
  }
}

/* Forget a missing host when another serves in its zone, or after a while. */
function forget() {
  const present = presentHosts();
  for (const [instance, { missing, zone, seen }] of hosts) {
    const isReplaced = present.some((host) => host.zone === zone);
    const isLost = performance.now() - seen > LOST;
    if (missing && present.length > 1 && (isReplaced || isLost)) hosts.delete(instance);
  }
}

/* Return the interval of the time, from the hosts without doubt if there are any; null at first. */
function truth(mono) {
  const all = [...hosts.values()];
  if (!all.length) return null;
  const trusted = all.filter((host) => !host.doubted);
  const used = trusted.length ? trusted : all;
  return combine(used.map((host) => host.interval), mono);
}

/* This computer slept while mono did not advance, or its clock was set: new responses show which. */
const isStale = () => hosts.size > 0 && [...hosts.values()].every((host) => host.doubted);

// --- display

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const formatter = (options) => new Intl.DateTimeFormat("en-GB", options);
const DATE = { weekday: "long", day: "numeric", month: "long", year: "numeric" };
const utcDate = formatter({ ...DATE, timeZone: "UTC" });
const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "shortOffset" };

/* Return [level, sentence] of the worst that is true of the service. */
function serviceStatus(mono) {
  const present = presentHosts();
  const missing = [...hosts.values()].find((host) => host.missing);
  const few = ["No host answers", "One host answers", "Both hosts answer"];
  const count = few[present.length] ?? `${present.length} hosts answer`;
  const since = hosts.size ? "; this time is computed from earlier answers" : "";
  if (failures && !responses) {
    // Browsers report a computer as offline if its only network is its own.
    if (!navigator.onLine) return ["bad", `Your computer is offline${since}`];
    return ["bad", `No answer (${trouble})${since}`];
  }
  if (!hosts.size) return ["", "Waiting for the hosts"];
  if (truth(mono).gap > JITTER) return ["bad", "The hosts contradict each other"];
  if (missing) return ["warn", `${count}; the one in ${missing.zone} does not`];
  if (failures) return ["warn", `${count}, but not each time (${trouble})`];
  const isGood = ({ contradiction, clock }) =>
    !contradiction && STATES[clock.state]?.[0] === "good";
  if (present.every(isGood)) return ["good", count];
  return ["warn", `${count}, but not every clock is known to be right`];
}

/* Return the host's card, new if need be; cards are sorted by zone. */
function cardOf(instance, host) {
  const cards = [...$("hosts").children];
  const known = cards.find((card) => card.dataset.instance === instance);
  if (known) return known;
  const card = $("card").content.firstElementChild.cloneNode(true);
  card.dataset.instance = instance;
  const next = cards.find((card) => card.querySelector(".zone").textContent > host.zone);
  return $("hosts").insertBefore(card, next ?? null);
}

const ago = (s) => s < 1 ? "just now" : s < 100 ? `${s} s ago` : `${duration(1000 * s)} ago`;

function showHost(instance, host, mono) {
  const card = cardOf(instance, host);
  const setPart = (name, text) => set(card.querySelector(`.${name}`), text);
  const { state, bound, age } = host.clock;
  let [level, reason] = STATES[state] ?? ["warn", state];
  if (host.missing || host.contradiction) level = "bad";
  if (host.contradiction) {
    const gap = duration(host.contradiction.gap);
    reason = `Its answers contradict each other by ${gap} or more`;
  }
  if (host.missing) reason = "Does not answer";
  card.dataset.level = level;
  setPart("zone", host.zone);
  setPart("clock", reason);
  setPart("bound", bound === null ? "not compared yet" : plusMinus(1000 * (bound + age * DRIFT)));
  setPart("seen", `${ago(Math.floor((mono - host.seen) / 1000))}, in ${duration(host.took)}`);
  setPart("instance", instance);
  setPart("version", host.version);
}

const SCALES = [
  [100, "0.1 s"], [1000, "1 s"], [10_000, "10 s"],
  [60_000, "1 min"], [3_600_000, "1 h"], [DAY, "1 day"],
];

/* Show the interval of the visitor's clock on a line from -100 to 100. */
function showScale(offset, bound) {
  const far = Math.abs(offset) + bound;
  const days = Math.ceil(far / DAY) + 1;
  const [limit, name] = SCALES.find(([most]) => far < most) ?? [days * DAY, `${days} days`];
  const width = Math.max(3, 200 * bound / limit);
  $("band").setAttribute("x", 100 * offset / limit - width / 2);
  $("band").setAttribute("width", width);
  set($("slow"), `${name} slow`);
  set($("fast"), `${name} fast`);
}

function showYours(known) {
  const offset = ahead + 0.5 - middle(known); // Date.now() is cut to whole milliseconds
  const bound = halfWidth(known) + 0.5 + RESOLUTION;
  const { level, kind, text } = verdict(offset, bound);
  $("yours").hidden = false;
  $("yours").dataset.level = level;
  set($("verdict"), text);
  const wrong = kind !== "right" && level !== "good";
  set($("advice"), wrong ? "Turn on automatic time in your computer's settings." : "");
  showScale(offset, bound);
  // Screen readers read each change aloud, so this text changes only with the kind of verdict.
  if ($("said").dataset.kind !== kind) set($("said"), text);
  $("said").dataset.kind = kind;
}

function showTime(known, mono) {
  const now = mono + middle(known);
  // New formatters, because the computer may travel to another zone while the page is open.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const [utc, local] = [utcDate.format(now), formatter(DATE).format(now)];
  const slept = ", as it was before your computer slept, or its clock was set";
  set($("date"), utc);
  set($("bound"), isStale() ? slept : `, to within ${plusMinus(halfWidth(known))}`);
  const here = `${formatter(TIME).format(now).replace("GMT", "UTC")} in your zone, ${zone}`;
  set($("local"), utc === local ? here : `${here}: ${local}`);
  $("local").hidden = zone === "UTC";
  $("now").setAttribute("datetime", new Date(now).toISOString());
  document.body.toggleAttribute("data-stale", isStale());
  if (!isStale()) showYours(known);
}

/* Show all but the digits that tick: each second, and after each response. */
function show() {
  const mono = performance.now();
  const [level, text] = serviceStatus(mono);
  const known = truth(mono);
  $("service").dataset.level = level;
  set($("service"), text);
  if (!known) return;
  for (const card of [...$("hosts").children]) if (!hosts.has(card.dataset.instance)) card.remove();
  for (const [instance, host] of hosts) showHost(instance, host, mono);
  showTime(known, mono);
}

// --- the clock

let ahead = Date.now() - performance.now(); // this computer's clock minus mono, at the last tick
let ticking = 0;

/* Return how far this computer's clock moved against mono since the last call. */
function measureJump() {
  const before = performance.now();
  const wall = Date.now();
  const mono = performance.now();
  if (mono - before > RESOLUTION) return 0; // interrupted between the readings
  const jump = wall - mono - ahead;
  ahead = wall - mono;
  return jump;
}

function tick() {
  let now = 0;
  try {
    // After a jump ahead, mono may have stopped for a while, so all intervals are in doubt. A clock
    // that is set back cannot mean that.
    if (measureJump() > JUMP) {
      for (const host of hosts.values()) host.doubted = true;
      askAround();
    }
    const mono = performance.now();
    const known = truth(mono);
    if (!known) return;
    now = mono + middle(known);
    const [, time, tenth] = /T(.*)\.(.)/.exec(new Date(now).toISOString()); // cut, not rounded
    if ($("clock").textContent !== time) show();
    set($("clock"), time);
    set($("tenth"), `.${tenth}`);
  } finally {
    clearTimeout(ticking);
    ticking = setTimeout(tick, 100 - (now % 100) + 1); // at the next tenth
  }
}

document.addEventListener("visibilitychange", () => {
  tick();
  askAround(2);
});
addEventListener("offline", () => askAround(2)); // and see whether that is so
addEventListener("online", () => {
  pause = 0;
  askAround(2);
});
tick();
askAround();
