import type { Lang } from '../format';
import type { Evidence } from '../types';
import type { FirstKey } from './en';
import type { ScreenKey } from './en-screens';
import { wordOf } from './words';

export type Key = FirstKey | ScreenKey;
export type Dictionary = Readonly<Record<string, string>>;
export type Args = Record<string, string | number>;

/** What a line of a timeline or of the ticker is made of: an event, or an entry. */
export interface Line {
  name: string;
  subject?: string;
  actor?: string;
  text?: string;
  data?: Readonly<Record<string, unknown>> | null;
}

/** A language: the dictionary of the first screen, and how it says what the server says in English; null where that must do. */
export interface Pack {
  dictionary: Dictionary;
  evidence: (e: Evidence) => string | null;
  event: (l: Line) => string | null;
  sentence: (text: string) => string | null;
}

const packs: Partial<Record<Lang, Pack>> = {};
/** Loads what the first screen says in a language; nothing may be said in it before. */
export async function loadLanguage(lang: Lang): Promise<void> {
  packs[lang] ??= (lang === 'zh' ? await import('./zh/index') : await import('./en-pack')).pack;
}

/** What is said beyond the first screen: on most screens, on the fleet's, and about a rollout. */
export type Part = 'screens' | 'fleet' | 'rollout';

// English is short enough to come as one.
const parts: Record<Lang, Partial<Record<Part, () => Promise<Dictionary>>>> = {
  en: { screens: async () => (await import('./en-screens')).enScreens },
  zh: {
    screens: async () => (await import('./zh/rest')).screens(),
    fleet: async () => (await import('./zh/zh-fleet')).zhFleet,
    rollout: async () => (await import('./zh/zh-rollout')).zhRollout,
  },
};
const wanted = new Set<Part>(['screens']);
const loaded = new Set<string>();

/** Loads what the screens beyond the first say, and what was loaded in another language: it may be seen. */
export async function loadScreens(lang: Lang, ...more: Part[]): Promise<void> {
  for (const part of more) wanted.add(part);
  await loadLanguage(lang);
  await Promise.all([...wanted].map((part) => loadPart(lang, part)));
}

async function loadPart(lang: Lang, part: Part): Promise<void> {
  if (loaded.has(`${lang} ${part}`)) return;
  const words = await parts[lang][part]?.();
  packs[lang] = { ...packs[lang]!, dictionary: { ...packs[lang]!.dictionary, ...words } };
  loaded.add(`${lang} ${part}`);
}

function packOf(lang: Lang): Pack {
  const pack = packs[lang] ?? packs.en ?? packs.zh;
  if (!pack) throw new Error('no language is loaded');
  return pack;
}

/** Puts the arguments into a sentence's {places}; a place without an argument stays as it is. */
export function fill(sentence: string, args: Readonly<Record<string, unknown>>): string {
  return sentence.replace(/\{(\w+)\}/g, (place, name: string) =>
    args[name] === undefined ? place : String(args[name]),
  );
}

/** Says key in a language. */
export function say(lang: Lang, key: Key, args: Args = {}): string {
  return fill(packOf(lang).dictionary[key] ?? key, args);
}

/** Says a key made at run time, such as `state.` + a word of the server's; an unknown one is said as that word. */
export function sayWord(lang: Lang, prefix: string, word: string): string {
  return wordOf(packOf(lang).dictionary, prefix, word);
}

/** The sentence of a piece of evidence. */
export function evidenceText(lang: Lang, e: Evidence): string {
  return packOf(lang).evidence(e) ?? e.text;
}

/** The sentence of an event or of an entry. */
export function eventText(lang: Lang, l: Line): string {
  return packOf(lang).event(l) ?? (l.text || String(l.data?.text ?? ''));
}

/** A sentence that the server makes without figures beside it: a title, a summary, a reason. */
export function sentenceText(lang: Lang, text: string | undefined): string {
  return text ? (packOf(lang).sentence(text) ?? text) : '';
}

/** A weight with its sign: +4.2, −0.6. */
export function signed(weight: number): string {
  const text = Math.abs(weight).toFixed(1);
  return text === '0.0' ? '0' : `${weight < 0 ? '−' : '+'}${text}`;
}

/** The browser's language, as far as we speak it. */
export function preferred(languages: readonly string[]): Lang {
  return languages
    .find((l) => /^(zh|en)/i.test(l))
    ?.toLowerCase()
    .startsWith('zh')
    ? 'zh'
    : 'en';
}
