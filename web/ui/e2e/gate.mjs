// node e2e/gate.mjs GOC [OUT] [PORT]: the gate's screens in a browser with the real program GOC: what is held and who may
// approve it, evidence, a broken glass and its review by somebody else, a rollout store by store, paused and rolled back,
// rules and the dry run of a policy, maintenance, hygiene; in both languages, on a desktop and a phone. Starts and ends its own server. Exits 1 when
// something is wrong.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditWith, launch, open } from './browser.mjs';
import { Server, until } from './server.mjs';

const [binary = '../../goc', out = 'shots', port = '18651'] = process.argv.slice(2);
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
const gone = (locator, ms = 10_000) =>
  locator
    .first()
    .waitFor({ state: 'detached', timeout: ms })
    .then(
      () => true,
      () => false,
    );
const shoot = (page, name) => page.screenshot({ path: `${out}/${name}.png` });

const tokens = Object.fromEntries(
  [
    ['builder', 'ci'],
    ['Zhao', 'commander'],
    ['Qian', 'commander'],
    ['Sun', 'viewer'],
    ['root', 'admin'],
  ].map(([name, role]) => [name, { role, token: `goc-e2e-of-${name}-0123456789abcdef` }]),
);

const config = (at, dir) => `
listen: ${at}
data: ${join(dir, 'data')}
auth: {tokens_file: ${join(dir, 'tokens')}}
catalog:
  services: [{name: till, tier: T0}, {name: shelf, tier: T2}]
  stores:
    - {id: SH-1, name: 世纪大道店, city: 上海, region: east}
    - {id: SH-2, name: 徐家汇店, city: 上海, region: east}
    - {id: BJ-1, name: 望京店, city: 北京, region: north}
    - {id: BJ-2, name: 中关村店, city: 北京, region: north}
plans:
  allowed_commands: [sleep]
  plans:
    - name: put-prices-back
      title: Put the old prices back
      params: [{name: change, from: suspect, required: true}, {name: stores, from: store}]
      steps: [{name: put them back, command: {argv: [sleep, '2']}}]
gate:
  approvals: {high: {need: 1, from: [Zhao, admin]}}
  reviews: [{risk: [high], need: [code]}]
  red_lines: [{name: too much at once, changing: 0.9}]
  policies:
    - {name: flag-has-owner, kinds: [flag], expr: '!("owner" in change.labels)', message: name the owner}
`;

/** Calls the API as somebody. */
function as(server, name, method, path, body) {
  const other = Object.assign(Object.create(Server.prototype), server, { token: tokens[name].token });
  return other.call(method, path, body);
}

/** A page on which somebody has signed in. */
async function signedIn(browser, server, name, size = 'desktop', lang = 'en') {
  // That a socket fails before the sign-in is what a stranger gets.
  const page = await open(browser, size, lang, problems, /WebSocket connection to .* failed/);
  await page.goto(server.base, { waitUntil: 'domcontentloaded' });
  await page.locator('input[type=password], input').first().fill(tokens[name].token);
  await page.keyboard.press('Enter');
  check(await seen(page.locator('.chip.live')), `${name} (${size}, ${lang}): signed in`);
  return page;
}

async function visit(page, server, path) {
  await page.goto(server.base + path, { waitUntil: 'domcontentloaded' });
  await page.locator('main h1').first().waitFor({ timeout: 15_000 });
}

const dialog = (page) => page.getByRole('dialog');
const row = (page, id) => page.locator('main tr', { hasText: id });

/** Approving, from the list of what is held; and never what is one's own. */
async function approving(server, page) {
  const risky = {
    kind: 'release',
    title: 'till 9.2',
    service: 'till',
    version: '9.2',
    risk: 'high',
    author: 'Wang',
    rollback: 'put the old one back',
    stages: [
      { name: 'ring 1', scope: { store: ['SH-1'] } },
      { name: 'ring 2', scope: { store: ['SH-2', 'BJ-1'] } },
    ],
  };
  const { id } = await as(server, 'builder', 'POST', '/changes', risky);
  const own = await as(server, 'Zhao', 'POST', '/changes', { ...risky, title: 'of Zhao', author: 'Zhao' });
  await visit(page, server, '/changes');
  const held = page.getByRole('region', { name: 'Held at the gate' });
  check(await seen(held.getByText('till 9.2')), 'held: the list shows what waits');
  await auditWith(page, 'held', check, problems);
  await shoot(page, 'gate-held');
  await held.getByRole('button', { name: `Approve… ${id}` }).click();
  await auditWith(page, 'approve dialog', check, problems);
  await dialog(page).getByLabel('What did you look at?').fill('the diff and the tests');
  await shoot(page, 'gate-approve');
  await dialog(page).getByRole('button', { name: 'Approve', exact: true }).click();
  check(await gone(dialog(page)), 'approve: the dialog goes');
  const standing = await as(server, 'Zhao', 'GET', `/changes/${id}/gate`);
  check(
    standing.counting.join() === 'Zhao' && standing.approvals[0].note === 'the diff and the tests',
    'approve: the server has it',
  );
  check(
    (await held.getByRole('button', { name: `Approve… ${own.id}` }).count()) === 0,
    'approve: nobody gets a button for what is their own',
  );
  await visit(page, server, `/changes/${own.id}`);
  check(
    await seen(page.getByText('You cannot approve it: nobody approves their own change')),
    'approve: the change says why not',
  );
  return id;
}

/** Evidence that is missing, given on the change's page; then the gate lets it out. */
async function evidence(server, page, id) {
  await visit(page, server, `/changes/${id}`);
  const panel = page.getByRole('region', { name: 'At the gate' });
  check(await seen(panel.getByText('It may not go out.')), 'evidence: without it nothing goes out');
  check(await seen(panel.getByText('the diff and the tests')), 'evidence: the approval stands there with its note');
  await panel.getByRole('button', { name: 'Evidence…' }).click();
  await dialog(page).getByLabel('code').fill('https://git.example.com/till/1');
  await auditWith(page, 'evidence dialog', check, problems);
  await dialog(page).getByRole('button', { name: 'Save' }).click();
  check(await seen(panel.getByText('It may go out now.')), 'evidence: with it the gate opens');
  await shoot(page, 'gate-standing');
}

/** A rollout store by store, as it moves. */
async function matrix(server, page, id) {
  const move = (event, stage) => as(server, 'builder', 'POST', `/changes/${id}/events`, { event, stage });
  const counted = async (state) => page.locator(`svg g.${state}`).count();
  const comes = (state, n, what) =>
    until(what, async () => (await counted(state)) === n, 10_000).then(
      () => check(true, `matrix: ${what}`),
      () => check(false, `matrix: ${what}`),
    );
  await comes('waiting', 3, 'three stores wait');
  await move('stage_started', 1);
  await comes('in_progress', 1, 'one is going out');
  await move('stage_finished', 1);
  await move('stage_started', 2);
  await move('stage_finished', 2);
  await comes('done', 3, 'three are out');
  await shoot(page, 'gate-matrix');
  await as(server, 'builder', 'POST', `/changes/${id}/events`, { event: 'rollback', stage: 2 });
  await comes('rolled_back', 2, 'the second ring alone is rolled back');
  await page.getByText('As a table').click();
  const table = page.getByRole('table', { name: 'Store by store' });
  const texts = await table.locator('tbody tr').allInnerTexts();
  check(
    texts.filter((x) => /rolled back/.test(x)).length === 2 && texts.some((x) => /SH-1/.test(x)),
    'matrix: the table says the same',
  );
  await auditWith(page, 'matrix', check, problems);
}

/** A rollout is paused, resumed, and taken back: a ring by its plan, the rest by a person; who may not is told why. */
async function steering(browser, server, page) {
  const asBuilder = (id, event, stage) => as(server, 'builder', 'POST', `/changes/${id}/events`, { event, stage });
  const { id } = await as(server, 'builder', 'POST', '/changes', {
    kind: 'price',
    title: 'autumn prices',
    rollback: 'put-prices-back',
    stages: [{ scope: { store: ['SH-1'] } }, { scope: { store: ['SH-2', 'BJ-1'] } }, { scope: { store: ['BJ-2'] } }],
  });
  const now = () => as(server, 'Zhao', 'GET', `/changes/${id}`);
  for (const stage of [1, 2]) for (const e of ['stage_started', 'stage_finished']) await asBuilder(id, e, stage);
  const panel = page.getByRole('region', { name: 'Steer it' });
  await visit(page, server, `/changes/${id}`);
  await panel.getByRole('button', { name: 'Pause…' }).click();
  await dialog(page).getByLabel('Why?').fill('the till shows old prices');
  await dialog(page).getByRole('button', { name: 'Pause', exact: true }).click();
  check(await seen(panel.getByRole('button', { name: 'Resume…' })), 'steer: paused, it can be resumed');
  check((await now()).paused_for === 'the till shows old prices', 'steer: the server has it with its reason');
  await panel.getByRole('button', { name: 'Resume…' }).click();
  check(await seen(dialog(page).getByText('the till shows old prices')), 'steer: resuming says why it is paused');
  await dialog(page).getByLabel('Why?').fill('it was the cache');
  await dialog(page).getByRole('button', { name: 'Resume', exact: true }).click();
  check(await seen(panel.getByRole('button', { name: 'Pause…' })), 'steer: resumed');
  await auditWith(page, 'steer', check, problems);
  await shoot(page, 'gate-steer');

  await panel.getByRole('button', { name: 'Roll back ring 2…' }).click();
  check(await seen(dialog(page).getByText(/SH-2 徐家汇店/)), 'steer: it says which stores');
  check((await dialog(page).getByText(/SH-1/).count()) === 0, 'steer: and no others');
  check(
    await seen(dialog(page).getByText('by the plan put-prices-back, which is run now')),
    'steer: and by which plan',
  );
  check(await seen(dialog(page).getByText(/sleep/)), 'steer: and what that does');
  const hold = dialog(page).getByRole('button', { name: /Hold to run/ });
  check(await hold.isDisabled(), 'steer: nothing runs without a reason');
  await dialog(page).getByLabel('Why?').fill('wrong prices in SH-2');
  await auditWith(page, 'rollback dialog', check, problems);
  await shoot(page, 'gate-rollback');
  await hold.hover();
  await page.mouse.down();
  await page.waitForTimeout(1900);
  await page.mouse.up();
  check(await seen(panel.getByRole('heading', { name: 'Rollback' })), 'steer: its progress is shown');
  check((await now()).status === 'paused', 'steer: the change is held meanwhile');
  await shoot(page, 'gate-rolling');
  check(await seen(panel.getByText(/it is recorded as rolled back/), 20_000), 'steer: the plan went through');
  const after = await now();
  check(
    !!after.stages[1].rolled_back_at && !after.stages[0].rolled_back_at && after.status === 'paused',
    'steer: that ring alone is rolled back, the rest held',
  );
  const [run] = (await as(server, 'Zhao', 'GET', '/runs?plan=put-prices-back')).items;
  check(
    run.params.change === id && run.params.stores === 'SH-2,BJ-1',
    'steer: the plan was given the change and the stores',
  );
  await auditWith(page, 'rolled back', check, problems);
  await shoot(page, 'gate-rolled-back');

  const viewer = await signedIn(browser, server, 'Sun');
  await visit(viewer, server, `/changes/${id}`);
  check(
    await seen(viewer.getByText('You may not pause it or roll it back: this takes the role responder.')),
    'steer: a viewer is told why not',
  );
  check(
    (await viewer.getByRole('button', { name: /Roll back|Pause|Resume/ }).count()) === 0,
    'steer: and has no buttons',
  );
  await viewer.context().close();

  const zh = await signedIn(browser, server, 'Zhao', 'phone', 'zh');
  await visit(zh, server, `/changes/${id}`);
  await zh.getByRole('button', { name: '全部回滚…' }).click();
  await dialog(zh)
    .getByLabel(/由人工回滚/)
    .check();
  await dialog(zh).getByLabel('原因').fill('人工已恢复旧价格');
  await auditWith(zh, 'rollback dialog phone zh', check, problems);
  await shoot(zh, 'gate-rollback-phone-zh');
  await dialog(zh).getByRole('button', { name: '登记为已回滚' }).click();
  check(await gone(dialog(zh)), 'steer: what a person took back is recorded');
  check((await now()).status === 'rolled_back', 'steer: and the change with it');
  check(await gone(zh.getByRole('button', { name: '全部回滚…' })), 'steer: nothing is left to do');
  await shoot(zh, 'gate-steer-phone-zh');
  await zh.context().close();
  return id;
}

/** A broken glass: asked for with a reason, counted down, and reviewed by somebody else. */
async function override(server, page, other) {
  const { id } = await as(server, 'builder', 'POST', '/changes', {
    kind: 'flag',
    title: 'flag: basket',
    service: 'shelf',
  });
  const before = await as(server, 'builder', 'POST', '/gate/check', { change_id: id });
  check(before.decision === 'deny', 'override: the policy denies it before');
  await visit(page, server, `/changes/${id}`);
  await page.getByRole('button', { name: `Break the glass… ${id}` }).click();
  const button = dialog(page).getByRole('button', { name: 'Break the glass', exact: true });
  await button.click();
  check(
    ((await as(server, 'Zhao', 'GET', '/gate/overrides')).items ?? []).length === 0,
    'override: none without a reason',
  );
  await dialog(page).getByLabel('Reason').fill('the basket cannot be emptied');
  await dialog(page).getByLabel('For how long').selectOption('10m');
  await auditWith(page, 'override dialog', check, problems);
  await shoot(page, 'gate-override');
  await button.click();
  check(await gone(dialog(page)), 'override: the dialog goes');
  check(await seen(page.getByText('It may go out now.')), 'override: the gate is open for it');
  const [made] = (await as(server, 'Zhao', 'GET', '/gate/overrides')).items;
  check(made.change_id === id && made.person === 'Zhao' && made.duration === '10m', 'override: the server has it');
  const after = await as(server, 'builder', 'POST', '/gate/check', { change_id: id });
  check(after.decision === 'allow', 'override: and the CI is let out');
  await visit(page, server, '/changes/gate/overrides');
  check(await seen(row(page, made.id).getByText(/\d+:\d\d left/)), 'override: its time runs down in the list');
  check(
    (await page.getByRole('button', { name: `Review… ${made.id}` }).count()) === 0,
    'override: its own person cannot review it',
  );
  await visit(other, server, '/changes/gate/overrides?state=open');
  await other.getByRole('button', { name: `Review… ${made.id}` }).click();
  await dialog(other).getByLabel('What was found').fill('flags get their owner from the repository now');
  await auditWith(other, 'review dialog', check, problems);
  await dialog(other).getByRole('button', { name: 'Close the review' }).click();
  check(await seen(other.getByText('Nobody has broken the glass.')), 'override: nothing is left to review');
  const [closed] = (await as(server, 'Zhao', 'GET', '/gate/overrides')).items;
  check(closed.follow_up.closed_by === 'Qian', 'override: reviewed by somebody else');
}

/** Policies with their hits, a dry run over the past, red lines. */
async function rules(server, page) {
  await visit(page, server, '/changes/gate/rules');
  const policy = row(page, 'flag-has-owner');
  check(await seen(policy), 'rules: the policy is listed');
  check(Number(await policy.locator('td.num').innerText()) >= 1, 'rules: with how often it held');
  check(await seen(row(page, 'too much at once').getByText('not crossed')), 'rules: the red line with its state');
  await page.getByRole('button', { name: 'Dry run… flag-has-owner' }).click();
  await dialog(page).getByLabel('Condition').fill('change.tier == "T0"');
  await dialog(page).getByLabel('Kind').selectOption('');
  await dialog(page).getByRole('button', { name: 'Run dry' }).click();
  check(
    await seen(dialog(page).getByText(/It would have stopped 1 of \d+ changes, of which 0 caused incidents/)),
    'dry run: says what it would have stopped',
  );
  await auditWith(page, 'dry run', check, problems);
  await shoot(page, 'gate-trial');
  await dialog(page).getByLabel('Condition').fill('change.teir == "T0"');
  await dialog(page).getByRole('button', { name: 'Run dry' }).click();
  check(
    await seen(
      dialog(page)
        .getByRole('alert')
        .getByText(/undefined field/),
    ),
    'dry run: a misspelt field is named',
  );
  await dialog(page).getByRole('button', { name: 'Close' }).click();
}

/** The gate's own maintenance: an admin's, seen by all, and ended. */
async function maintenance(server, page, admin) {
  check((await page.getByRole('button', { name: 'Maintenance…' }).count()) === 0, 'maintenance: not a commander’s');
  await visit(admin, server, '/changes/gate/rules');
  await admin.getByRole('button', { name: 'Maintenance…' }).click();
  await dialog(admin).getByLabel('Reason').fill('the database moves');
  await dialog(admin).getByRole('button', { name: 'Start' }).click();
  const banner = (p) => p.getByText('The gate is under maintenance and lets nothing out');
  check(await seen(banner(admin)), 'maintenance: a banner says so');
  check(await seen(banner(page)), 'maintenance: to others as well, without a reload');
  await auditWith(admin, 'maintenance', check, problems);
  await shoot(admin, 'gate-maintenance');
  await admin.getByRole('button', { name: 'End maintenance' }).click();
  check(await gone(banner(admin)), 'maintenance: ended, the banner goes');
}

/** Each page in both languages and two sizes: it loads, it fits, it keeps nobody out, and Chinese is Chinese. */
async function everywhere(browser, server, change) {
  for (const [size, lang] of [
    ['desktop', 'zh'],
    ['phone', 'en'],
    ['phone', 'zh'],
  ]) {
    const page = await signedIn(browser, server, 'Zhao', size, lang);
    for (const path of ['', '/gate/freezes', '/gate/overrides', '/gate/rules', '/gate/hygiene', `/${change}`]) {
      await visit(page, server, `/changes${path}`);
      await page.waitForLoadState('networkidle').catch(() => {});
      check(
        (await page.locator('main .error').count()) === 0,
        `/changes${path} ${size} ${lang}: loads without an error`,
      );
      const wide = await page.evaluate(() => document.getElementById('main').scrollWidth > innerWidth + 1);
      check(!wide, `/changes${path} ${size} ${lang}: nothing sticks out sideways`);
      await auditWith(page, `/changes${path} ${size} ${lang}`, check, problems);
      await shoot(page, `gate-${size}-${lang}${path.replaceAll('/', '-')}`);
    }
    if (lang === 'zh') {
      await visit(page, server, '/changes/gate/hygiene');
      const said = await page.locator('main').innerText();
      check(/没有写明如何回滚/.test(said) && !/named a way back/.test(said), `${size}: hygiene speaks Chinese`);
    }
    await page.context().close();
  }
}

mkdirSync(out, { recursive: true });
const dir = mkdtempSync(join(tmpdir(), 'goc-gate-'));
const at = `127.0.0.1:${port}`;
writeFileSync(
  join(dir, 'tokens'),
  Object.entries(tokens)
    .map(([n, x]) => `${n} ${x.role} ${x.token}\n`)
    .join(''),
  { mode: 0o600 },
);
writeFileSync(join(dir, 'goc.yaml'), config(at, dir));
const server = new Server(binary, ['serve', '--config', join(dir, 'goc.yaml')], `http://${at}`);
const browser = await launch();
try {
  await server.start();
  const page = await signedIn(browser, server, 'Zhao');
  const other = await signedIn(browser, server, 'Qian');
  const admin = await signedIn(browser, server, 'root');
  const id = await approving(server, page);
  await evidence(server, page, id);
  await matrix(server, page, id);
  await steering(browser, server, page);
  await override(server, page, other);
  await rules(server, page);
  await maintenance(server, page, admin);
  await visit(page, server, '/changes/gate/hygiene');
  check(await seen(page.getByText(/named a way back/)), 'hygiene: says what is so, and what to change');
  await shoot(page, 'gate-hygiene');
  await everywhere(browser, server, id);
} catch (e) {
  problems.push(String(e.stack ?? e));
} finally {
  await browser.close();
  await server.end();
  rmSync(dir, { recursive: true, force: true });
}
const report = [...found, ...problems.map((p) => `PROBLEM ${p}`)].join('\n') + '\n';
writeFileSync(`${out}/gate.txt`, report);
process.stdout.write(report);
process.exit(problems.length > 0 ? 1 : 0);
