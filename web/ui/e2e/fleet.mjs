// node e2e/fleet.mjs GOC [OUT] [PORT]: what devices share, in a browser with the real program GOC: calm while all is well; a
// firmware and a dark store told apart; in the situation too, and gone when it is over; in both languages, on a desktop and a
// phone. Starts and ends its own server. Exits 1 when something is wrong.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditWith, launch, open } from './browser.mjs';
import { Server } from './server.mjs';

const [binary = '../../goc', out = 'shots', port = '18652'] = process.argv.slice(2);
const problems = [];
const found = [];
const check = (ok, what) => {
  found.push(`${ok ? 'ok  ' : 'FAIL'} ${what}`);
  if (!ok) problems.push(what);
  return ok;
};
const seen = (locator, state = 'visible') =>
  locator
    .first()
    .waitFor({ timeout: 15_000, state })
    .then(
      () => true,
      () => false,
    );
const shoot = (page, name) => page.screenshot({ path: `${out}/fleet-${name}.png` });

const cities = ['上海', '杭州', '北京', '成都'];
const stores = Array.from({ length: 24 }, (_, i) => ({
  id: `ST-${String(i + 1).padStart(2, '0')}`,
  city: cities[i % 4],
}));
const kinds = ['pos', 'pos', 'scanner', 'scanner', 'scanner', 'scale', 'scale', 'label_gateway'];
const config = (at, dir) => `
listen: ${at}
data: ${join(dir, 'data')}
auth: {anonymous: true}
catalog:
  device_kinds:
${[...new Set(kinds)].map((k) => `    - {name: ${k}, interval: ${k === 'label_gateway' ? '5s, grace: 2s, gateway: true' : '10m, grace: 10m'}}`).join('\n')}
  stores:
${stores.map((s) => `    - {id: ${s.id}, city: ${s.city}, region: east, network: isp-${s.city === '上海' ? 'a' : 'b'}}`).join('\n')}
`;

const devices = stores.flatMap((s, i) =>
  kinds.map((kind, n) => ({
    store: s.id,
    device: `${kind}-${n}`,
    kind,
    model: kind === 'scanner' ? 'DS22' : 'X1',
    firmware: kind === 'scanner' ? ['4.2.0', '4.2.1'][(i + n) % 2] : '7.0',
  })),
);
/** All devices beat; those of which it is so are not well, and a gateway that is not well is silent. */
let unwell = () => false;
const isGateway = (d) => d.kind === 'label_gateway';
const send = (server, some) =>
  server.post(
    '/heartbeats',
    some.filter((d) => !(isGateway(d) && unwell(d))).map((d) => ({ ...d, status: unwell(d) ? 'fault' : 'ok' })),
  );
const beat = (server, those) => {
  unwell = those;
  return send(server, devices);
};
const panel = (page) => page.getByRole('region', { name: /^(What they share|共同点)$/ });

async function visit(page, server, path) {
  await page.goto(server.base + path, { waitUntil: 'domcontentloaded' });
  await page.locator('main h1').first().waitFor({ timeout: 15_000, state: 'attached' });
}

/** Calm while all is well; what comes is told without a reload, each cause by itself; what is over goes. */
async function comesAndGoes(browser, server) {
  const page = await open(browser, 'desktop', 'en', problems);
  await visit(page, server, '/fleet');
  check(await seen(panel(page).getByText('Nothing shared')), 'calm while all is well');
  await shoot(page, 'calm');
  await beat(
    server,
    (d) => d.firmware === '4.2.1' || d.store === 'ST-05' || (d.store === 'ST-08' && d.kind === 'scale'),
  );
  check(await seen(panel(page).getByText('4.2.1', { exact: true })), 'a firmware is named without a reload');
  check(
    await seen(panel(page).getByRole('listitem').filter({ hasText: 'ST-05' })),
    'a dark store is told apart from it',
  );
  const told = await server.get('/fleet/causes');
  const firmware = told.causes.find((c) => c.scope.firmware);
  check(
    await seen(panel(page).getByText(`${firmware.affected} of ${firmware.total}`)),
    'how many of how many are those of the server',
  );
  check(await seen(panel(page).getByText(/Silent gateways: ST-05\/label_gateway-7/)), 'a silent gateway is named');
  check(await seen(panel(page).getByText(/not well and share none of it/)), 'what shares none of it is counted');
  await panel(page).getByRole('button', { name: /more$/ }).click();
  await auditWith(page, 'causes', check, problems);
  await shoot(page, 'causes');
  await panel(page).getByRole('link', { name: 'ST-05' }).first().click();
  check(await seen(page.getByRole('heading', { name: /^ST-05/ })), 'a store leads to its page');
  await visit(page, server, '/');
  check(await seen(panel(page).getByText('4.2.1', { exact: true })), 'the situation says it where the fleet is');
  await auditWith(page, 'situation', check, problems);
  await shoot(page, 'situation');
  await visit(page, server, '/?wall=1');
  check(await seen(panel(page).getByText('4.2.1', { exact: true })), 'and so does the wall');
  await shoot(page, 'wall');
  await page.context().close();
}

/** In each size and language it loads, fits, and keeps nobody out; Chinese is Chinese, also after a switch. */
async function everywhere(browser, server) {
  for (const [size, lang] of [
    ['desktop', 'zh'],
    ['phone', 'en'],
    ['phone', 'zh'],
  ]) {
    const page = await open(browser, size, lang, problems);
    for (const path of ['/fleet', '/']) {
      await visit(page, server, path);
      check(
        await seen(panel(page).getByText('4.2.1', { exact: true }), 'attached'),
        `${path} ${size} ${lang}: it is there`,
      );
      const wide = await page.evaluate(() => document.getElementById('main').scrollWidth > innerWidth + 1);
      check(!wide, `${path} ${size} ${lang}: nothing sticks out sideways`);
      await auditWith(page, `${path} ${size} ${lang}`, check, problems);
      if (lang === 'zh' && path === '/')
        check(!/devices/.test(await page.locator('main').innerText()), `${size}: what the localiser says is Chinese`);
      await shoot(page, `${size}-${lang}${path === '/' ? '-situation' : ''}`);
    }
    if (lang === 'zh') {
      await visit(page, server, '/fleet');
      check(await seen(panel(page).getByText(/固件 4\.2\.1 的.*比例是其余设备的/)), `${size}: the sentence is Chinese`);
      check(!/devices|others|scanner/.test(await panel(page).innerText()), `${size}: and nothing in it is English`);
    }
    if (size === 'desktop') {
      await page.getByRole('button', { name: /English/ }).click();
      check(
        await seen(panel(page).getByText(/times the share of the others/)),
        'a switch of the language takes it along',
      );
    }
    await page.context().close();
  }
}

mkdirSync(out, { recursive: true });
const dir = mkdtempSync(join(tmpdir(), 'goc-fleet-'));
const at = `127.0.0.1:${port}`;
writeFileSync(join(dir, 'goc.yaml'), config(at, dir));
const server = new Server(binary, ['serve', '--config', join(dir, 'goc.yaml')], `http://${at}`);
const browser = await launch();
let alive;
try {
  await server.start();
  await beat(server, () => false);
  alive = setInterval(() => void send(server, devices.filter(isGateway)).catch(() => {}), 1000);
  await comesAndGoes(browser, server);
  await everywhere(browser, server);
  const page = await open(browser, 'desktop', 'en', problems);
  await visit(page, server, '/fleet');
  await seen(panel(page).getByText('4.2.1', { exact: true }));
  await beat(server, () => false);
  check(await seen(panel(page).getByText('Nothing shared')), 'what is over goes without a reload');
} catch (e) {
  problems.push(String(e.stack ?? e));
} finally {
  clearInterval(alive);
  await browser.close();
  await server.end();
  rmSync(dir, { recursive: true, force: true });
}
const report = [...found, ...problems.map((p) => `PROBLEM ${p}`)].join('\n') + '\n';
writeFileSync(`${out}/fleet.txt`, report);
process.stdout.write(report);
process.exit(problems.length > 0 ? 1 : 0);
