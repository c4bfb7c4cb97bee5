import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Problem } from '../src/core/api';
import { eventText, loadScreens, sentenceText } from '../src/core/i18n';
import type { Incident } from '../src/core/types';
import Alerts from '../src/parts/war/Alerts.svelte';
import Gist from '../src/parts/war/Gist.svelte';
import Signs from '../src/parts/war/Signs.svelte';
import Tasks from '../src/parts/war/Tasks.svelte';
import Updates from '../src/parts/war/Updates.svelte';
import { prefs, store, tick } from '../src/state/app.svelte';
import { incident } from './fixtures';

beforeAll(async () => {
  await loadScreens('en');
  await loadScreens('zh');
});
beforeEach(() => {
  vi.spyOn(store, 'resync').mockReturnValue();
  prefs.lang = 'en';
  tick.now = Date.parse('2026-11-20T06:05:00Z');
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

const words = (selector: string) => document.querySelector(selector)?.textContent?.replace(/\s+/g, ' ').trim();
const off = {
  indicator: 'success_ratio',
  service: 'checkout',
  where: '37 stores',
  value: 0.971,
  normal: 0.991,
  state: 'off' as const,
  since: '2026-11-20T06:03:00Z',
  text: '',
};

describe('the one line', () => {
  it('reads as the design has it', () => {
    render(Gist, { incident: incident({ signs: [off] }) });
    expect(words('.gist')).toBe(
      'Success ratio of checkout in 37 stores fell from 99.1% to 97.1%; 42 orders a minute fewer than normal. ' +
        'CHG-7731 payment-gateway 2.14.0 (81%): it reached 2 of the 2 affected stores and 0 of the 8 others; ' +
        'its stage 1 started 2m04s before the onset',
    );
  });

  it('reads in Chinese', () => {
    prefs.lang = 'zh';
    render(Gist, { incident: incident({ signs: [off] }) });
    expect(words('.gist')).toMatch(/^37 家门店的 checkout 成功率从 99\.1% 降到 97\.1%；每分钟比平时少 42 单。/);
  });

  it('says how much is affected where no indicator speaks, and that nothing is suspected', () => {
    render(Gist, { incident: incident({ signs: null, suspects: [], no_change: 0 }) });
    expect(words('.gist')).toMatch(/^Affected: 2 stores, 12 complaints.*No suspect yet\.$/);
  });
});

describe('the recovery', () => {
  it('says how many are back, and for how long each is as it is', () => {
    render(Signs, { incident: incident({ signs: [off, { ...off, service: 'cart', state: 'back' }] }) });
    expect(words('.sum')).toMatch(/^1 of 2 back to normal/);
    expect([...document.querySelectorAll('tr.off td')].map((c) => c.textContent?.replace(/\s+/g, ' ').trim())).toEqual([
      '▼ off 2m',
      'checkout success ratio 37 stores',
      '97.1% normal 99.1%',
      '98%',
    ]);
  });
});

const withTasks = () =>
  incident({
    tasks: [
      {
        id: 1,
        kind: 'task',
        title: 'call the bank',
        due_at: '2026-11-20T06:02:00Z',
        created_at: null,
        created_by: 'ann',
        done_at: null,
        reminders: 1,
      },
    ],
  });

describe('tasks', () => {
  it('say what is overdue and since when', () => {
    render(Tasks, { incident: withTasks() });
    expect(words('li.late .when')).toBe('▲ overdue by 3m · reminders: 1');
  });

  it('are done at once on the screen, with what the server is to hear', async () => {
    const act = vi.spyOn(store, 'act').mockResolvedValue(true);
    render(Tasks, { incident: withTasks() });
    await fireEvent.click(screen.getByRole('checkbox', { name: 'call the bank' }));
    const [id, verb, body, , patch] = act.mock.calls[0]!;
    expect([id, verb, body]).toEqual(['INC-42', 'tasks/1', { done: true }]);
    expect(patch!.tasks![0]!.done_at).toBe('2026-11-20T06:05:00.000Z');
  });

  it('come back into the field when the server refuses one', async () => {
    vi.spyOn(store, 'act').mockResolvedValue(false);
    render(Tasks, { incident: withTasks() });
    const field = screen.getByLabelText<HTMLInputElement>('What is to be done');
    await fireEvent.input(field, { target: { value: 'look at the logs' } });
    await fireEvent.click(screen.getByRole('button', { name: 'Add' }));
    await waitFor(() => expect(field.value).toBe('look at the logs'));
  });
});

describe('an update', () => {
  it('begins from the draft, and another language does not overwrite what was written', async () => {
    vi.spyOn(store.api, 'get').mockImplementation((path) =>
      Promise.resolve({ text: path.endsWith('zh') ? '草稿' : 'draft', due_at: null } as never),
    );
    const act = vi.spyOn(store, 'act').mockResolvedValue(true);
    render(Updates, { incident: incident({ update_due_at: '2026-11-20T06:04:00Z' }) });
    expect(words('.due')).toBe('overdue by 1m');
    await fireEvent.click(screen.getByRole('button', { name: /Write/ }));
    const text = screen.getByLabelText<HTMLTextAreaElement>('Text of the update');
    await waitFor(() => expect(text.value).toBe('draft'));
    await fireEvent.click(screen.getByRole('button', { name: '中文' }));
    await waitFor(() => expect(text.value).toBe('草稿'));
    await fireEvent.input(text, { target: { value: 'my own words' } });
    await fireEvent.click(screen.getByRole('button', { name: 'English' }));
    await waitFor(() => expect(screen.getByRole('button', { name: 'Back to the draft' })).toBeTruthy());
    expect(text.value).toBe('my own words');
    await fireEvent.click(screen.getByRole('button', { name: 'Post' }));
    expect(act.mock.calls[0]!.slice(0, 3)).toEqual(['INC-42', 'updates', { text: 'my own words' }]);
  });

  it('can be written without a draft', async () => {
    vi.spyOn(store.api, 'get').mockRejectedValue(new Problem(503, 'not ready', '', 'try again'));
    render(Updates, { incident: incident() });
    await fireEvent.click(screen.getByRole('button', { name: /Write/ }));
    expect((await screen.findByRole('status')).textContent).toMatch(/no draft \(not ready \(try again\)\)/);
  });
});

describe('alerts', () => {
  const alert = (fingerprint: string, by = '') => ({
    fingerprint,
    status: 'firing' as const,
    labels: { alertname: 'Low' },
    annotations: { summary: `it fails at ${fingerprint}` },
    starts_at: null,
    ends_at: null,
    reason: 'it is the same store',
    inhibited_by: by,
  });
  const many = () => incident({ alerts: [alert('a'), alert('b', 'a'), alert('c')], alerts_total: 214 });

  it('say how many there are, why each belongs, and which are explained', () => {
    render(Alerts, { incident: many() });
    expect(words('.sum')).toBe('Alerts taken in: 214 3 firing; 1 explained by another; the latest 3 are listed');
    expect(screen.getAllByText('it is the same store')).toHaveLength(3);
    expect(words('summary')).toBe('1 explained by it');
  });

  it('go with what they explain into a new incident, and the server says which', async () => {
    const post = vi.spyOn(store.api, 'post').mockResolvedValue({ id: 'INC-43' } as Incident);
    render(Alerts, { incident: many() });
    await fireEvent.click(screen.getByRole('checkbox', { name: 'Choose: it fails at a' }));
    await fireEvent.click(screen.getByRole('button', { name: /Split off/ }));
    await fireEvent.click(screen.getByRole('button', { name: 'Split' }));
    expect(post).toHaveBeenCalledWith('/incidents/INC-42/split', { alerts: ['a', 'b'], title: undefined });
    expect((await screen.findByRole('link', { name: 'Go to INC-43' })).getAttribute('href')).toBe('/i/INC-43');
  });

  it('stay chosen when the server refuses', async () => {
    vi.spyOn(store.api, 'post').mockRejectedValue(new Problem(409, 'Conflict'));
    const notify = vi.spyOn(store, 'notify');
    render(Alerts, { incident: many() });
    await fireEvent.click(screen.getByRole('checkbox', { name: 'Choose: it fails at c' }));
    await fireEvent.click(screen.getByRole('button', { name: 'Not this incident' }));
    await waitFor(() => expect(notify).toHaveBeenCalledWith('error', 'Not this incident failed: Conflict'));
    expect(screen.getByText('1 chosen')).toBeTruthy();
  });
});

describe('people’s work in Chinese', () => {
  const line = (name: string, data: object, text = '') =>
    eventText('zh', { name: `incident.${name}`, actor: 'ann', subject: 'INC-1', text, data: data as never });

  it.each([
    ['task_added', { task: 3, task_kind: 'task', task_title: '打电话', owner: 'bob' }, '', '新增任务 3：打电话（bob）'],
    [
      'task_changed',
      { task: 3, task_kind: 'action_item', task_title: 'x' },
      'action item 3 given to bob, done: x (bob)',
      '改进项 3 交给 bob，完成：x',
    ],
    ['cause_named', { cause: 'a cable', change_id: 'CHG-1' }, '', 'ann 指明原因：a cable（CHG-1）'],
    ['update_posted', { update: 2, update_text: 'all well' }, '', '第 2 次对外通报：all well'],
    [
      'split',
      { from: 'INC-1', into: 'INC-2', count: 3, reason: 'ann says that they have another cause' },
      '',
      'ann 把 3 条告警拆到 INC-2：ann 判断它们另有原因',
    ],
    [
      'alert_added',
      { alert: 'Low', count: 9, alerts: [{ alert: 'Low', summary: 'SH-001 takes 0 orders per minute' }] },
      '',
      '告警并入 9 条：SH-001 每分钟 0 单 等',
    ],
    ['signs_changed', { what: 'back', firing: 2, signs: [] }, '', '指标已回到平时，仍有 2 条告警触发'],
  ])('%s', (name, data, text, said) => {
    expect(line(name, data, text)).toBe(said);
  });

  it.each([
    [
      'success_ratio of checkout in 2 stores is back at 100.0 %, normal 100.0 %',
      '2 stores checkout 成功率已回到 100.0 %（平时 100.0 %）',
    ],
    ['latency_seconds of checkout is 98 ms, normal 36 ms', 'checkout 延迟 98 ms（平时 36 ms）'],
    ['merged from INC-2: it is the same service, checkout', '自 INC-2 并入：同一个服务 checkout'],
    [
      'it opened the incident: INC-1 had recovered 2m before it began',
      '它开启了这个故障：它开始之前 2m，INC-1 已经恢复',
    ],
  ])('%s', (text, said) => {
    expect(sentenceText('zh', text)).toBe(said);
  });
});
