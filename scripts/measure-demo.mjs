// Measures the demo as a person at the screen would feel it: start to ready; from each fault to its incident, to the right
// first suspect, to both painted in the browser; memory at the end. Prints a table and one JSON line.
//
//   node scripts/measure-demo.mjs bin/goc [faults=10] [speed=3] [seed=1] [minutes=0: as long as the faults take]
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(new URL("../web/ui/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const [binary, faults = "10", speed = "3", seed = "1", minutes = "0"] = process.argv.slice(2);
const dir = mkdtempSync(join(tmpdir(), "goc-measure-"));
const port = await new Promise((ok) => {
  const s = createServer().listen(0, "127.0.0.1", () => {
    const p = s.address().port;
    s.close(() => ok(p));
  });
});
const base = `http://127.0.0.1:${port}`;
const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));
const get = async (path) => (await fetch(base + path)).json();

const started = Date.now();
const goc = spawn(binary, ["demo", "--listen", `127.0.0.1:${port}`, "--data", dir, "--seed", seed, "--speed", speed], { stdio: ["ignore", "pipe", "inherit"] });
goc.stdout.on("data", (b) => process.stderr.write(b));
process.on("exit", () => goc.kill("SIGKILL"));
while (!(await fetch(base + "/readyz").then((r) => r.ok, () => false))) await sleep(20);
const ready = (Date.now() - started) / 1000;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage({ viewport: { width: 1920, height: 1080 } });
await page.goto(base + "/?wall=1");

// seen[incident] = when the API and the page first showed it, and each change of the first suspect.
const seen = {};
const note = (id) => (seen[id] ??= { firsts: [], painted: {} });
let done = false;
const watchAPI = async () => {
  while (!done) {
    const now = Date.now();
    for (const inc of (await get("/api/v1/incidents?state=active").catch(() => ({ items: [] }))).items ?? []) {
      const s = note(inc.id);
      s.at ??= now;
      s.onset = inc.onset_at;
      s.detected = inc.detected_at;
      const top = inc.suspects?.[0];
      const first = top && top.probability >= inc.no_change ? top.change_id : null;
      if (s.firsts.at(-1)?.first !== first) s.firsts.push({ at: now, first });
    }
    await sleep(100);
  }
};
const watchPage = async () => {
  while (!done) {
    const text = await page.evaluate(() => document.body.innerText).catch(() => "");
    const now = Date.now();
    for (const [word] of text.matchAll(/(INC|CHG)-\d+/g)) {
      if (word.startsWith("INC")) note(word).painted[""] ??= now;
    }
    for (const id of Object.keys(seen)) if (text.includes(id)) for (const [chg] of text.matchAll(/CHG-\d+/g)) seen[id].painted[chg] ??= now;
    await sleep(100);
  }
};
const broken = () =>
  existsSync(join(dir, "faults.jsonl"))
    ? readFileSync(join(dir, "faults.jsonl"), "utf8").trim().split("\n").map((l) => JSON.parse(l)).filter((f) => f.ended_at)
    : [];
const watching = [watchAPI(), watchPage()];
const until = Number(minutes) * 60_000;
while (broken().length < Number(faults) || Date.now() - started < until) await sleep(500);
await sleep(3000);
done = true;
await Promise.all(watching);

const rows = broken().slice(0, Number(faults)).map((f) => {
  const at = Date.parse(f.at), end = Date.parse(f.ended_at);
  const [id, s] = Object.entries(seen).filter(([, s]) => s.at >= at && s.at <= end + 5000).sort((a, b) => a[1].at - b[1].at)[0] ?? [];
  if (!s) return { fault: f.fault, guilty: f.guilty_change };
  const right = s.firsts.find((x) => x.first === f.guilty_change);
  const secs = (t) => (t === undefined ? undefined : +((t - at) / 1000).toFixed(1));
  const painted = f.guilty_change ? s.painted[f.guilty_change] : s.painted[""];
  return {
    fault: f.fault, guilty: f.guilty_change ?? "none", incident: id, "to incident": secs(s.at), "to right suspect": secs(right?.at),
    "painted incident": secs(s.painted[""]), "painted suspect": secs(right && Math.max(painted ?? Infinity, right.at)), "lasted s": secs(end),
  };
});
console.table(rows);
const figures = (key) => {
  const v = rows.map((r) => r[key] ?? Infinity).sort((a, b) => a - b);
  return { median: v[Math.floor((v.length - 1) / 2)], worst: v.at(-1) };
};
const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${goc.pid}/status`, "utf8"))[1]) / 1024;
const out = {
  "start to ready, s": ready, faults: rows.length, "fault to incident, s": figures("to incident"), "fault to right first suspect, s": figures("to right suspect"),
  "fault to incident painted, s": figures("painted incident"), "fault to right suspect painted, s": figures("painted suspect"),
  "right suspect painted within 10 s": rows.filter((r) => r["painted suspect"] <= 10).length,
  "resident memory, MB": +rss.toFixed(0), "after, min": +((Date.now() - started) / 60_000).toFixed(1), "binary, MB": +(statSync(binary).size / 1e6).toFixed(1),
};
console.log(JSON.stringify(out));
await browser.close();
goc.kill("SIGTERM");
process.exit(0);
