"use strict";

/* All times are in milliseconds. `mono` is performance.now(), which nobody can set. An interval {lo, hi, at} says that
   the time since 1970 was mono + lo at least and mono + hi at most, when mono was `at`. The healthcheck does the same
   sums. */

const BURST = 8; // questions at first
const ROUND = 16; // questions at most in a round; with more hosts, one for each, up to twice as many
const SUSPECT = 8; // answers of others, times the hosts, after which the next round comes sooner ...
const GONE = 12; // ... and a host is missing: with hosts in random turn, chance does that once in e^12
const PERIOD = 10_000; // from round to round, while somebody looks
const PATIENCE = 3_000; // with one question
const LONGEST_PAUSE = 30_000; // between rounds that fail
const LOST = 60_000; // after which a host that answers no more is forgotten, if two others do
const DRIFT = 100e-6; // what the crystal of a computer, or of a host, may be off
const DAY = 86_400_000;
const UNCHECKED = 1_000; // what the service promises, for a host that has not compared its clock yet
const JITTER = 50; // by which two honest answers may contradict each other; the service has the same figure
const RESOLUTION = finest(() => performance.now());
const JUMP = 50 + 2 * RESOLUTION; // of this computer's clock against mono: it was set, or slept

// --- sums

/* How coarse a clock is, so that its page may not spy: twice its step, as it may round either way, but 1 at least.
   One that stands still while it is read so often is as coarse as browsers make it: 100. Takes some ms then. */
function finest(read) {
  let [step, last] = [100, read()];
  for (let times = 0; times < 50_000 && step > 0.5; times++) {
    const now = read();
    if (now > last) step = Math.min(step, now - last);
    last = now;
  }
  return Math.max(1, 2 * step);
}

/* From an answer of /now. The host's clock was read between both moments; its own error is as it says itself. */
function interval({ epoch, clock: { offset, bound, age } }, sent, received) {
  const margin = RESOLUTION + (offset === null ? UNCHECKED : 1000 * (bound + age * DRIFT));
  const truth = 1000 * (epoch + (offset ?? 0));
  return { lo: truth - received - margin, hi: truth - sent + margin, at: received };
}

function aged({ lo, hi, at }, mono) {
  const drift = DRIFT * Math.max(0, mono - at);
  return { lo: lo - drift, hi: hi + drift, at: mono };
}

/* What is known after another sample. One that contradicts what was known replaces it; `gap` says by how much. */
function learned(known, sample) {
  const old = known ? aged(known, sample.at) : sample;
  const lo = Math.max(old.lo, sample.lo);
  const hi = Math.min(old.hi, sample.hi);
  return lo <= hi ? { lo, hi, at: sample.at, gap: 0 } : { ...sample, gap: lo - hi };
}

/* The time lies in each host's interval; if they contradict each other, somewhere in what they span. */
function together(intervals, mono) {
  const all = intervals.map((one) => aged(one, mono));
  const [los, his] = [all.map((one) => one.lo), all.map((one) => one.hi)];
  const [lo, hi] = [Math.max(...los), Math.min(...his)];
  return lo <= hi ? { lo, hi, gap: 0 } : { lo: Math.min(...los), hi: Math.max(...his), gap: lo - hi };
}

const middle = ({ lo, hi }) => (lo + hi) / 2;
const halfWidth = ({ lo, hi }) => (hi - lo) / 2;

/* "1.2 ms", "12 ms", "0.34 s", "2 min 5 s", "1 day 4 h"; no line breaks in it. */
function duration(ms, whole = Math.round) {
  if (ms < 10) return `${(whole(ms * 10) / 10).toFixed(1)}\u00a0ms`;
  if (ms < 100) return `${whole(ms)}\u00a0ms`;
  if (ms < 60_000) return `${(whole(ms / 10) / 100).toFixed(2)}\u00a0s`;
  const units = [["min", "s", 1_000, 60], ["h", "min", 60_000, 60], ["days", "h", 3_600_000, 24]];
  const most = [3_600, 1_440, Infinity]; // of the small ones
  const [big, small, each, many] = units.find((one, at) => whole(ms / one[2]) < most[at]);
  const count = whole(ms / each);
  const bigs = Math.floor(count / many);
  return [bigs, big === "days" && bigs === 1 ? "day" : big, count % many, small].join("\u00a0");
}

const within = (bound) => `±${duration(bound, Math.ceil)}`; // never less than it is

/* What to say of a clock that is ahead by `offset`, give or take `bound`. */
function judged(offset, bound) {
  const size = Math.abs(offset);
  if (size <= bound) {
    const text = `Your clock is right, to within ${within(bound)}`;
    return { level: bound < 1000 ? "good" : "warn", kind: "right", text };
  }
  const kind = offset > 0 ? "fast" : "slow";
  const level = size < 100 ? "good" : size < 1000 ? "warn" : "bad";
  return { level, kind, text: `Your clock is ${duration(size)} ${kind} (${within(bound)})` };
}

// --- what is known

const $ = (id) => document.getElementById(id);
const STATES = JSON.parse($("states").textContent); // of a host's clock: [level, reason]
// instance -> {zone, version, clock, interval, seen, took, passed, missing, doubted, contradiction}; passed: answers
// of others since its own
const hosts = new Map();
let trouble = ""; // with the newest question that failed
let answered = 0; // questions of the last round
let failed = 0;
let pause = 0; // before the next round, if something is wrong
let timer = 0;
let busy = false;

/* What is no number, or no date, would spoil all sums from then on. */
function understood(answer) {
  const seconds = (one) => Number.isFinite(one) && Math.abs(one) < 1e12;
  const { epoch, instance, zone, clock } = answer ?? {};
  const numbers = [clock?.offset, clock?.bound, clock?.age];
  const known = numbers.every(seconds) || numbers.every((one) => one === null);
  return seconds(epoch) && known && [instance, zone, clock.state].every((one) => typeof one === "string");
}

function heard(answer, sent, received) {
  const { instance, zone, version, clock } = answer;
  for (const host of hosts.values()) host.missing ||= ++host.passed >= GONE * hosts.size;
  const known = hosts.get(instance);
  const now = learned(known?.doubted ? null : known?.interval, interval(answer, sent, received));
  const remembered = known?.contradiction && received - known.contradiction.at < LOST ? known.contradiction : null;
  hosts.set(instance, {
    zone, version, clock, interval: now, seen: received, took: received - sent,
    passed: 0, missing: false, doubted: false,
    contradiction: now.gap > JITTER ? { gap: now.gap, at: received } : remembered,
  });
}

/* The instance that answered, or null. */
async function ask() {
  const sent = performance.now();
  const wall = Date.now();
  try {
    const response = await fetch("/now", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    const received = performance.now();
    const slept = Date.now() - wall - (received - sent);
    if (!response.ok) throw new Error(`it says ${response.status}`);
    const answer = await response.json();
    if (!understood(answer)) throw new SyntaxError();
    if (Math.abs(slept) < JUMP) heard(answer, sent, received); // else when was it sent?
    return answer.instance;
  } catch (error) {
    const known = {
      TimeoutError: "it takes too long", TypeError: "no connection", SyntaxError: "its answer cannot be read",
    };
    trouble = known[error.name] ?? error.message;
    return null;
  }
}

const present = () => [...hosts.values()].filter((one) => !one.missing);

/* Asks `least` times, and on until each host has answered or it has asked enough; gives up when two more fail than
   answer. Gives the numbers of both. */
async function round(least) {
  const awaited = new Set([...hosts.keys()].filter((one) => !hosts.get(one).missing));
  const most = Math.min(2 * ROUND, Math.max(ROUND, hosts.size));
  let [answers, failures] = [0, 0];
  while (failures < answers + 2 && answers + failures < most && (answers < least || awaited.size)) {
    const instance = await ask();
    if (instance === null) failures += 1;
    else answers += 1;
    awaited.delete(instance);
    show();
    tick(); // not to go on with the digits of before
  }
  return [answers, failures];
}

/* A round, and the next one after a while, whatever happens in this one. */
async function askAround(least) {
  if (busy || document.hidden) return;
  busy = true;
  clearTimeout(timer);
  try {
    [answered, failed] = await round(least);
    forget();
    show();
  } finally {
    busy = false;
    const wrong = failed || !answered || present().some((one) => one.passed >= SUSPECT * hosts.size);
    pause = wrong ? Math.min(answered ? PERIOD : LONGEST_PAUSE, Math.max(1000, 2 * pause)) : 0;
    timer = setTimeout(askAround, pause * (0.75 + Math.random() / 2) || PERIOD, 2);
  }
}

/* A host that is missing goes when another in its zone has taken its place, or after a while. */
function forget() {
  const there = present();
  for (const [instance, host] of hosts) {
    const replaced = there.some((one) => one.zone === host.zone) || performance.now() - host.seen > LOST;
    if (host.missing && there.length > 1 && replaced) hosts.delete(instance);
  }
}

/* Of the hosts that are not doubted, if there is one; null while there is nothing to go by. */
function truth(mono) {
  const all = [...hosts.values()];
  const trusted = all.filter((one) => !one.doubted);
  return all.length ? together((trusted.length ? trusted : all).map((one) => one.interval), mono) : null;
}

/* This computer has slept, with mono standing still, or its clock was set: only new answers tell which. */
const stale = () => hosts.size > 0 && [...hosts.values()].every((one) => one.doubted);

// --- what is shown

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const formatted = (options) => new Intl.DateTimeFormat("en-GB", options);
const DATE = { weekday: "long", day: "numeric", month: "long", year: "numeric" };
const utcDate = formatted({ ...DATE, timeZone: "UTC" });
const localDate = formatted(DATE);
const localTime = formatted({ hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "shortOffset" });

/* [level, sentence]: the worst that is true of the service. */
function service(mono) {
  const there = present();
  const gone = [...hosts.values()].find((one) => one.missing);
  const few = ["No host answers", "One host answers", "Both hosts answer"];
  const who = few[there.length] ?? `${there.length} hosts answer`;
  if (!navigator.onLine) return ["bad", "Your computer is offline; the time goes on from the last answer"];
  if (failed && !answered) return ["bad", `No answer (${trouble}); the time goes on from the last one`];
  if (!hosts.size) return ["", "Asking the hosts"];
  if (truth(mono).gap > JITTER) return ["bad", "The hosts contradict each other"];
  if (gone) return ["warn", `${who}; the one in ${gone.zone} does not`];
  if (failed) return ["warn", `${who}, but not each time (${trouble})`];
  const well = there.every((one) => !one.contradiction && STATES[one.clock.state]?.[0] === "good");
  return well ? ["good", who] : ["warn", `${who}, but not every clock is sure`];
}

function cardOf(instance, host) {
  const cards = [...$("hosts").children];
  const known = cards.find((one) => one.dataset.instance === instance);
  if (known) return known;
  const card = $("card").content.firstElementChild.cloneNode(true);
  card.dataset.instance = instance;
  const after = cards.find((one) => one.querySelector(".zone").textContent > host.zone);
  return $("hosts").insertBefore(card, after ?? null);
}

const ago = (s) => s < 1 ? "just now" : s < 100 ? `${s} s ago` : `${duration(1000 * s)} ago`;

function showHost(instance, host, mono) {
  const card = cardOf(instance, host);
  const part = (name, text) => set(card.querySelector(`.${name}`), text);
  const { state, bound, age } = host.clock;
  const [level, reason] = STATES[state] ?? ["warn", state];
  card.dataset.level = host.missing || host.contradiction ? "bad" : level;
  part("zone", host.zone);
  part("clock", host.missing ? "Does not answer"
    : host.contradiction ? `Its answers contradict each other by ${duration(host.contradiction.gap)} or more` : reason);
  part("bound", bound === null ? "not compared yet" : within(1000 * (bound + age * DRIFT)));
  part("seen", `${ago(Math.floor((mono - host.seen) / 1000))}, in ${duration(host.took)}`);
  part("instance", instance);
  part("version", host.version);
}

const SCALES = [
  [100, "0.1 s"], [1000, "1 s"], [10_000, "10 s"], [60_000, "1 min"], [3_600_000, "1 h"], [DAY, "1 day"],
];

/* The interval of your clock's offset on a line, -100 to 100. */
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
  const offset = ahead + 0.5 - middle(known); // as it tells whole milliseconds, cut
  const bound = halfWidth(known) + 0.5 + RESOLUTION;
  const { level, kind, text } = judged(offset, bound);
  $("yours").hidden = false;
  $("yours").dataset.level = level;
  set($("verdict"), text);
  const wrong = kind !== "right" && level !== "good";
  set($("advice"), wrong ? "A computer that asks a time server sets its clock by itself." : "");
  showScale(offset, bound);
  // For screen readers, which would read out each change of a figure: only what kind of verdict it is.
  if ($("said").dataset.kind !== kind) set($("said"), text);
  $("said").dataset.kind = kind;
}

function showTime(known, mono) {
  const now = mono + middle(known);
  const [utc, local] = [utcDate.format(now), localDate.format(now)];
  const slept = ", as it was before your computer slept, or its clock was set";
  set($("date"), utc);
  set($("bound"), stale() ? slept : `, to within ${within(halfWidth(known))}`);
  const here = `${localTime.format(now).replace("GMT", "UTC")} in your zone, ${zone}`;
  set($("local"), utc === local ? here : `${here}: ${local}`);
  $("local").hidden = zone === "UTC";
  $("now").setAttribute("datetime", new Date(now).toISOString());
  document.body.toggleAttribute("data-stale", stale());
  if (!stale()) showYours(known);
}

/* All but the digits that tick; each second, and after each answer. */
function show() {
  const mono = performance.now();
  const [level, text] = service(mono);
  const known = truth(mono);
  $("service").dataset.level = level;
  set($("service"), text);
  if (!known) return;
  for (const card of [...$("hosts").children]) if (!hosts.has(card.dataset.instance)) card.remove();
  for (const [instance, host] of hosts) showHost(instance, host, mono);
  showTime(known, mono);
}

// --- the clock

let ahead = Date.now() - performance.now(); // this computer's clock, of mono; looked at with each tick
let ticking = 0;

/* How far it went away from mono since the last look. */
function jumped() {
  const before = performance.now();
  const wall = Date.now();
  const mono = performance.now();
  if (mono - before > RESOLUTION) return 0; // held up between the two: no measurement
  const jump = wall - mono - ahead;
  ahead = wall - mono;
  return jump;
}

function tick() {
  let now = 0;
  try {
    // Set back: mono went on all the same. Ahead: mono may have slept, and all that was known is in doubt.
    if (jumped() > JUMP) {
      for (const host of hosts.values()) host.doubted = true;
      askAround(BURST);
    }
    const mono = performance.now();
    const known = truth(mono);
    if (!known) return;
    now = mono + middle(known);
    const [, time, tenth] = /T(.*)\.(.)/.exec(new Date(now).toISOString()); // cut, as clocks do
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
addEventListener("offline", show);
addEventListener("online", () => {
  pause = 0;
  askAround(2);
});
tick();
askAround(BURST);
