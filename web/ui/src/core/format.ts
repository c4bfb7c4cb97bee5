import type { Scope } from './types';
import { scopeKeys } from './types';
import { millis } from './clock';
import type { Time } from './types';

export type Lang = 'en' | 'zh';

const two = (n: number) => String(n).padStart(2, '0');

/** A clock's reading: 03:34, 1:02:07 from an hour on. Negative seconds count as nought. */
export function clockText(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const h = Math.floor(s / 3600);
  const m = Math.floor(s / 60) % 60;
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${two(m)}:${two(s % 60)}`;
}

/** A length of time at a glance: 38s, 2m14s, 3h05m, 2d4h. */
export function lengthText(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s}s`;
  if (s < 3600) return s % 60 ? `${Math.floor(s / 60)}m${two(s % 60)}s` : `${s / 60}m`;
  if (s < 86400) return `${Math.floor(s / 3600)}h${two(Math.floor(s / 60) % 60)}m`;
  return `${Math.floor(s / 86400)}d${Math.floor(s / 3600) % 24}h`;
}

/** The age of a datum: tenths below ten seconds, then whole. */
export function ageText(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  return s < 60 ? `${Math.floor(s)} s` : clockText(s);
}

/** How times are shown: the zone by its IANA name. */
export class Clockface {
  readonly zone: string;
  private readonly time: Intl.DateTimeFormat;
  private readonly day: Intl.DateTimeFormat;

  constructor(utc: boolean, local = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC') {
    this.zone = utc ? 'UTC' : local;
    const base = { timeZone: this.zone, hourCycle: 'h23' } as const;
    this.time = new Intl.DateTimeFormat('en-GB', { ...base, hour: '2-digit', minute: '2-digit', second: '2-digit' });
    this.day = new Intl.DateTimeFormat('en-CA', { ...base, year: 'numeric', month: '2-digit', day: '2-digit' });
  }

  /** 14:32:07, – when there is none. */
  clock(t: Time | number | undefined): string {
    const ms = typeof t === 'number' ? t : millis(t);
    return Number.isNaN(ms) ? '–' : this.time.format(ms);
  }

  /** 14:32 */
  short(t: Time | number | undefined): string {
    return this.clock(t).slice(0, 5);
  }

  /** 2026-11-20 14:32:07 */
  full(t: Time | number | undefined): string {
    const ms = typeof t === 'number' ? t : millis(t);
    return Number.isNaN(ms) ? '–' : `${this.day.format(ms)} ${this.time.format(ms)}`;
  }

  /** The time, with its day when that is not today's. */
  near(t: Time | number | undefined, now: number): string {
    const ms = typeof t === 'number' ? t : millis(t);
    if (Number.isNaN(ms)) return '–';
    return this.day.format(ms) === this.day.format(now)
      ? this.clock(ms)
      : `${this.day.format(ms).slice(5)} ${this.short(ms)}`;
  }
}

/** A number for people: at most `digits` behind the point, thousands apart. */
export function numberText(n: number, digits = 1): string {
  return n.toLocaleString('en-US', { maximumFractionDigits: digits });
}

/** A share: 81 %, <1 % rather than 0, >99 % rather than all. */
export function percentText(share: number): string {
  const p = share * 100;
  if (p > 0 && p < 1) return '<1%';
  if (p < 100 && p > 99) return '>99%';
  return `${Math.round(p)}%`;
}

/** A value in its unit: a ratio as per cent, seconds as ms below one. */
export function valueText(v: number | null | undefined, unit = ''): string {
  if (v === null || v === undefined || Number.isNaN(v)) return '–';
  switch (unit) {
    case 'ratio':
      return `${(v * 100).toFixed(v > 0.9 ? 2 : 1)}%`;
    case 's':
      return v < 1 ? `${Math.round(v * 1000)} ms` : `${v.toFixed(2)} s`;
    default:
      return `${numberText(v, Math.abs(v) < 10 ? 2 : 1)}${unit ? ` ${unit}` : ''}`;
  }
}

/** An indicator's value as its name says that it is to be read. */
export function indicatorText(indicator: string, v: number): string {
  if (indicator.endsWith('_ratio')) return `${(100 * v).toFixed(1)}%`;
  return valueText(v, indicator.endsWith('_seconds') ? 's' : '');
}

/** The scope's parts as people type them: city=Shanghai; empty when it is everything. */
export function scopeParts(scope: Scope | undefined): string[] {
  return scopeKeys.flatMap((k) => {
    const v = scope?.[k];
    if (!v?.length) return [];
    return [`${k}=${v.length > 4 ? `${v.slice(0, 3).join(',')}… (${v.length})` : v.join(',')}`];
  });
}
