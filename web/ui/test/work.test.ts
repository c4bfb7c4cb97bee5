import { describe, expect, it } from 'vitest';
import { grade, lastMonths, metShare, onBar, passRate, weeksBack } from '../src/core/clocks';
import { gist, nearness, worstSigns } from '../src/core/gist';
import { parseMarkdown, spans } from '../src/core/markdown';
import { foldAlerts, foldEntries, orderedTasks, overdue, withNewTask, withTask } from '../src/core/work';
import type { Alert, ClockGroup, Entry, Sign, Task } from '../src/core/types';
import { incident, suspect } from './fixtures';

const NOW = Date.parse('2026-11-20T06:05:00Z');

const sign = (change: Partial<Sign> = {}): Sign => ({
  indicator: 'success_ratio',
  service: 'checkout',
  value: 0.971,
  normal: 0.991,
  state: 'off',
  since: null,
  text: '',
  ...change,
});

describe('the one line', () => {
  it('takes what customers feel before what departed further', () => {
    const slow = sign({ indicator: 'latency_seconds', value: 4, normal: 0.1 });
    expect(gist(incident({ signs: [slow, sign()] })).sign?.indicator).toBe('success_ratio');
  });

  it('takes the service that the title speaks of, others being equal', () => {
    const far = sign({ service: 'cart', value: 0.1 });
    expect(gist(incident({ signs: [far, sign()] })).sign?.service).toBe('checkout');
  });

  it('speaks of what is off before what is back, and of nothing that has no samples', () => {
    const back = sign({ service: 'cart', state: 'back' });
    const slow = sign({ indicator: 'latency_seconds', value: 4, normal: 0.1 });
    expect(gist(incident({ signs: [back, slow] })).sign?.indicator).toBe('latency_seconds');
    expect(gist(incident({ signs: [sign({ state: 'unknown' })] })).sign).toBeNull();
  });

  it('gives the strongest reason that could be computed, then when it began', () => {
    const blind = { term: 'gap', weight: 9, text: 'no indicator', args: { computed: false } };
    const s = suspect();
    s.reasons = [blind, ...s.reasons!];
    const g = gist(incident({ suspects: [s] }));
    expect(g.verdict).toBe('suspect');
    expect(g.reasons.map((e) => e.term)).toEqual(['spatial', 'time']);
  });

  it('follows what people said', () => {
    const rejected = suspect({ verdict: 'rejected' });
    const cause = { text: 'a cable', at: null, by: 'ann' };
    expect(gist(incident({ suspects: [rejected], no_change: 0.9 })).verdict).toBe('none');
    expect(gist(incident({ suspects: [suspect({ verdict: 'confirmed' })] })).verdict).toBe('confirmed');
    expect(gist(incident({ cause })).verdict).toBe('named');
    expect(gist(incident({ suspects: [], no_change: 0 })).verdict).toBe('open');
  });
});

describe('signs', () => {
  it('stand in the order in which a person looks for them', () => {
    const list = [sign({ state: 'back' }), sign({ value: 0.9 }), sign({ state: 'unknown' }), sign({ value: 0.2 })];
    expect(worstSigns(list).map((s) => [s.state, s.value])).toEqual([
      ['off', 0.2],
      ['off', 0.9],
      ['unknown', 0.971],
      ['back', 0.971],
    ]);
  });

  it('are as near to normal as their value is, also where normal is nothing', () => {
    expect(nearness(sign({ value: 50, normal: 100 }))).toBe(0.5);
    expect(nearness(sign({ value: 200, normal: 100 }))).toBe(0.5);
    expect(nearness(sign({ value: 0, normal: 0 }))).toBe(1);
  });
});

const task = (id: number, change: Partial<Task> = {}): Task => ({
  id,
  kind: 'task',
  title: `task ${id}`,
  due_at: null,
  created_at: null,
  created_by: 'ann',
  done_at: null,
  ...change,
});

describe('tasks', () => {
  const late = task(2, { due_at: '2026-11-20T06:00:00Z' });
  const soon = task(3, { due_at: '2026-11-20T06:10:00Z' });
  const done = task(4, { done_at: '2026-11-20T06:01:00Z', due_at: '2026-11-20T06:00:00Z' });

  it('stand with the first due first and what is done last', () => {
    expect(orderedTasks([task(1), done, soon, late]).map((t) => t.id)).toEqual([2, 3, 1, 4]);
  });

  it('are overdue when they should have been done and are not', () => {
    expect([late, soon, done, task(1)].map((t) => overdue(t, NOW))).toEqual([true, false, false, false]);
  });

  it('change and grow without touching what the server said', () => {
    const i = incident({ tasks: [late] });
    expect(withTask(i, 2, { owner: 'bob' })[0]!.owner).toBe('bob');
    expect(withNewTask(i, task(0, { title: 'new' })).map((t) => [t.id, t.title])).toEqual([
      [2, 'task 2'],
      [3, 'new'],
    ]);
    expect(i.tasks).toEqual([late]);
  });
});

const alert = (fingerprint: string, by = '', status: Alert['status'] = 'firing'): Alert => ({
  fingerprint,
  status,
  labels: { alertname: fingerprint },
  starts_at: null,
  ends_at: null,
  inhibited_by: by,
});

describe('alerts that another explains', () => {
  const shape = (alerts: Alert[]) =>
    foldAlerts(alerts).map((f) => [f.alert.fingerprint, f.under.map((a) => a.fingerprint)]);

  it('fold under the topmost that explains them', () => {
    expect(shape([alert('a'), alert('b', 'a'), alert('c', 'b'), alert('d')])).toEqual([
      ['a', ['b', 'c']],
      ['d', []],
    ]);
  });

  it('stand by themselves when what explains them is not listed, or when they explain one another', () => {
    expect(shape([alert('b', 'gone')])).toEqual([['b', []]]);
    expect(
      shape([alert('a', 'b'), alert('b', 'a')])
        .flat(2)
        .sort(),
    ).toEqual(['a', 'b']);
  });

  it('lose none', () => {
    const many = Array.from({ length: 50 }, (_, i) =>
      alert(`f${i}`, `f${(i * 7) % 50}`, i % 3 ? 'firing' : 'resolved'),
    );
    const seen = foldAlerts(many).flatMap((f) => [f.alert, ...f.under]);
    expect(new Set(seen.map((a) => a.fingerprint)).size).toBe(50);
    expect(seen).toHaveLength(50);
  });
});

describe('a storm in the timeline', () => {
  const entry = (seq: number, name: string): Entry => ({ seq, at: null, kind: 'system', text: '', name });

  it('is one line, few in a row are not, and a person’s act ends it', () => {
    const added = (n: number, from: number) =>
      Array.from({ length: n }, (_, i) => entry(from + i, 'incident.alert_added'));
    const lines = foldEntries([...added(5, 1), entry(6, 'incident.acknowledged'), ...added(3, 7)]);
    expect(lines.map((l) => [l.entry.seq, l.more.length])).toEqual([
      [1, 4],
      [6, 0],
      [7, 0],
      [8, 0],
      [9, 0],
    ]);
  });
});

describe('Markdown', () => {
  it('reads what reports are made of', () => {
    const blocks = parseMarkdown(
      '# INC-1: it\n\nOne *line*\nand more.\n\n| leg | met |\n|---|---|\n| detect \\| it | **yes** |\n\n1. first\n   - inner\n- [x] done\n\n```\nas is\n```\n',
    );
    expect(blocks.map((b) => b.kind)).toEqual(['heading', 'paragraph', 'table', 'list', 'code']);
    expect(blocks[2]).toMatchObject({
      rows: [[[{ kind: 'text', text: 'detect | it' }], [{ kind: 'bold', text: 'yes' }]]],
    });
    expect(blocks[3]).toMatchObject({
      items: [
        { mark: '1.', depth: 0 },
        { mark: '•', depth: 1 },
        { mark: '☑', depth: 0 },
      ],
    });
  });

  it('never makes a link to anything but the web or a page of ours', () => {
    expect(spans('[a](javascript:alert(1)) [b](//evil.example) [c](/i/INC-1) [d](https://x.example)')).toEqual([
      { kind: 'text', text: 'a' },
      { kind: 'text', text: ') ' },
      { kind: 'text', text: 'b' },
      { kind: 'text', text: ' ' },
      { kind: 'link', text: 'c', href: '/i/INC-1' },
      { kind: 'text', text: ' ' },
      { kind: 'link', text: 'd', href: 'https://x.example' },
    ]);
  });

  it('gives back what was kept from being read as Markdown', () => {
    expect(spans('a \\*star\\* &lt;b> \\# success_ratio of x_y')).toEqual([
      { kind: 'text', text: 'a *star* <b> # success_ratio of x_y' },
    ]);
  });

  it('ends on any text', () => {
    for (const text of ['|', '| a', '```', '- ', '**', '[', '\\', '#', '|a|\n|-|'])
      expect(() => parseMarkdown(text)).not.toThrow();
  });
});

describe('the clock report', () => {
  const leg = { measured: 8, met: 6, never: 1, median_s: 40, p90_s: 90, worst_s: 200 };
  const group: ClockGroup = {
    key: '',
    incidents: 10,
    detect: leg,
    locate: leg,
    recover: leg,
    judged: 0,
    first_right: 0,
  };

  it('counts what was met of all incidents, those never measured included', () => {
    expect(metShare(group, leg)).toBe(0.6);
    expect(metShare({ ...group, incidents: 0 }, leg)).toBeNull();
  });

  it('grades shares and places times on a bar that ends at three times the target', () => {
    expect([null, 1, 0.9, 0.6, 0.1].map(grade)).toEqual(['none', 'good', 'good', 'fair', 'poor']);
    expect([onBar(60, 60), onBar(900, 60), onBar(5, 0)].map((x) => x.toFixed(2))).toEqual(['0.33', '1.00', '0.00']);
  });

  it('counts months in UTC across a new year, each ending where the next begins', () => {
    const months = lastMonths(Date.parse('2027-01-31T23:59:00Z'), 3);
    expect(months.map((m) => m.key)).toEqual(['2026-11', '2026-12', '2027-01']);
    expect(months[0]!.to).toBe(months[1]!.from);
    expect(months[2]!.to).toBe('2027-02-01T00:00:00.000Z');
  });

  it('makes one figure of the three legs', () => {
    expect(passRate(group)).toBe(0.6);
    expect(passRate({ ...group, incidents: 0 })).toBeNull();
  });

  it('begins at a midnight, so that its address stays the same all day', () => {
    expect(weeksBack(NOW, 1)).toBe('2026-11-14T00:00:00.000Z');
    expect(weeksBack(NOW + 3_600_000, 1)).toBe(weeksBack(NOW, 1));
  });
});
