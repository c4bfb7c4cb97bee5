import { untrack } from 'svelte';
import { createSubscriber } from 'svelte/reactivity';
import { worstFirst } from '../core/attention';
import { Clockface, type Lang } from '../core/format';
import { loadScreens, say, sayWord, sentenceText, type Args, type Key, type Part } from '../core/i18n';
import { loadPrefs, savePrefs, type Prefs } from '../core/prefs';
import { parseRoute, withQuery, type Route } from '../core/router';
import { reason, Store } from '../core/store';

// The framework-free store, prefs and route as Svelte sees them.

function shelf(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

function liveUrl(): string {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/v1/live`;
}

export const store = new Store({ connect: () => new WebSocket(liveUrl()) as never });

const follow = createSubscriber((update) => store.subscribe(update));

/** The store's parts; reading one in a component follows it. */
export const live = {
  get situation() {
    follow();
    return store.situation;
  },
  get incidents() {
    follow();
    return worstFirst(store.incidents);
  },
  get room() {
    follow();
    return store.room;
  },
  get incident() {
    follow();
    return store.room?.incident ?? null;
  },
  get entries() {
    follow();
    return store.room?.entries ?? [];
  },
  get chart() {
    follow();
    return store.room?.chart ?? null;
  },
  get notices() {
    follow();
    return store.notices;
  },
  get me() {
    follow();
    return store.me;
  },
  get needLogin() {
    follow();
    return store.needLogin;
  },
  get loadError() {
    follow();
    return store.loadError;
  },
};

export const prefs: Prefs = $state(
  loadPrefs(shelf(), navigator.languages ?? ['en'], new URL(location.href).searchParams.get('lang')),
);

export function setPref<K extends keyof Prefs>(key: K, value: Prefs[K]): void {
  prefs[key] = value;
  savePrefs(shelf(), { ...prefs });
  if (key === 'lang' && page.url.searchParams.has('lang')) go(withQuery(page.url, { lang: null }), true);
}

class Page {
  url: URL = $state.raw(new URL(location.href));
  route: Route = $derived(parseRoute(this.url));
  wall: boolean = $derived(this.route.screen === 'situation' && this.route.query.get('wall') === '1');
}

export const page = new Page();

/** Goes to a path of ours without loading the page anew. */
export function go(href: string, replace = false): void {
  if (replace) history.replaceState(null, '', href);
  else history.pushState(null, '', href);
  page.url = new URL(location.href);
}

class Tick {
  /** The server's time in milliseconds, four times a second. */
  now = $state(Date.now());
  fresh = $state.raw(store.connection.freshness());

  beat(): void {
    this.now = store.clock.now();
    this.fresh = store.connection.freshness();
  }
}

export const tick = new Tick();

export function startClock(): () => void {
  const timer = setInterval(() => tick.beat(), 250);
  return () => clearInterval(timer);
}

/** Says key in the chosen language. */
export function t(key: Key, args?: Args): string {
  return say(prefs.lang, key, args);
}

/** Says a word of the server's, such as a state. */
export function word(prefix: string, value: string | undefined): string {
  return sayWord(prefs.lang, prefix, value ?? '');
}

/** A sentence of the server's, in the chosen language where it is known. */
export function told(text: string | undefined): string {
  return sentenceText(prefs.lang, text);
}

/** One or many: the key with a 1 at its end is for one. */
export function count(key: 'impact.stores' | 'impact.devices' | 'impact.cities', n: number): string {
  return t(n === 1 ? `${key}1` : key, { n });
}

const faces = $derived(new Clockface(prefs.utc));

/** How times are shown. */
export function face(): Clockface {
  return faces;
}

/** Switches the language without loading the page anew. */
export async function speak(lang: Lang): Promise<void> {
  try {
    await loadScreens(lang);
  } catch (e) {
    return store.notify('error', t('error.load', { why: reason(e) }));
  }
  setPref('lang', lang);
}

/** A chunk with the words of the screens beyond the first, for it cannot speak without. */
export async function withWords<T>(chunk: Promise<T>, ...more: Part[]): Promise<T> {
  // A switch of the language loads its own words: what is shown must not start anew for it.
  const [it] = await Promise.all([
    chunk,
    loadScreens(
      untrack(() => prefs.lang),
      ...more,
    ),
  ]);
  return it;
}

export function otherLang(): Lang {
  return prefs.lang === 'en' ? 'zh' : 'en';
}
