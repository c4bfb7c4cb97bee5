import { beforeAll, describe, expect, it } from 'vitest';
import {
  asks,
  breakable,
  holding,
  left,
  reviewOf,
  sameName,
  timesIn,
  wantsApproval,
  type Standing,
} from '../src/core/gate';
import { loadScreens, sentenceText } from '../src/core/i18n';
import { parseRoute } from '../src/core/router';
import type { Change, Reason } from '../src/core/types';

beforeAll(() => loadScreens('zh'));

const reason = (rule: string, effect: string, override: string | null = 'commander'): Reason => ({
  rule,
  effect,
  message: '',
  override,
});
const standing = (...reasons: Reason[]) => ({ reasons }) as Standing;

describe('how a change stands', () => {
  it('lists what holds it back, the denials first', () => {
    const held = holding([reason('approval', 'wait'), reason('stage', 'allow'), reason('freeze', 'deny')]);
    expect(held.map((r) => r.rule)).toEqual(['freeze', 'approval']);
  });

  it('wants an approval only while one is missing', () => {
    expect(wantsApproval(standing(reason('approval', 'wait')))).toBe(true);
    expect(wantsApproval(standing(reason('approval', 'allow')))).toBe(false);
  });

  it('offers to break the glass where that opens something', () => {
    expect(breakable(standing(reason('freeze', 'deny')))).toBe(true);
    expect(breakable(standing(reason('red_line', 'deny', null)))).toBe(false);
    expect(breakable(standing(reason('stage', 'allow', null)))).toBe(false);
  });

  it('is asked about until it is over or wholly out', () => {
    const change = (status: string, ...started: (string | null)[]) =>
      ({ status, stages: started.map((started_at) => ({ started_at })) }) as Change;
    expect(asks(change('planned'))).toBe(true);
    expect(asks(change('started', 'x', null))).toBe(true);
    expect(asks(change('started', 'x', 'x'))).toBe(false);
    expect(asks(change('started'))).toBe(false);
    expect(asks(change('finished', null))).toBe(false);
  });

  it('knows a person by any capitals, and nobody by no name', () => {
    expect(sameName('Zhao ', 'zhao')).toBe(true);
    expect(sameName('', '')).toBe(false);
  });
});

describe('a broken glass', () => {
  const at = Date.parse('2026-11-20T10:00:00Z');
  const o = {
    id: 'OVR-1',
    change_id: 'CHG-1',
    person: 'Li',
    reason: 'r',
    created_at: '2026-11-20T09:50:00Z',
    expires_at: '2026-11-20T10:00:30Z',
    follow_up: { due: '2026-11-20T11:00:00Z', closed_at: null } as { due: string; closed_at: string | null },
  };

  it('is in force for so long, and then no longer', () => {
    expect(left(o, at)).toBe(30_000);
    expect(left(o, at + 60_000)).toBe(0);
  });

  it('leaves a review that is open, overdue, done, or not asked for', () => {
    expect(reviewOf(o, at)).toBe('open');
    expect(reviewOf(o, at + 7_200_000)).toBe('overdue');
    expect(reviewOf({ ...o, follow_up: { ...o.follow_up, closed_at: '2026-11-20T10:30:00Z' } }, at)).toBe('done');
    expect(reviewOf({ ...o, follow_up: undefined }, at)).toBe('none');
  });
});

it("a reason's times are those of the viewer", () => {
  expect(timesIn('until 2026-11-20T10:00:00.000Z (12s more)', () => '18:00')).toBe('until 18:00 (12s more)');
});

it('the sections of the gate have addresses of their own, and ids keep theirs', () => {
  const route = (path: string) => parseRoute(new URL('http://x' + path)).params;
  expect(route('/changes/gate/rules')).toEqual({ tab: 'rules' });
  expect(route('/changes/CHG-7')).toEqual({ id: 'CHG-7' });
});

describe("the gate's sentences in Chinese", () => {
  it.each([
    [
      'freeze FRZ-1 (lunch) holds until 2026-11-20T05:00:00.000Z; a rollout under way may finish: double eleven',
      /FRZ-1（lunch）.*可以完成：double/,
    ],
    ['freeze FRZ-1 (11.11) holds until 2026-11-20T05:00:00.000Z', /封网 FRZ-1/],
    [
      'INC-4 (P2, cart in SH-001 succeeds in 50% of calls, normal 100%) is open in this scope',
      /INC-4（P2）.*SH-001 的 cart 成功率 50%/,
    ],
    ['CHG-1 (cart 1.2) of bot is under way in service cart until it has finished', /CHG-1.*服务 cart.*完成/],
    [
      'CHG-1 (cart 1.2) of bot is under way in SH-001 until its bake ends at 2026-11-20T05:00:00.000Z',
      /SH-001.*2026-11-20T05/,
    ],
    [
      'CHG-1 (cart 1.2) of bot is under way in every store until its bake ends at 2026-11-20T05:00:00.000Z',
      /全部门店.*2026-11-20T05/,
    ],
    [
      '9 of the 10 stores of the chain would be under change at once, 4 of them by this change, and 70 % is the most; wait until others have finished',
      /10 家.*9 家.*4 家.*70 %/,
    ],
    [
      '2 of the 2 stores of 上海 would be under change at once, 1 of them by this change, and 50 % is the most; go out in smaller stages',
      /上海.*更小的批次/,
    ],
    ['evidence is missing of code, test; give a link for each under reviews', /code, test/],
    ['0 of 1 approvals; someone other than Wang must approve', /0\/1.*Wang/],
    ['0 of 2 approvals; someone other than Wang of dba, admin must approve', /0\/2.*dba, admin/],
    ['stage 1 bakes until 2026-11-20T05:00:00.000Z (12s more)', /第 1 阶段.*12s/],
    ['99.5 % of the error budget of pay is left, burning 0.3 times as fast as it may', /pay.*99\.5 %.*0\.3/],
    [
      'red line orders is crossed since 2026-11-20T05:00:00.000Z: success_ratio of shop was 0.4 over the last 1m, under the limit of 0.5; nothing goes out until it is over',
      /红线 orders.*shop 成功率近 1m 为 0.4，限值 0.5/,
    ],
    [
      'the gate is under maintenance until 2026-11-20T05:00:00.000Z and lets nothing out: it moves',
      /门禁维护.*it moves/,
    ],
    ['policy flags held in no decision of the last 30 days', /flags 近 30 天/],
    [
      'freeze sale held nothing back in the last 1h; it closes next, or is closed, at 2026-11-20T05:00:00.000Z',
      /sale 近 1h/,
    ],
    ['none of the 3 changes of shelf in the last 30 days named a way back', /shelf 近 30 天 的 3/],
    ['Li gave all of 5 approvals within 8s of the change being recorded', /Li.*5.*8s/],
    [
      'Li broke the glass for CHG-3 (it must); the review by somebody else is due by 2026-11-20T05:00:00.000Z',
      /Li.*CHG-3.*复核/,
    ],
    ['nobody approves their own change', /自己的变更/],
  ])('%s', (text, said) => {
    expect(sentenceText('zh', text)).toMatch(said);
    expect(sentenceText('zh', text)).not.toMatch(/\b(is|the|until|would|last|under)\b/);
  });
});
