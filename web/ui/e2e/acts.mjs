// node e2e/acts.mjs GOC [OUT] [PORT]: what people do, done in a browser with the real program GOC: a drill from its start to its
// score with acknowledging, judging suspects and running a plan; notes and severity seen by a second page; people's work on
// an incident (tasks, an update, the cause, splitting alerts, the report, the clock's report); signing in and out; and a
// server that dies and comes back. It starts and ends its own servers on PORT to PORT+2. Exits 1 when something is wrong.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditWith, launch, open } from './browser.mjs';
import { Server, sleep, until } from './server.mjs';

const [binary = '../../goc', out = 'shots', port = '18641'] = process.argv.slice(2);
const DOWN_MS = 6000;
const problems = [];
const found = [];
const began = Date.now();

const check = (ok, what) => {
  found.push(`${ok ? 'ok  ' : 'FAIL'} ${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s  ${what}`);
  if (!ok) problems.push(what);
  return ok;
};

/** Whether locator comes to be seen. */
const seen = (locator, ms = 10_000) =>
  locator
    .first()
    .waitFor({ timeout: ms })
    .then(
      () => true,
      () => false,
    );
const gone = (locator, ms = 10_000) =>
  locator
    .first()
    .waitFor({ state: 'detached', timeout: ms })
    .then(
      () => true,
      () => false,
    );

const shoot = (page, name) => page.screenshot({ path: `${out}/${name}.png` });

async function visit(page, url, wanted = 'main h1') {
  await page.goto(url, { waitUntil: 'domcontentloaded' });
  await page.locator(wanted).first().waitFor({ timeout: 15_000 });
}

/** Holds a button with the mouse for as long as it wants, and a bit. */
async function hold(page, button, ms = 1700) {
  await button.scrollIntoViewIfNeeded();
  const box = await button.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.waitForTimeout(ms);
  await page.mouse.up();
}

/** Keeps every text that an element of the page with a status role has had, in order. */
const listen = (page) =>
  page.evaluate(() => {
    window.statuses = [];
    const note = () => {
      for (const e of document.querySelectorAll('[role=status]')) {
        const text = e.textContent.trim().replace(/\s+/g, ' ');
        if (text && !window.statuses.includes(text)) window.statuses.push(text);
      }
    };
    note();
    new MutationObserver(note).observe(document.body, { childList: true, subtree: true, characterData: true });
  });

const escaped = (s) => s.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const row = (page, id) => page.locator('tr', { has: page.getByRole('link', { name: id, exact: true }) });

/** Starts a drill by holding; the number it got. */
async function startDrill(server, page, name) {
  await visit(page, `${server.base}/drills`);
  await page.getByRole('button', { name: new RegExp(`Start.* ${escaped(name)}`) }).click();
  const button = page.getByRole('dialog').getByRole('button', { name: /Hold/ });
  await hold(page, button, 400);
  check(await seen(page.getByRole('dialog'), 500), 'drill: a short press starts nothing');
  check(((await server.get('/drills/runs')).items ?? []).length === 0, 'drill: and the server has none');
  await hold(page, button);
  check(await gone(page.getByRole('dialog')), 'drill: holding starts it');
  const link = page.locator('main').getByRole('link', { name: /^DRL-\d+$/ });
  if (!check(await seen(link), 'drill: it stands in the list with its number')) return null;
  await shoot(page, 'act-drill-started');
  return (await link.first().textContent()).trim();
}

/** From the drills screen into the war room of the incident that the drill made. */
async function toWarRoom(page, drill) {
  const link = row(page, drill).getByRole('link', { name: /^INC-\d+$/ });
  if (!check(await seen(link, 60_000), 'drill: found, its incident is linked')) return null;
  const id = (await link.textContent()).trim();
  await link.click();
  check(await seen(page.locator('main .room')), `war room: ${id} opens`);
  return id;
}

/** Acknowledges by the key, as somebody woken would. */
async function acknowledge(server, page, id) {
  await page.keyboard.press('a');
  check(await gone(page.getByRole('button', { name: /^Acknowledge/ }), 2000), 'war room: a acknowledges at once');
  await until('acknowledged', async () => (await server.get(`/incidents/${id}`)).acknowledged_at);
  check(true, 'war room: the server has the acknowledgement');
}

/** "Not this" on the first suspect; and after another look "this is it". */
async function judge(server, page, id) {
  const first = page.locator('main .row').first();
  if (!check(await seen(first, 60_000), 'suspects: there is one')) return;
  const change = (await first.locator('.id').textContent()).trim();
  const mine = page.locator('main .row', { has: page.getByRole('link', { name: change, exact: true }) });
  await mine.getByRole('button', { name: /^Not this/ }).click();
  const out = page.locator('main .row.rejected, main .out', {
    has: page.getByRole('link', { name: change, exact: true }),
  });
  check(await seen(out, 3000), `suspects: "not this" strikes ${change} out`);
  const verdict = async () =>
    (await server.get(`/incidents/${id}`)).suspects?.find((s) => s.change_id === change)?.verdict ?? 'rejected';
  check((await verdict()) === 'rejected', 'suspects: the server has the rejection');
  await shoot(page, 'act-rejected');
  await out.getByRole('button', { name: /^This is it/ }).click();
  const confirmed = page.locator('main .row.confirmed', { has: page.getByRole('link', { name: change, exact: true }) });
  check(await seen(confirmed, 3000), `suspects: "this is it", after a second look, confirms ${change}`);
  check((await verdict()) === 'confirmed', 'suspects: the server has the confirmation');
}

/** The recommended plan: dry run, typed name, hold, and then all that becomes of it. */
async function runPlan(server, page, id) {
  const run = page.locator('main .plans').getByRole('button', { name: /^Run/ }).first();
  if (!check(await seen(run, 20_000), 'plan: one is recommended')) return;
  await run.click();
  const dialog = page.getByRole('dialog');
  const dry = dialog.getByText(/Dry run at/);
  if (!check(await seen(dry, 10_000), 'plan: the dry run is shown')) return;
  check(await seen(dialog.getByText(/Dry run at .*: ok/), 10_000), 'plan: and it is well');
  const button = dialog.getByRole('button', { name: /^Hold to run/ });
  const field = dialog.locator('#typed');
  const name = (await server.get(`/incidents/${id}`)).plans[0];
  await field.fill(`${name}x`);
  check(await button.isDisabled(), 'plan: a wrong name does not do');
  await field.fill('');
  await field.pressSequentially(name);
  await until('the name does', () => button.isEnabled(), 3000);
  check(((await server.get('/runs')).items ?? []).length === 0, 'plan: nothing has run before the hold');
  await shoot(page, 'act-plan-ready');
  await listen(page);
  await hold(page, button);
  check(await seen(dialog.getByText(/accepted as RUN-\d+/)), 'plan: accepted, with its number');
  check(await seen(dialog.locator('.steps li'), 5000), 'plan: its steps are listed');
  check(await seen(dialog.getByText('verified', { exact: true }), 90_000), 'plan: verified');
  await shoot(page, 'act-plan-verified');
  const told = await page.evaluate(() => window.statuses);
  const at = (pattern) => told.findIndex((text) => pattern.test(text));
  check(at(/^submitted$/) >= 0, 'plan: submitted was said first');
  check(at(/^submitted$/) < at(/accepted as RUN-\d+/), 'plan: then accepted');
  check(at(/accepted as RUN-\d+/) <= at(/step \d+ of \d+/), 'plan: then the steps');
  const [made] = (await server.get('/runs')).items;
  check(made.state === 'succeeded' && made.incident === id, 'plan: the server says the same, of this incident');
  check(((await server.get('/runs')).items ?? []).length === 1, 'plan: one hold made one run');
  await dialog.getByRole('button', { name: 'Close' }).click();
  check(await seen(page.locator('main .plans').getByText(made.id)), 'plan: the war room keeps the run in sight');
}

/** A note by the keyboard and another severity; a second page sees them. */
async function tellOthers(server, browser, page, id) {
  const other = await open(browser, 'desktop', 'en', problems);
  await visit(other, `${server.base}/i/${id}`, 'main .room');
  await seen(other.locator('.chip.live'));
  await page.keyboard.press('n');
  await page.keyboard.type('tills are slow a 5 g r');
  const sent = Date.now();
  await page.keyboard.press('Enter');
  check(
    await seen(other.locator('.timeline').getByText('tills are slow a 5 g r'), 10_000),
    'note: another page has it',
  );
  const took = Date.now() - sent;
  found.push(`     note: after ${took} ms`); // a figure to read: how fast a busy machine is, is not asserted
  await until('one entry', async () => (await page.locator('.timeline li.note').count()) === 1, 3000).catch(() => {});
  check((await page.locator('.timeline li.note').count()) === 1, 'note: it stands once where it was written');
  check(page.url().endsWith(`/i/${id}`), 'note: its letters were no commands');
  await page.locator('main h1').first().click();
  await page.keyboard.press('s');
  await page.getByRole('dialog').getByRole('button', { name: /P3/ }).click();
  check(await seen(other.locator('header.head.P3'), 3000), 'severity: another page shows it');
  check((await server.get(`/incidents/${id}`)).severity === 'P3', 'severity: the server has it');
  await shoot(other, 'act-second-page');
  await other.context().close();
}

/** Follows recovery in the war room and the score on the drills screen. */
async function toScore(server, page, drill, id) {
  check(await seen(page.locator('main .clock.stopped'), 90_000), 'drill: recovered, the clock stands');
  await shoot(page, 'act-recovered');
  await page.keyboard.press('g');
  await page.keyboard.press('d');
  const score = row(page, drill).locator('td.num');
  const points = Number(
    await until('a score', async () => /^\d+$/.test(await score.innerText()) && score.innerText(), 60_000),
  );
  check(points >= 80, `drill: scored ${points}, at least 80`);
  const run = await server.get(`/drills/runs/${drill}`);
  check(run.score === points && run.incident === id, 'drill: the server says the same');
  await shoot(page, 'act-drill-scored');
}

async function drillAct(browser, dir) {
  const base = `http://127.0.0.1:${port}`;
  const args = ['demo', '--no-faults', '--listen', `127.0.0.1:${port}`, '--data', join(dir, 'demo')];
  const server = new Server(binary, args, base);
  try {
    await server.start();
    const page = await open(browser, 'desktop', 'en', problems);
    const drill = await startDrill(server, page, process.env.DRILL ?? 'bad-release');
    const id = drill && (await toWarRoom(page, drill));
    if (!id) return;
    await acknowledge(server, page, id);
    await judge(server, page, id);
    await runPlan(server, page, id);
    await tellOthers(server, browser, page, id);
    await toScore(server, page, drill, id);
    await page.context().close();
  } finally {
    await server.end();
  }
}

/** A wrong token, the right one, and out again. */
async function signing(server, page, token) {
  await page.goto(server.base, { waitUntil: 'domcontentloaded' });
  const field = page.getByLabel('Token');
  check(await seen(field), 'sign in: a stranger is asked for a token');
  check((await page.locator('main .card').count()) === 0, 'sign in: and sees nothing else');
  await field.fill('goc_not_a_token');
  await page.getByRole('button', { name: 'Sign in' }).click();
  check(await seen(page.getByRole('alert').getByText(/not accepted/)), 'sign in: a wrong token is refused in words');
  await shoot(page, 'act-refused');
  await field.fill(token);
  await page.keyboard.press('Enter');
  check(await seen(page.locator('.chip.live')), 'sign in: the right one does, and it is live');
  await visit(page, `${server.base}/me`);
  check(await seen(page.getByText('first-admin')), 'sign in: it says who one is');
  await page.reload();
  check(await seen(page.locator('.chip.live')), 'sign in: a reload stays signed in');
  await shoot(page, 'act-me');
  await page.getByRole('button', { name: 'Sign out' }).click();
  check(await seen(page.getByLabel('Token')), 'sign out: a token is asked for again');
  await page.reload();
  check(await seen(page.getByLabel('Token')), 'sign out: also after a reload');
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  check(await seen(page.locator('.chip.live')), 'sign in: again, and live');
}

/** The server is killed and comes back: the page says so, and finds what happened while it could not hear. */
async function dying(server, page) {
  const { id } = await server.post('/incidents', { title: 'a server that dies', severity: 'P2' });
  await visit(page, `${server.base}/i/${id}`, 'main .room');
  await server.post(`/incidents/${id}/notes`, { text: 'before the end' });
  const notes = page.locator('.timeline li.note');
  check(await seen(notes.getByText('before the end')), 'outage: live before');
  await page.evaluate(() => (window.stayed = true));
  await server.end('SIGKILL');
  const fell = Date.now();
  check(await seen(page.locator('.chip.lost, .chip.stale'), 6000), 'outage: the chip says so');
  check(await seen(page.locator('.banner .lost'), 6000), 'outage: the banner too');
  await shoot(page, 'act-lost');
  await sleep(Math.max(0, DOWN_MS - (Date.now() - fell)));
  await server.start();
  await server.post(`/incidents/${id}/notes`, { text: 'while nobody heard' });
  check(await seen(page.locator('.chip.live'), 20_000), 'outage: live again by itself');
  check(await gone(page.locator('.banner .lost')), 'outage: the banner goes');
  check(await seen(notes.getByText('while nobody heard')), 'outage: what was missed is there');
  await server.post(`/incidents/${id}/notes`, { text: 'after all' });
  check(await seen(notes.getByText('after all'), 3000), 'outage: and it is live again in truth');
  const { items } = await server.get(`/incidents/${id}/timeline?limit=1000`);
  await until('as many', async () => (await page.locator('.timeline li').count()) === items.length, 5000).catch(
    () => {},
  );
  const texts = await page.locator('.timeline li .text').allInnerTexts();
  check(texts.length === items.length, `outage: nothing is missing or doubled (${texts.length} of ${items.length})`);
  check((await notes.count()) === 3, 'outage: each note once');
  check(await page.evaluate(() => window.stayed === true), 'outage: without a reload');
  await shoot(page, 'act-back');
}

async function tokenAct(browser, dir) {
  const at = `127.0.0.1:${Number(port) + 1}`;
  const config = join(dir, 'goc.yaml');
  writeFileSync(config, `listen: ${at}\ndata: ${join(dir, 'serve')}\n`);
  const server = new Server(binary, ['serve', '--config', config], `http://${at}`);
  try {
    await server.start();
    server.token = readFileSync(join(dir, 'serve', 'admin-token'), 'utf8').trim();
    // That a socket fails without a token and without a server is what this is about.
    const page = await open(browser, 'desktop', 'en', problems, /WebSocket connection to .* failed/);
    await signing(server, page, server.token);
    await dying(server, page);
    await page.context().close();
  } finally {
    await server.end();
  }
}

/** Alerts as an Alertmanager's clients send them: one service in some stores, and something that has nothing to do with it. */
async function raise(server) {
  const startsAt = new Date().toISOString();
  const of = (store, alertname, summary) => ({
    startsAt,
    labels: { alertname, severity: 'critical', service: 'order-core', store },
    annotations: { summary },
  });
  const stores = (await server.get('/situation')).cities.flatMap((c) => c.stores.map((s) => s.id)).slice(0, 3);
  const alerts = stores.map((s) => of(s, 'OrdersFail', `order-core in ${s} succeeds in 61% of calls`));
  alerts.push(of(stores[0], 'CertificateExpires', 'the certificate of order-core expires in an hour'));
  const answer = await fetch(`${server.base}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(alerts),
  });
  if (!answer.ok) throw new Error(`alerts: ${answer.status} ${await answer.text()}`);
  const all = async () => (await server.get('/incidents?state=active')).items ?? [];
  // Whatever else the world does: the incident that took in all four.
  const ours = (i) => (i.alerts ?? []).filter((a) => /OrdersFail|CertificateExpires/.test(a.labels.alertname)).length;
  const made = await until('an incident of four alerts', async () => (await all()).find((i) => ours(i) === 4));
  return made.id;
}

/** A task by the keyboard, owned, ticked off; and one for afterwards, which the list across incidents shows. */
async function tasks(server, page, id) {
  await page.keyboard.press('t');
  const field = page.getByLabel('What is to be done');
  check(await seen(field), 'tasks: t brings the field, from behind its tab');
  await until('the field has the focus', () => field.evaluate((e) => e === document.activeElement), 5000);
  await page.keyboard.type('call the bank r s a');
  await page.keyboard.press('Enter');
  const box = page.getByRole('checkbox', { name: 'call the bank r s a' });
  check(await seen(box, 2000), 'tasks: it stands in the list at once');
  await page.getByRole('button', { name: 'Take call the bank r s a' }).click();
  await until('taken', async () => (await server.get(`/incidents/${id}`)).tasks?.[0]?.owner);
  await box.check();
  const done = async () => (await server.get(`/incidents/${id}`)).tasks?.[0]?.done_at;
  check(!!(await until('done', done)), 'tasks: ticked off, the server has it');
  await field.fill('alert before customers notice');
  await page.getByLabel('When', { exact: true }).selectOption('action_item');
  await page.getByLabel('Due', { exact: true }).selectOption('1w');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  check(await seen(page.getByRole('checkbox', { name: 'alert before customers notice' })), 'tasks: one for afterwards');
}

/** An update out of the draft, in a language of choice. */
async function update(server, page, id) {
  await page.locator('main h1').first().click();
  await page.keyboard.press('p');
  const text = page.getByLabel('Text of the update');
  check(await seen(text), 'update: p opens the editor');
  await until('a draft', async () => (await text.inputValue()).includes(id));
  await page.getByRole('button', { name: '中文', exact: true }).click();
  check(
    !!(await until('a Chinese draft', async () => /影响/.test(await text.inputValue()))),
    'update: the draft speaks both',
  );
  await page.getByRole('button', { name: 'English', exact: true }).click();
  await until('an English draft', async () => /Affected/.test(await text.inputValue()));
  await text.press('End');
  await text.evaluate((e) => (e.value += '\nCalls go through another bank meanwhile.'));
  await text.dispatchEvent('input');
  await shoot(page, 'act-update');
  await page.getByRole('button', { name: 'Post', exact: true }).click();
  check(await seen(page.locator('#side-body').getByText(/Calls go through another bank/)), 'update: it is posted');
  const [said] = (await server.get(`/incidents/${id}`)).updates ?? [];
  check(/another bank/.test(said?.text ?? ''), 'update: the server has it');
}

/** The cause in words stops the locate clock. */
async function cause(server, page, id) {
  const before = (await server.get(`/incidents/${id}`)).clock.locate;
  check(before.running, 'cause: the locate clock runs before');
  await page.locator('main h1').first().click();
  await page.keyboard.press('c');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Cause').fill('a cable was cut at the bank');
  await auditWith(page, 'cause dialog', check, problems);
  await dialog.getByRole('button', { name: 'Name the cause' }).click();
  check(await gone(dialog, 5000), 'cause: the dialog goes');
  check(await seen(page.locator('.gist').getByText(/a cable was cut at the bank/)), 'cause: the one line says it');
  const { clock, cause } = await server.get(`/incidents/${id}`);
  check(!clock.locate.running && clock.locate.met === true, 'cause: the locate clock has stopped, in time');
  check(cause?.text === 'a cable was cut at the bank', 'cause: the server has it');
  await shoot(page, 'act-cause');
}

/** An alert that has nothing to do with the rest becomes an incident of its own, and stays one. */
async function split(server, page, id) {
  await page.getByRole('tab', { name: /^Alerts/ }).click();
  const panel = page.locator('#side-body');
  for (const fold of await panel.locator('summary').all()) await fold.click();
  await panel.getByRole('checkbox', { name: /certificate/ }).check();
  // Those that it is said to explain go along when it is chosen; here it goes alone.
  for (const other of await panel.getByRole('checkbox', { name: /calls/ }).all()) await other.uncheck();
  await panel.getByRole('button', { name: /Split off/ }).click();
  await panel.getByLabel(/Title of the new/).fill('the certificate expires');
  await shoot(page, 'act-split');
  await panel.getByRole('button', { name: 'Split', exact: true }).click();
  const link = panel.getByRole('link', { name: /^Go to INC-/ });
  if (!check(await seen(link), 'split: the new incident is linked')) return;
  const made = (await link.getAttribute('href')).split('/').pop();
  // Alerts of the world may come and go meanwhile: only that one is asked about.
  const has = async (incident) =>
    (await server.get(`/incidents/${incident}`)).alerts.some((a) => a.labels.alertname === 'CertificateExpires');
  check((await has(made)) && !(await has(id)), `split: ${made} has the alert, the old one has it no more`);
  check((await server.get(`/incidents/${made}`)).title === 'the certificate expires', 'split: under its title');
  await link.click();
  check(await seen(page.locator(`main .room[data-incident="${made}"]`)), 'split: one click leads there');
  await rejoin(server, page, id, made);
}

/** And back again: somebody sees that it was one trouble after all. */
async function rejoin(server, page, id, made) {
  await page.getByRole('button', { name: 'Merge…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('radio', { name: new RegExp(`\\b${id}\\b`) }).check();
  await auditWith(page, 'merge dialog', check, problems);
  await dialog.getByRole('button', { name: `Merge into ${id}` }).click();
  check(await seen(page.locator(`main .room[data-incident="${id}"]`)), 'merge: it leads to the one that stays');
  check((await server.get(`/incidents/${made}`)).merged_into === id, 'merge: the server has it');
}

/** What others read afterwards: hand-over, report, the list of what is to be done, the clock's report. */
async function afterwards(server, page, id) {
  await page.keyboard.press('h');
  const dialog = page.getByRole('dialog');
  check(await seen(dialog.getByText(/a cable was cut at the bank/)), 'hand-over: it says the cause');
  await dialog.getByRole('button', { name: '中文' }).click();
  check(await seen(dialog.getByText(/时钟/)), 'hand-over: and speaks Chinese');
  await auditWith(page, 'hand-over dialog', check, problems);
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'Report' }).click();
  check(await seen(page.locator('main .md h1').getByText(new RegExp(id))), 'report: it is a page of its own');
  check(await seen(page.locator('main .md').getByText(/a cable was cut at the bank/)), 'report: it says the cause');
  await shoot(page, 'act-report');
  await server.post(`/incidents/${id}/resolve`, { note: 'the bank mended it' });
  await visit(page, `${server.base}/review/metrics?by=severity`);
  const cells = page.locator('main tbody td.heat');
  check(await seen(cells), 'clocks: the report has a line');
  const { groups } = await server.get('/review/clocks?by=severity');
  const shown = page.locator('main tbody tr', { has: page.getByRole('rowheader', { name: groups[0].key }) });
  const counted = Number((await shown.locator('td.num').first().innerText()).trim());
  check(counted === groups[0].incidents && counted > 0, `clocks: ${groups[0].key} counts as the server does`);
  check((await cells.count()) % 3 === 0 && /%/.test(await cells.first().innerText()), 'clocks: with three legs');
  await auditWith(page, 'clock report', check, problems);
  await shoot(page, 'act-clocks');
  await visit(page, `${server.base}/review/actions`);
  const item = page.getByRole('checkbox', { name: /alert before customers notice/ });
  check(await seen(item), 'action items: the one for afterwards is listed');
  await auditWith(page, 'action items', check, problems);
  await item.check();
  const open = async () => ((await server.get('/action-items?state=open')).items ?? []).length === 0;
  check(await until('it is done', open), 'action items: ticked off there too');
}

/** The same incident in Chinese: nothing that the program says of people's work stays English. */
async function inChinese(server, browser, id) {
  const page = await open(browser, 'desktop', 'zh', problems);
  await visit(page, `${server.base}/i/${id}`, 'main .room');
  for (const text of ['新增任务 1', '第 1 次对外通报', '指明原因', '拆到 INC-'])
    check(await seen(page.locator('.timeline').getByText(text)), `Chinese: the timeline says ${text}`);
  await shoot(page, 'act-work-zh');
  await page.context().close();
}

async function workAct(browser, dir) {
  const at = `127.0.0.1:${Number(port) + 2}`;
  const args = ['demo', '--no-faults', '--listen', at, '--data', join(dir, 'work')];
  const server = new Server(binary, args, `http://${at}`);
  try {
    await server.start();
    const page = await open(browser, 'desktop', 'en', problems);
    const id = await raise(server);
    await visit(page, `${server.base}/i/${id}`, 'main .room');
    await tasks(server, page, id);
    await update(server, page, id);
    await cause(server, page, id);
    await split(server, page, id);
    await afterwards(server, page, id);
    await inChinese(server, browser, id);
    await page.context().close();
  } finally {
    await server.end();
  }
}

mkdirSync(out, { recursive: true });
const dir = mkdtempSync(join(tmpdir(), 'goc-acts-'));
const browser = await launch();
const acts = { drill: drillAct, token: tokenAct, work: workAct };
const wanted = (process.env.ACTS ?? 'drill,token,work').split(',');
try {
  const ends = await Promise.allSettled(wanted.map((act) => acts[act](browser, dir)));
  for (const e of ends) if (e.status === 'rejected') problems.push(String(e.reason?.stack ?? e.reason));
} finally {
  await browser.close();
  rmSync(dir, { recursive: true, force: true });
}
const report = [...found, ...problems.map((p) => `PROBLEM ${p}`)].join('\n') + '\n';
writeFileSync(`${out}/acts.txt`, report);
process.stdout.write(report);
process.exit(problems.length > 0 ? 1 : 0);
