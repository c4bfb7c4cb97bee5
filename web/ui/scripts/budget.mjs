// Prints what each route loads, gzipped, and fails when a budget of the design is exceeded.
import { readFileSync, readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const KB = 1024;
const limits = { first: 60 * KB, screen: 15 * KB, chart: 30 * KB, all: 200 * KB };
const dir = new URL('../dist/assets/', import.meta.url);
const size = (name) => gzipSync(readFileSync(new URL(name, dir)), { level: 9 }).length;
const files = readdirSync(dir).map((name) => ({
  name,
  bytes: size(name),
  text: name.endsWith('.js') ? readFileSync(new URL(name, dir), 'utf8') : '',
}));
const by = Object.fromEntries(files.map((f) => [f.name, f]));

// Static imports of a chunk, transitively: what the browser must have before it runs.
function needs(name, seen = new Set()) {
  if (seen.has(name) || !by[name]) return seen;
  seen.add(name);
  for (const m of by[name].text.matchAll(/(?:from|import)\s*["']\.\/([\w.-]+)["']/g)) needs(m[1], seen);
  const css = name.replace(/\.js$/, '.css');
  if (by[css]) seen.add(css);
  return seen;
}

// What the browser has when it asks for a chunk: what each of those that may ask for it needs itself.
function had(name) {
  const call = new RegExp('import\\(\\s*["\'`]\\./' + name.replaceAll('.', '\\.'));
  const asking = files.filter((f) => call.test(f.text));
  const sets = asking.map((f) => needs(f.name));
  return new Set(sets.length === 0 ? [] : [...sets[0]].filter((n) => sets.every((s) => s.has(n))));
}

const total = (names) => [...names].reduce((sum, n) => sum + by[n].bytes, 0);
const first = needs('index.js');
first.add('index.css');
// A browser loads one of the languages before it paints; the larger one counts.
const languages = ['en-pack.js', 'zh.js'].filter((n) => by[n]);
const language = Math.max(0, ...languages.map((n) => by[n].bytes));
const rows = [['first route with the larger language', total(first) + language, limits.first]];
const chart = /^(Plot|uPlot)/;
for (const f of files.filter((f) => f.name.endsWith('.js') && !first.has(f.name) && !languages.includes(f.name))) {
  const before = had(f.name);
  const own = [...needs(f.name)].filter((n) => !first.has(n) && !before.has(n));
  rows.push([f.name, total(own), chart.test(f.name) ? limits.chart : limits.screen]);
}
rows.push(['all', files.reduce((sum, f) => sum + f.bytes, 0), limits.all]);

let failed = false;
for (const [name, bytes, limit] of rows) {
  const over = bytes > limit;
  failed ||= over;
  console.log(
    `${over ? 'OVER' : '  ok'}  ${(bytes / KB).toFixed(1).padStart(6)} of ${String(limit / KB).padStart(3)} KB  ${name}`,
  );
}
process.exit(failed ? 1 : 0);
