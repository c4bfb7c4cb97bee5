// node e2e/devices.mjs GOC [OUT] [PORT]: a store's devices in a browser with the real program GOC: readings with their lines,
// why a device is degraded, and one device with its changes of state; in both languages, on a desktop and a phone. Starts and
// ends its own server. Exits 1 when something is wrong.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditWith, launch, open } from './browser.mjs';
import { Server, sleep } from './server.mjs';

const [binary = '../../goc', out = 'shots', port = '18661'] = process.argv.slice(2);
const problems = [];
const found = [];
const check = (ok, what) => {
  found.push(`${ok ? 'ok  ' : 'FAIL'} ${what}`);
  if (!ok) problems.push(what);
  return ok;
};
const seen = (locator, ms = 10_000) =>
  locator
    .first()
    .waitFor({ timeout: ms })
    .then(
      () => true,
      () => false,
    );

const config = (at, dir) => `
listen: ${at}
data: ${join(dir, 'data')}
auth: {anonymous: true}
catalog:
  stores: [{id: SH-1, name: 世纪大道店, city: 上海, region: east, network: isp-a}]
  device_kinds:
    - {name: pos, interval: 1h}
    - {name: printer, interval: 1h, telemetry: {paper: {low: 0.05}, temperature: {high: 70}}}
`;

const pos = { store: 'SH-1', device: 'pos-1', kind: 'pos', model: 'P-300', firmware: '4.2.1' };
const printer = { store: 'SH-1', device: 'printer-1', kind: 'printer', model: 'T-88', firmware: '1.0' };

async function visit(page, server, path) {
  await page.goto(server.base + path, { waitUntil: 'domcontentloaded' });
  await page.locator('main h1').first().waitFor({ timeout: 15_000 });
}

/** What the list of a store says, and the page of a device. */
async function reads(page, server) {
  await visit(page, server, '/fleet/上海/SH-1');
  const row = page.locator('main tr', { hasText: 'printer-1' });
  check(await seen(row.getByText('paper 3 % is below 5 %')), 'list: says why the printer is degraded');
  check(await seen(row.getByText('41.5 °C')), 'list: shows what is well, too');
  const line = row.getByRole('img', { name: /100% to 3% within \d+s/ });
  check(await seen(line), 'list: draws the paper, and says the line in words');
  const other = page.locator('main tr', { hasText: 'pos-1' });
  check(await seen(other.getByText('80%')), 'list: a battery without a history is a figure');
  check((await other.getByRole('img').count()) === 0, 'list: and has no line');
  await row.getByRole('link', { name: 'printer-1' }).click();
  const panel = page.getByRole('region', { name: 'printer-1' });
  check(await seen(panel.getByText('≥ 5%')), 'device: shows the limit');
  check(await seen(panel.getByText('paper 3 % is below 5 %')), 'device: says why it is degraded');
  const turn = panel.locator('tbody tr', { hasText: 'degraded' });
  check(await seen(turn.getByText('online')), 'device: its changes of state are listed');
  await auditWith(page, 'device', check, problems);
  // It is mended while somebody looks.
  await server.post('/heartbeats', [{ ...printer, paper: 1, temperature: 40 }]);
  check(await seen(panel.getByText('● online')), 'device: well again, without a reload');
  check((await panel.getByText('is below').count()) === 0, 'device: and nothing is wrong any more');
  await server.post('/heartbeats', [{ ...printer, paper: 0.03, temperature: 41.5 }]);
  check(await seen(panel.getByText('▲ degraded')), 'device: out of paper again');
  await panel.getByRole('link', { name: 'All devices of the store' }).click();
  check(await seen(page.locator('main tr', { hasText: 'pos-1' })), 'device: the way back to the store');
  check((await panel.count()) === 0, 'device: the panel goes');
}

/** Both pages in each language and size: they load, they fit, they keep nobody out, and Chinese is Chinese. */
async function everywhere(browser, server) {
  for (const size of ['desktop', 'phone'])
    for (const lang of ['en', 'zh']) {
      const page = await open(browser, size, lang, problems);
      for (const path of ['/fleet/上海/SH-1', '/fleet/上海/SH-1/printer-1']) {
        const name = `${path} ${size} ${lang}`;
        await visit(page, server, path);
        check(await seen(page.getByRole('img').first()), `${name}: loads with a line`);
        check((await page.locator('main .error').count()) === 0, `${name}: without an error`);
        const wide = await page.evaluate(() => document.getElementById('main').scrollWidth > innerWidth + 1);
        check(!wide, `${name}: nothing sticks out sideways`);
        await auditWith(page, name, check, problems);
        await page.screenshot({ path: `${out}/devices-${size}-${lang}-${path.split('/').length - 3}.png` });
        if (lang === 'zh') {
          const said = await page.locator('main').innerText();
          check(/余纸 3 % 低于 5 %/.test(said) && !/is below/.test(said), `${name}: speaks Chinese`);
        }
      }
      await page.context().close();
    }
}

mkdirSync(out, { recursive: true });
const dir = mkdtempSync(join(tmpdir(), 'goc-devices-'));
const at = `127.0.0.1:${port}`;
writeFileSync(join(dir, 'goc.yaml'), config(at, dir));
const server = new Server(binary, ['serve', '--config', join(dir, 'goc.yaml')], `http://${at}`);
const browser = await launch();
try {
  await server.start();
  await server.post('/heartbeats', [
    { ...pos, battery: 0.8 },
    { ...printer, paper: 1, temperature: 41 },
  ]);
  await sleep(2000); // a line needs time
  await server.post('/heartbeats', [{ ...printer, paper: 0.03, temperature: 41.5 }]);
  const page = await open(browser, 'desktop', 'en', problems);
  await reads(page, server);
  await page.context().close();
  await everywhere(browser, server);
} catch (e) {
  problems.push(String(e.stack ?? e));
} finally {
  await browser.close();
  await server.end();
  rmSync(dir, { recursive: true, force: true });
}
const report = [...found, ...problems.map((p) => `PROBLEM ${p}`)].join('\n') + '\n';
writeFileSync(`${out}/devices.txt`, report);
process.stdout.write(report);
process.exit(problems.length > 0 ? 1 : 0);
