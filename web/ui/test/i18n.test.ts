import { beforeAll, describe, expect, it } from 'vitest';
import { en as firstEn } from '../src/core/i18n/en';
import { enScreens } from '../src/core/i18n/en-screens';
import { zh as firstZh } from '../src/core/i18n/zh/dictionary';
import { zhFleet } from '../src/core/i18n/zh/zh-fleet';
import { zhRollout } from '../src/core/i18n/zh/zh-rollout';
import { zhScreens } from '../src/core/i18n/zh/zh-screens';
import {
  eventText,
  evidenceText,
  fill,
  loadScreens,
  preferred,
  say,
  sayWord,
  sentenceText,
  signed,
} from '../src/core/i18n';
import { suspect } from './fixtures';

beforeAll(async () => {
  await loadScreens('en', 'fleet');
  await loadScreens('zh');
});

const en = { ...firstEn, ...enScreens };
const zh = { ...firstZh, ...zhScreens, ...zhFleet, ...zhRollout };

const places = (s: string) => [...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();
const han = /\p{Script=Han}/u;

describe('the dictionaries', () => {
  it('have the same keys', () => {
    expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
  });

  it('have the same places in each sentence', () => {
    for (const key of Object.keys(en) as (keyof typeof en)[]) {
      // A Chinese sentence may need no word for who stopped a leg, but never asks for what English does not give.
      for (const p of places(zh[key])) expect(places(en[key]), key).toContain(p);
      for (const p of places(en[key])) expect(places(zh[key]), key).toContain(p);
    }
  });

  it('leave nothing empty', () => {
    for (const d of [en, zh]) for (const [key, text] of Object.entries(d)) expect(text.trim(), key).not.toBe('');
  });

  it('have Chinese in Chinese, but for names and the way back to English', () => {
    const same = Object.keys(zh).filter((k) => !han.test(zh[k as keyof typeof zh]));
    const allowed =
      /^(app\.name|severity\.|strip\.language|leg\.by|plans\.by|changes\.version|fleet\.cell|causes\.and|causes\.of|review\.metrics|gist\.)/;
    expect(same.filter((k) => !allowed.test(k))).toEqual([]);
  });

  it('use full-width punctuation between Chinese', () => {
    for (const [key, text] of Object.entries(zh)) {
      if (!/^[A-Za-z]/.test(text)) expect(text, key).not.toMatch(/(\p{Script=Han}|\})[,:;?]|\p{Script=Han}[()]/u);
    }
  });
});

describe('saying', () => {
  it('fills places and keeps those without an argument', () => {
    expect(fill('{a} of {b}', { a: 1 })).toBe('1 of {b}');
    expect(say('zh', 'impact.stores', { n: 37 })).toBe('37 家门店');
  });

  it("says an unknown word of the server's as it is", () => {
    expect(sayWord('zh', 'state', 'half_open')).toBe('half open');
  });

  it('prefers the first language of the browser that it speaks', () => {
    expect(preferred(['fr-FR', 'zh-TW', 'en'])).toBe('zh');
    expect(preferred(['de'])).toBe('en');
  });

  it('writes weights with their sign', () => {
    expect([signed(1.94), signed(-2.2), signed(0.01)]).toEqual(['+1.9', '−2.2', '0']);
  });
});

describe('evidence in Chinese', () => {
  it('is made again from term and args', () => {
    for (const e of [...suspect().reasons!, ...suspect().against!]) {
      expect(evidenceText('zh', e), e.term).toMatch(han);
      expect(evidenceText('en', e)).toBe(e.text);
    }
    expect(evidenceText('zh', suspect().reasons![0]!)).toContain('2 分 04 秒');
  });

  it("falls back to the server's text when an argument or the term is unknown", () => {
    expect(evidenceText('zh', { term: 'spatial', weight: 1, text: 'as it is', args: { hit: 2 } })).toBe('as it is');
    expect(evidenceText('zh', { term: 'tides', weight: 1, text: 'high tide', args: {} })).toBe('high tide');
    expect(evidenceText('zh', { term: 'time', weight: 1, text: 'no args' })).toBe('no args');
  });

  it('says how a service itself fares, and why a term could not be computed', () => {
    const args = { service: 'cart', caller: 'web', indicator: 'success_ratio', view: 'by web', before: 1, after: 0.5 };
    const said = (term: string, weight: number, more = {}) =>
      evidenceText('zh', { term, weight, text: 'as it is', args: { ...args, ...more } });
    expect(said('own', 1)).toMatch(/^cart 自身也变差了：成功率（调用方 web）.*100\.0%.*50\.0%/);
    expect(said('own', -1)).toMatch(/^cart 自身一切如常/);
    expect(said('deeper', -1)).toMatch(/web.*cart|cart.*web/);
    expect(said('partial', -1, { unwell: 1, units: 9 })).toMatch(/cart.*9 个.*1 个变差/);
    expect(said('spatial', 0, { computed: false, why: 'no_catalog' })).toMatch(/目录里没有门店/);
    expect(said('spatial', 0, { computed: false, why: 'new_reason' })).toBe('as it is');
  });

  it('tells apart the four ways in which services are connected', () => {
    const of = (calls: number, text = '') =>
      evidenceText('zh', { term: 'distance', weight: 0, text, args: { service: 'a', symptom: 'b', calls } });
    expect(
      new Set([
        of(0),
        of(2),
        of(-1, 'a only calls b, which shows the symptom'),
        of(-1, 'a and b do not call each other'),
      ]).size,
    ).toBe(4);
  });
});

describe('lines of the timeline in Chinese', () => {
  it('are made from the name and the data', () => {
    const line = {
      name: 'incident.suspects_ranked',
      text: 'first suspect',
      actor: 'goc',
      data: { change_id: 'CHG-1', probability: 0.81, no_change: 0.05 },
    };
    expect(eventText('zh', line)).toMatch(/CHG-1.*81%/);
    expect(eventText('en', line)).toBe('first suspect');
  });

  it('say what was done while the gate did not answer, and what freezes do', () => {
    const absence = { decision: 'allow', service: 'cart', version: '1.2', why: '--on-unavailable' };
    expect(eventText('zh', { name: 'gate.unavailable', text: 'x', data: { absence } })).toBe(
      '门禁没有应答，cart 1.2 在没有门禁的情况下放行：--on-unavailable',
    );
    expect(eventText('zh', { name: 'freeze.closed', text: 'x', data: { name: 'lunch' } })).toBe('封网开始 lunch');
    expect(eventText('zh', { name: 'gate.unavailable', text: 'x', data: {} })).toBe('x');
  });

  it('keep what a person wrote', () => {
    expect(
      eventText('zh', { name: 'incident.note_added', actor: 'ann', text: 'tills are back', data: { kind: 'note' } }),
    ).toBe('tills are back');
  });

  it("fall back to the server's text without data or for an unknown name", () => {
    expect(eventText('zh', { name: 'incident.opened', text: 'P1 opened' })).toBe('P1 opened');
    expect(eventText('zh', { name: 'moon.rose', text: 'the moon rose', data: {} })).toBe('the moon rose');
  });
});

describe('the progress of a plan in Chinese', () => {
  const line = (text: string, data: object = {}) =>
    eventText('zh', {
      name: 'incident.plan_progress',
      text,
      data: { plan: 'p', run: 'RUN-1', state: 'verifying', ...data },
    });

  it('says each step and each verification by itself, so that no two lines look doubled', () => {
    expect(line('ann started plan p (RUN-1)')).toBe('ann启动预案 p（RUN-1）');
    expect(line('plan p step 1 of 2 started', { step: 1, steps: 2 })).toBe('预案 p：第 1/2 步开始');
    expect(line('plan p step 1 of 2 done', { step: 1, steps: 2 })).toBe('预案 p：第 1/2 步完成');
    expect(line('plan p verification "orders are quick" holds')).toBe('预案 p：验证「orders are quick」通过');
    expect(line('plan p verification "a" does not hold: 3 is above 2')).toBe('预案 p：验证「a」未通过（3 is above 2）');
  });

  it('says the state where the sentence is not known', () => {
    expect(line('plan p (RUN-1) succeeded: all is well', { state: 'succeeded' })).toBe('预案 p（RUN-1）已验证');
  });
});

describe("the server's sentences in Chinese", () => {
  it.each([
    ['order-core in HZ-002 succeeds in 50.69% of calls, normal 100%', /HZ-002.*order-core.*50\.69%.*100%/],
    ['order-core in HZ-002 succeeds in 50.69% of calls, normal 100%; also in 1 other store', /50\.69%.*1 家门店/],
    ['shop-gateway takes 540.5ms, normal 131.8ms', /shop-gateway.*540\.5ms.*131\.8ms/],
    ['SH-001 takes 0 orders per minute, normal 190', /SH-001.*0 单.*190/],
    [
      '61 of 72 scanner devices of model DS 22 with firmware 2.8.1 in 上海 are offline or not well, 2 of 428 others',
      /^型号 DS 22、固件 2\.8\.1、上海 的扫码枪 72 台中 61 台离线或异常（其余 428 台中 2 台）$/,
    ],
    ['9 of 10 devices that CHG-7 went to are not well', /^变更 CHG-7 所及 的设备 10 台中 9 台异常$/],
    ['97 of 100 devices are offline', /^设备 100 台中 97 台离线$/],
    [
      'SH-001 went dark: 8 of 8 devices in SH-001 are offline, 0 of 92 others',
      /^SH-001 整店失联：SH-001 的设备 8 台中 8 台离线（其余 92 台中 0 台）$/,
    ],
    ['ST-5 went dark: 8 of 8 devices are offline', /^ST-5 整店失联：设备 8 台中 8 台离线$/],
    ['order-core is a core service, 3 stores are affected, that is 30 % of the chain', /order-core.*3 家门店.*30%/],
    ['checkout depends on order-core, which is failing (1 call away)', /checkout.*order-core.*1/],
    ['all alerts have been resolved for 8s', /8s/],
  ])('%s', (text, said) => {
    expect(sentenceText('zh', text)).toMatch(said);
    expect(sentenceText('zh', text)).toMatch(han);
    expect(sentenceText('zh', text)).not.toMatch(/\b(is|of|the|and|takes|stores?)\b/);
    expect(sentenceText('en', text)).toBe(text);
  });

  it('leave what they do not know', () => {
    expect(sentenceText('zh', 'Instance db-1 down')).toBe('Instance db-1 down');
    expect(sentenceText('zh', undefined)).toBe('');
  });
});
