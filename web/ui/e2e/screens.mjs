// node e2e/screens.mjs BASE OUT: looks at the two main screens of a running `goc demo` in both languages and three sizes:
// takes pictures, lets axe look for what keeps people out, and checks what must be on them. Exits 1 when something is wrong.
import { mkdirSync, writeFileSync } from 'node:fs';
import { auditWith, launch, open } from './browser.mjs';

const [base = 'http://127.0.0.1:8420', out = 'shots'] = process.argv.slice(2);
const WAIT_FOR_INCIDENT_MS = Number(process.env.WAIT_MS ?? 180_000);
const problems = [];
const found = [];

mkdirSync(out, { recursive: true });

const check = (ok, what) => {
  found.push(`${ok ? 'ok  ' : 'FAIL'} ${what}`);
  if (!ok) problems.push(what);
};

const get = async (path) => (await fetch(base + path)).json();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for an incident that is open and has a suspect; the last one there is when none comes. */
async function incident() {
  const until = Date.now() + WAIT_FOR_INCIDENT_MS;
  while (Date.now() < until) {
    const { items } = await get('/api/v1/incidents?limit=50');
    const open = (items ?? []).find((i) => i.state === 'open' && (i.suspects ?? []).length > 0);
    if (open) return open.id;
    await sleep(2000);
  }
  const { items } = await get('/api/v1/incidents?limit=50');
  return items?.[0]?.id ?? null;
}

const axe = (page, name) => auditWith(page, name, check, problems);

async function shoot(page, name) {
  await page.screenshot({ path: `${out}/${name}.png` });
}

async function visit(browser, size, lang, id) {
  const page = await open(browser, size, lang, problems);
  const home = size === 'wall' ? '/?wall=1' : '/';
  await page.goto(base + home, { waitUntil: 'domcontentloaded' });
  await page.locator('main .card, main .quiet').first().waitFor({ timeout: 15_000 });
  await page.waitForTimeout(1500);
  const name = `situation-${size}-${lang}`;
  check(
    (await page.locator('html').getAttribute('lang')) === (lang === 'zh' ? 'zh-CN' : 'en'),
    `${name}: the page says its language`,
  );
  check((await page.locator('canvas').count()) === 0 || size !== 'phone', `${name}: a phone gets no wall of cells`);
  const scrolls = await page.evaluate(() => {
    const main = document.getElementById('main');
    return main.scrollHeight > main.clientHeight + 1 || document.documentElement.scrollWidth > innerWidth + 1;
  });
  if (size === 'wall') check(!scrolls, `${name}: the wall does not scroll`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1);
  check(!wide, `${name}: nothing sticks out sideways`);
  await shoot(page, name);
  await axe(page, name);
  if (size !== 'wall' && id) {
    await page.goto(`${base}/i/${id}`, { waitUntil: 'domcontentloaded' });
    await page.locator('main .room').waitFor({ timeout: 15_000 });
    await page.waitForTimeout(1500);
    await shoot(page, `warroom-${size}-${lang}`);
    if (size === 'phone') await page.screenshot({ path: `${out}/warroom-${size}-${lang}-full.png`, fullPage: true });
    await axe(page, `warroom-${size}-${lang}`);
    // What stands behind the other tabs, and the report as a page.
    for (const side of ['work', 'alerts', 'similar']) {
      await page.goto(`${base}/i/${id}?side=${side}`, { waitUntil: 'domcontentloaded' });
      await page.locator('#side-body .all').waitFor({ timeout: 15_000 });
      await page.waitForTimeout(800);
      await shoot(page, `warroom-${side}-${size}-${lang}`);
      await axe(page, `warroom-${side}-${size}-${lang}`);
      const sticks = await page.evaluate(() => document.getElementById('main').scrollWidth > innerWidth + 1);
      check(!sticks, `warroom-${side}-${size}-${lang}: nothing sticks out sideways`);
    }
    await page.goto(`${base}/i/${id}/report`, { waitUntil: 'domcontentloaded' });
    await page.locator('main .md h1').waitFor({ timeout: 15_000 });
    await shoot(page, `report-${size}-${lang}`);
    await axe(page, `report-${size}-${lang}`);
  }
  await page.context().close();
}

const post = async (path, body) =>
  (
    await fetch(base + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
  ).json();

/** Acknowledges an incident of its own by the button and looks whether screen and server agree. */
async function acknowledge(browser) {
  const { id } = await post('/api/v1/incidents', {
    title: 'a browser check',
    severity: 'P4',
    scope: { store: ['browser-check'] },
  });
  check(!!id, 'acknowledge: an incident can be declared');
  if (!id) return;
  const page = await open(browser, 'desktop', 'en', problems);
  await page.goto(`${base}/i/${id}`, { waitUntil: 'domcontentloaded' });
  await page.getByRole('button', { name: /Acknowledge/ }).click();
  const gone = page.getByRole('button', { name: /Acknowledge/ }).waitFor({ state: 'detached', timeout: 2000 });
  check(
    await gone.then(
      () => true,
      () => false,
    ),
    'acknowledge: the button goes at once',
  );
  await sleep(1500);
  const after = await get(`/api/v1/incidents/${id}`);
  check(after.acknowledged_at !== null, 'acknowledge: the server has it');
  check((await page.locator('.urgent').count()) === 0, 'acknowledge: nothing blinks any more');
  await post(`/api/v1/incidents/${id}/resolve`, { note: 'only a check' });
  await page.context().close();
}

/** A plan asks for everything before it may run, and no single key runs it. */
async function planDialog(browser) {
  const page = await open(browser, 'desktop', 'en', problems);
  await page.goto(`${base}/plans`, { waitUntil: 'domcontentloaded' });
  const run = page.getByRole('button', { name: /^Run/ }).first();
  if (
    !(await run.waitFor({ timeout: 5000 }).then(
      () => true,
      () => false,
    ))
  )
    return found.push('skip plan dialog: no plans');
  await run.click();
  await page.getByRole('dialog').waitFor();
  await page.waitForTimeout(1200);
  await shoot(page, 'plan-dialog');
  await axe(page, 'plan dialog');
  check(
    await page.getByRole('button', { name: /Hold to run/ }).isDisabled(),
    'plan dialog: it cannot run before its name is typed',
  );
  await page.keyboard.press('Escape');
  check((await page.getByRole('dialog').count()) === 0, 'plan dialog: Escape closes it');
  await page.context().close();
}

/** The language switches without a reload, and the keys work. */
async function keysAndLanguage(browser) {
  const page = await open(browser, 'desktop', 'en', problems);
  await page.goto(base, { waitUntil: 'domcontentloaded' });
  await page.locator('main .card, main .quiet').first().waitFor();
  await page.evaluate(() => (window.stayed = true));
  await page.getByRole('button', { name: /切换到中文/ }).click();
  await page.getByRole('link', { name: '作战室', exact: true }).waitFor({ timeout: 3000 });
  check(await page.evaluate(() => window.stayed === true), 'language: it switches without a reload');
  await page.keyboard.press('?');
  await page.getByRole('dialog').waitFor({ timeout: 3000 });
  await page.keyboard.press('Escape');
  await page.keyboard.press('g');
  await page.keyboard.press('c');
  await page.waitForURL('**/changes', { timeout: 3000 });
  check(true, 'keys: ? helps, g c goes to the changes');
  await page.context().close();
}

/** Each of the other screens paints, keeps nobody out, and fits. */
async function others(browser, size) {
  const page = await open(browser, size, 'en', problems);
  for (const path of [
    '/i',
    '/fleet',
    '/changes',
    '/plans',
    '/drills',
    '/voice',
    '/review/oncall',
    '/review/audit',
    '/review/metrics',
    '/review/metrics?by=team',
    '/review/actions',
    '/me',
  ]) {
    await page.goto(base + path, { waitUntil: 'domcontentloaded' });
    await page.locator('main h1').first().waitFor({ timeout: 10_000 });
    await page.waitForTimeout(700);
    await shoot(page, `other-${size}${path.replaceAll(/[/?=]/g, '-')}`);
    check((await page.locator('main .error').count()) === 0, `${path} ${size}: loads without an error`);
    const wide = await page.evaluate(() => document.getElementById('main').scrollWidth > innerWidth + 1);
    check(!wide, `${path} ${size}: nothing sticks out sideways`);
    await axe(page, `${path} ${size}`);
  }
  await page.context().close();
}

const browser = await launch();
try {
  const id = await incident();
  check(id !== null, 'there is an incident to look at');
  for (const size of ['desktop', 'wall', 'phone'])
    for (const lang of ['en', 'zh']) await visit(browser, size, lang, id);
  await acknowledge(browser);
  await planDialog(browser);
  await keysAndLanguage(browser);
  for (const size of ['desktop', 'phone']) await others(browser, size);
} catch (e) {
  problems.push(String(e.stack ?? e));
} finally {
  await browser.close();
}
const report = [...found, ...problems.map((p) => `PROBLEM ${p}`)].join('\n') + '\n';
writeFileSync(`${out}/report.txt`, report);
process.stdout.write(report);
process.exit(problems.length > 0 ? 1 : 0);
