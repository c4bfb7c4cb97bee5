import { Problem } from '../core/api';
import { Refresher } from '../core/refresher';
import { store } from './app.svelte';

/** Something loaded from the API for as long as a component lives, and loaded again when its topics move. */
export class Resource<T> {
  data = $state.raw<T | null>(null);
  error = $state.raw<Problem | null>(null);
  private refresher: Refresher | null = null;

  /** Call it while a component starts. path is followed; null loads nothing. Never more often than every gapMs. */
  constructor(path: () => string | null, topics: string[] = [], everyMs = 10_000, gapMs = 800) {
    $effect(() => {
      const wanted = path();
      if (wanted === null) return;
      const refresher = new Refresher(() => this.load(wanted), gapMs);
      this.refresher = refresher;
      refresher.soon();
      const timer = setInterval(() => refresher.soon(), everyMs);
      const leave = store.onFrame((f) => {
        if (topics.some((t) => (f.name ?? '').startsWith(t) || f.topic.startsWith(t))) refresher.soon();
      });
      return () => {
        refresher.stop();
        clearInterval(timer);
        leave();
      };
    });
  }

  reload(): void {
    this.refresher?.soon();
  }

  private async load(path: string): Promise<void> {
    try {
      this.data = await store.api.get<T>(path);
      this.error = null;
    } catch (e) {
      this.error = e instanceof Problem ? e : new Problem(0, String(e));
    }
  }
}

/** The items of an answer that may be a page or a bare list. */
export function items<T>(answer: { items: T[] | null } | T[] | null | undefined): T[] {
  if (!answer) return [];
  return Array.isArray(answer) ? answer : (answer.items ?? []);
}
