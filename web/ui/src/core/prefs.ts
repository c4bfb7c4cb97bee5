import type { Lang } from './format';
import { preferred } from './i18n';

/** What a person set for this browser. Links never carry it, except `?lang=`. */
export interface Prefs {
  lang: Lang;
  theme: 'dark' | 'light';
  utc: boolean;
  keys: boolean;
  marks: boolean;
  sound: boolean;
}

const KEY = 'goc.prefs';

/** What Prefs are kept in: localStorage, which may be forbidden or hold rubbish. */
export type Shelf = Pick<Storage, 'getItem' | 'setItem'>;

export function loadPrefs(shelf: Shelf | null, languages: readonly string[], wanted: string | null): Prefs {
  const prefs: Prefs = { lang: preferred(languages), theme: 'dark', utc: false, keys: true, marks: true, sound: false };
  try {
    const kept = JSON.parse(shelf?.getItem(KEY) ?? '{}') as Record<string, unknown>;
    if (kept.lang === 'en' || kept.lang === 'zh') prefs.lang = kept.lang;
    if (kept.theme === 'dark' || kept.theme === 'light') prefs.theme = kept.theme;
    for (const k of ['utc', 'keys', 'marks', 'sound'] as const) if (typeof kept[k] === 'boolean') prefs[k] = kept[k];
  } catch {
    // what cannot be read is as good as not there
  }
  if (wanted === 'en' || wanted === 'zh') prefs.lang = wanted;
  return prefs;
}

export function savePrefs(shelf: Shelf | null, prefs: Prefs): void {
  try {
    shelf?.setItem(KEY, JSON.stringify(prefs));
  } catch {
    // private browsing: it holds until the page is closed
  }
}
