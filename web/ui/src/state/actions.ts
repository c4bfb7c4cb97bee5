import { absoluteLink } from '../core/router';
import { live, page, store, t, tick } from './app.svelte';

// What a person can do from more than one place.

/** Acknowledges at once on the screen, with a notice when the server takes it back. */
export function acknowledge(id: string): void {
  void store.acknowledge(id, (why) => t('notice.ackFailed', { id, why }));
}

/** Takes a person's word for whether a change did it. */
export function judgeSuspect(id: string, change: string, verb: 'confirm' | 'reject'): Promise<boolean> {
  return store.act(id, `suspects/${change}/${verb}`, {}, (why) => t('notice.failed', { what: t(`act.${verb}`), why }));
}

/** The incident that a key means: the one in focus, else the one looked at, else the worst. */
export function meant(): string | null {
  const focused = document.activeElement?.closest<HTMLElement>('[data-incident]')?.dataset.incident;
  return (
    focused ??
    page.route.params.id ??
    live.incidents.find((i) => i.state === 'open')?.id ??
    live.incidents[0]?.id ??
    null
  );
}

/** Puts text on the clipboard and says so; a browser may refuse. */
export async function copyText(text: string, said: 'act.copied' | 'act.copiedText' = 'act.copiedText'): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    store.notify('info', t(said));
  } catch {
    store.notify('info', t('notice.noClipboard', { link: text }));
  }
}

/** Puts a link to what is seen on the clipboard; relative time becomes absolute. */
export function copyLink(): Promise<void> {
  return copyText(absoluteLink(page.url, tick.now), 'act.copied');
}
